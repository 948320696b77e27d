package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"holdfast/internal/command"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/jsonpointer"
	"holdfast/internal/outgoing"
	"holdfast/internal/runbook"
	"holdfast/internal/secret"
)

// commandOf is the program that a step names, with its parameters in their places.
func (n *Node) commandOf(c runbook.Call) (*command.Spec, []string, runbook.Result) {
	id := c.Step.With["command"]
	i := slices.IndexFunc(n.o.Config.Commands, func(set controlconfig.Command) bool { return set.ID == id })
	if i < 0 {
		return nil, nil, failed("no-command", "command", id, "node", n.name)
	}
	set := &n.o.Config.Commands[i]
	spec := &command.Spec{
		ID: set.ID, Argv: set.Argv, Params: set.Params, User: set.User, Folder: set.Folder, Env: maps.Clone(set.Env),
		Time: set.Timeout, CPU: set.CPU, Memory: set.Memory, Files: set.Files, Many: set.Many, Size: set.Size, Output: int(set.Output),
	}
	params := maps.Clone(c.Step.With)
	delete(params, "command")
	argv, err := spec.Bind(params)
	if err != nil {
		return nil, nil, failedBy(err, "command", id)
	}
	return spec, argv, runbook.Result{}
}

// failedBy is why something was refused, in the words of its error.
func failedBy(err error, name, id string) runbook.Result {
	var e *continuity.Error
	if errors.As(err, &e) {
		if detail, ok := e.Args["detail_id"].(string); ok {
			args := maps.Clone(e.Args)
			delete(args, "detail_id")
			args[name] = id
			return runbook.Fail(detail, args)
		}
	}
	return failed("command", name, id, "why", string(continuity.CodeOf(err)))
}

// attempt names what a command starts: nodes of different databases may be on one
// machine, with runs of the same names.
func (n *Node) attempt(key string) string { return n.place + "/" + key }

// commandAction has a program of this machine run that the settings allow.
func (n *Node) commandAction() runbook.Action {
	return runbook.Action{
		Lost: func(key string) { command.Sweep(n.attempt(key)) },
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			spec, argv, lacks := n.commandOf(c)
			if spec == nil {
				return lacks
			}
			if spec.Env == nil {
				spec.Env = map[string]string{}
			}
			source := n.o.Config.Source()
			for _, set := range n.o.Config.Commands {
				for name, ref := range set.Secrets {
					text, err := source.Resolve(secret.Ref{Name: ref})
					if err != nil && set.ID == spec.ID {
						return failed("secret", "name", ref)
					}
					if err != nil {
						continue // another command's
					}
					spec.Hidden = append(spec.Hidden, text.Reveal())
					if set.ID == spec.ID {
						spec.Env[name] = text.Reveal()
					}
				}
			}
			o, err := spec.Run(ctx, argv, n.attempt(c.Key))
			if err != nil {
				return failedBy(err, "command", spec.ID)
			}
			r := runbook.Result{Output: jsonOf(o)}
			switch {
			case o.Ended:
				r.Failed = failed("ended").Failed
			case o.Late:
				r.Failed = failed("command-late", "command", spec.ID, "after", spec.Time.String()).Failed
			case o.Status != 0:
				r.Failed = failed("command-status", "command", spec.ID, "status", o.Status, "signal", o.Signal, "said", lastLine(o.Output)).Failed
			}
			return r
		},
		Show: func(_ context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
			spec, argv, lacks := n.commandOf(c)
			if spec == nil {
				return what("command", "command", c.Step.With["command"], "argv", "-", "user", "-"), lacks.Failed
			}
			user := spec.User
			if user == "" {
				user = "-"
			}
			return what("command", "command", spec.ID, "argv", strings.Join(argv, " "), "user", user), nil
		},
	}
}

// mostSaid bounds, in characters, what of a command's output stands in the reason of its
// failure.
const mostSaid = 200

// lastLine is the last line of a command's output that says something: as a rule, why
// it failed.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	last := []rune(strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, lines[len(lines)-1])))
	if len(last) > mostSaid {
		last = append(last[:mostSaid-1], '…')
	}
	return string(last)
}

// mostShown bounds what is kept of an answer's body, and mostAnswer what is read of it.
const (
	mostShown  = 2 << 10
	mostAnswer = 1 << 20
)

// httpAction asks another system, as far as the node's rules and the plan let checks
// reach it. An answer that isn't the expected one is a failure.
func (n *Node) httpAction() runbook.Action {
	return runbook.Action{
		Do: n.ask,
		Show: func(_ context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
			method := c.Step.With["method"]
			if method == "" {
				method = http.MethodPost
			}
			return what("http", "method", strings.ToUpper(method), "url", c.Step.With["url"]), nil
		},
	}
}

func (n *Node) ask(ctx context.Context, c runbook.Call) runbook.Result {
	w := c.Step.With
	policy := outgoing.NewPolicy(n.o.Config.Outgoing...)
	if p := n.planOf(c.Run.Service); p != nil && p.Tech != nil {
		policy = policy.Narrow(p.Tech.Allow...)
	} else {
		policy = policy.Narrow()
	}
	method := strings.ToUpper(w["method"])
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, w["url"], strings.NewReader(w["body"]))
	if err != nil || req.URL.User != nil {
		return failed("http-url", "url", "")
	}
	if w["body"] != "" {
		req.Header.Set("Content-Type", "application/json")
		if w["type"] != "" {
			req.Header.Set("Content-Type", w["type"])
		}
	}
	// The same for each attempt: who keeps such keys does it once.
	req.Header.Set("Idempotency-Key", c.Run.ID+"/"+c.Step.ID)
	hidden := ""
	if w["secret"] != "" {
		text, err := n.o.Config.Source().ForPlan(secret.Ref{Name: w["secret"]})
		if err != nil {
			return failed("secret", "name", w["secret"])
		}
		hidden = text.Reveal()
		req.Header.Set("Authorization", "Bearer "+hidden)
	}
	options := outgoing.Options{Body: mostAnswer, Fresh: true}
	if left := time.Until(c.Until); !c.Until.IsZero() && left < outgoing.DefaultTime {
		options.Time = max(left, time.Second)
	}
	began := time.Now()
	answer, err := outgoing.New(policy, nil).Client(options).Do(req)
	if err != nil {
		return failed("http", "url", req.URL.Redacted(), "why", string(continuity.CodeOf(reached(err))))
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	text := string(body)
	if hidden != "" { // before it is cut, or half of it might be left
		text = strings.ReplaceAll(text, hidden, command.Masked)
	}
	text = text[:min(len(text), mostShown)]
	r := runbook.Result{Output: jsonOf(map[string]any{"status": answer.StatusCode, "took": time.Since(began).Round(time.Millisecond).String(), "body": strings.ToValidUTF8(text, "\uFFFD")})}
	switch {
	case err != nil:
		r.Failed = failed("http", "url", req.URL.Redacted(), "why", string(continuity.CodeUpstream)).Failed
	case !expected(w["status"], answer.StatusCode):
		r.Failed = failed("http-status", "url", req.URL.Redacted(), "status", answer.StatusCode).Failed
	case w["json"] != "" && !holds(body, w["json"], w["equals"]):
		r.Failed = failed("http-json", "url", req.URL.Redacted(), "pointer", w["json"]).Failed
	}
	return r
}

// reached is why a system was not, as an error with a code.
func reached(err error) error {
	var e *continuity.Error
	if errors.As(err, &e) {
		return e
	}
	return continuity.E(continuity.CodeUnreachable, err)
}

// expected reads a status such as 200, 2xx or 200,202; none: 2xx.
func expected(want string, status int) bool {
	if want == "" {
		want = "2xx"
	}
	got := strconv.Itoa(status)
	for one := range strings.SplitSeq(want, ",") {
		one = strings.TrimSpace(one)
		if one == got || len(one) == 3 && one[1:] == "xx" && one[0] == got[0] {
			return true
		}
	}
	return false
}

// holds reports whether a document has a value at a pointer; equals: that one.
func holds(body []byte, pointer, equals string) bool {
	path, err := jsonpointer.Parse(pointer)
	var v any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err != nil || d.Decode(&v) != nil {
		return false
	}
	for _, name := range path {
		switch at := v.(type) {
		case map[string]any:
			var there bool
			if v, there = at[name]; !there {
				return false
			}
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return false
			}
			v = at[i]
		default:
			return false
		}
	}
	if equals == "" {
		return true
	}
	switch v := v.(type) {
	case string:
		return v == equals
	case json.Number:
		return v.String() == equals
	case bool:
		return strconv.FormatBool(v) == equals
	}
	return false
}
