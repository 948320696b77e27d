package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
	"holdfast/internal/relay"
	"holdfast/internal/yamldoc"
)

// asked is a request as it was typed.
type asked struct {
	file, host, from, data string
	header                 []string
	offline                bool
}

func (c *cli) explainCommand() *cobra.Command {
	var a asked
	cmd := c.command("explain [METHOD] [TARGET]", "explain", nil, nil)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 2 || a.file != "" && len(args) > 0 {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q, err := c.question(a, args)
		if err != nil {
			return err
		}
		x, err := c.explanation(cmd, q, a.offline)
		if err != nil {
			return err
		}
		return c.show(x, func() { c.showExplanation(x) })
	}
	f := cmd.Flags()
	f.StringArrayVarP(&a.header, "header", "H", nil, c.t("cli.flag.explain-header"))
	f.StringVarP(&a.data, "data", "d", "", c.t("cli.flag.explain-data"))
	f.StringVar(&a.host, "host", "", c.t("cli.flag.explain-host"))
	f.StringVar(&a.from, "from", "", c.t("cli.flag.explain-from"))
	f.StringVar(&a.file, "file", "", c.t("cli.flag.explain-file"))
	f.BoolVar(&a.offline, "offline", false, c.t("cli.flag.offline"))
	return cmd
}

// explanation asks the relay, or where none runs the configuration.
func (c *cli) explanation(cmd *cobra.Command, q continuity.Question, offline bool) (continuity.Explanation, error) {
	if !offline {
		client, err := c.client()
		if err == nil {
			var x continuity.Explanation
			if x, err = client.Explain(cmd.Context(), q); err == nil {
				return x, nil
			}
		}
		if continuity.CodeOf(err) != continuity.CodeUnreachable {
			return continuity.Explanation{}, err
		}
	}
	file := c.where.configFile()
	src, err := config.Read(file)
	if err != nil {
		return continuity.Explanation{}, err
	}
	conf, problems, err := config.Parse(file, src, filepath.Dir(file))
	if err != nil {
		if e := yamldoc.Render(c.err, c.lang, src, problems); e != nil {
			return continuity.Explanation{}, e
		}
		c.reported = len(problems) > 0
		return continuity.Explanation{}, err
	}
	engine, err := relay.Offline(conf.Routes, conf.Transport)
	if err != nil {
		return continuity.Explanation{}, err
	}
	x, err := engine.Explain(&q)
	if err != nil {
		return continuity.Explanation{}, err
	}
	return *x, nil
}

// question is the request that is meant: as arguments, or as it would be on the
// wire, in a file or from standard input.
func (c *cli) question(a asked, args []string) (continuity.Question, error) {
	q := continuity.Question{Method: http.MethodGet, Host: a.host, From: a.from, Body: []byte(a.data)}
	switch len(args) {
	case 0:
		return c.rawQuestion(a)
	case 1:
		q.Target = args[0]
		if a.data != "" {
			q.Method = http.MethodPost
		}
	default:
		q.Method, q.Target = strings.ToUpper(args[0]), args[1]
	}
	if !strings.HasPrefix(q.Target, "/") {
		return q, invalid("api.invalid.question")
	}
	for _, text := range a.header {
		name, value, ok := strings.Cut(text, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || name == "":
			return q, invalid("api.invalid.header", "value", text)
		case strings.EqualFold(name, "Host"):
			q.Host = value
		case onWire(name):
			q.Header = append(q.Header, continuity.Field{Name: name, Value: value})
		}
	}
	return q, nil
}

// mostRaw is as large a request as the admin API takes.
const mostRaw = 16 << 20

func (c *cli) rawQuestion(a asked) (q continuity.Question, err error) {
	in := c.in
	if a.file == "" && terminal(in) {
		return q, invalid("cli.explain.raw") // nobody types a whole request: this would look like hanging
	}
	if a.file != "" && a.file != "-" {
		f, err := os.Open(a.file)
		if err != nil {
			return q, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, mostRaw+1))
	if err != nil {
		return q, err
	}
	// A file that was written by hand ends its lines in its own way, and states no
	// length: what follows the head is the body.
	head, body, _ := bytes.Cut(text, []byte("\r\n\r\n"))
	if h, b, ok := bytes.Cut(text, []byte("\n\n")); ok && len(h) < len(head) {
		head, body = h, b
	}
	head = slices.Concat(bytes.TrimRight(head, "\r\n"), []byte("\r\n\r\n"))
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil || len(text) > mostRaw || !strings.HasPrefix(req.RequestURI, "/") || len(req.TransferEncoding) > 0 {
		return q, continuity.E(continuity.CodeInvalid, errors.Join(err), problem.DetailID, "cli.explain.raw")
	}
	q = continuity.Question{Method: req.Method, Target: req.RequestURI, Host: req.Host, From: a.from, Body: body}
	if n := req.ContentLength; n >= 0 && req.Header.Get("Content-Length") != "" && n < int64(len(body)) {
		q.Body = body[:n]
	}
	if a.host != "" {
		q.Host = a.host
	}
	for name, values := range req.Header {
		for _, value := range values {
			if onWire(name) {
				q.Header = append(q.Header, continuity.Field{Name: name, Value: value})
			}
		}
	}
	slices.SortStableFunc(q.Header, func(a, b continuity.Field) int { return strings.Compare(a.Name, b.Name) })
	return q, nil
}

// onWire reports whether a field goes further than the connection.
func onWire(name string) bool {
	return !slices.ContainsFunc([]string{"Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade"},
		func(hop string) bool { return strings.EqualFold(hop, name) })
}

func (c *cli) showExplanation(x continuity.Explanation) {
	t := table{head: c.heads("check", "finding-text")}
	if !x.Live {
		t.add(c.t("cli.explain.head.about"), c.t("cli.explain.offline"))
	}
	for _, u := range x.Before {
		t.add(u.Route, c.t("cli.explain.unfit."+u.Why))
	}
	if x.Route != "" {
		t.add(x.Route, c.t("cli.explain.matches"))
	}
	for _, p := range x.Points {
		mark := "+"
		if p.Against {
			mark = "-"
		}
		pairs := make([]any, 0, 2*len(p.Args))
		for name, value := range p.Args {
			pairs = append(pairs, name, value)
		}
		t.add(mark, c.t("cli.explain."+p.ID, pairs...))
	}
	if x.Down != nil {
		t.add(c.t("cli.explain.head.down"), c.fate(*x.Down))
	}
	if x.Lost != nil {
		t.add(c.t("cli.explain.head.lost"), c.fate(*x.Lost))
	}
	t.add(c.t("cli.explain.head.now"), c.fate(x.Now))
	c.table(t)
}

// fate says how a request would end.
func (c *cli) fate(f continuity.Fate) string {
	text := c.t("cli.explain.fate."+f.What, "status", f.Status)
	switch {
	case f.Code != "":
		return c.t("cli.explain.fate.why", "fate", text, "why", problem.Text(f.Code, f.Args, c.lang))
	case f.Why != "":
		return c.t("cli.explain.fate.why", "fate", text, "why", c.t("cli.explain.why."+f.Why))
	}
	return text
}
