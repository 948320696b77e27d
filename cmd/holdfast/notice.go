package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/controlapi"
	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
)

func (c *cli) noticeCommand() *cobra.Command {
	cmd := c.onNode(c.group("notice", "notice"))
	cmd.AddCommand(c.noticeListCommand(), c.noticeShowCommand(), c.noticeConfirmCommand(), c.noticeDismissCommand(), c.noticePasteCommand(), c.noticeReadCommand(), c.noticeSourcesCommand())
	return cmd
}

func (c *cli) noticeListCommand() *cobra.Command {
	var service string
	var everything bool
	cmd := c.command("list", "notice.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}}
		if everything {
			query.Set("all", "true")
		}
		all, err := controlapi.List[notices.Proposal](cmd.Context(), node, "/notices", query, 0)
		if err != nil {
			return err
		}
		sources, err := controlapi.List[notices.SourceState](cmd.Context(), node, "/notice-sources", url.Values{"service": {service}}, 0)
		if err != nil {
			return err
		}
		err = c.show(all, func() { c.noticeTable(all) })
		if !c.json { // who sees no news has to know whether any could have come
			for i := range sources {
				if s := &sources[i]; s.State != notices.SourceRead {
					c.warn("cli.notice.list.source", "source", s.Service+"/"+s.Source, "state", c.t("notice.source."+s.State), "why", c.sourceWhy(s))
				}
			}
		}
		return err
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.notice-service"))
	cmd.Flags().BoolVar(&everything, "all", false, c.t("cli.flag.notice-all"))
	return cmd
}

func (c *cli) noticeTable(all []notices.Proposal) {
	t := table{head: c.heads("notice", "service", "state", "kind", "when", "components", "level", "title"), none: c.t("cli.notice.list.none")}
	for i := range all {
		p := &all[i]
		kind, start, end, components, level := p.Reading.Kind, p.Reading.Start, p.Reading.End, p.Reading.Components, p.Reading.Level
		if p.Agreed != nil && p.Asks == "" {
			kind, start, end, components, level = p.Agreed.Kind, p.Agreed.Start, p.Agreed.End, p.Agreed.Components, p.Agreed.Level
		}
		state := c.term("notice.state.", p.State)
		if p.Asks != "" && p.State != notices.Proposed {
			state += " (!)"
		}
		t.add(p.ID, p.Service, state, c.kindOf(kind), spanOf(start, end), strings.Join(components, ", "), c.term("warning.level.", string(level)), p.Title)
	}
	c.table(t)
}

func (c *cli) kindOf(kind extract.Kind) string {
	if kind == "" {
		return c.t("notice.kind.unread")
	}
	return c.term("notice.kind.", string(kind))
}

// spanOf writes a stretch of time, with a question mark for what is not known.
func spanOf(start, end time.Time) string {
	if start.IsZero() && end.IsZero() {
		return "?"
	}
	return stampOr(start) + " – " + stampOr(end)
}

func stampOr(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.Local().Format("2006-01-02 15:04 MST")
}

func (c *cli) sourceWhy(s *notices.SourceState) string {
	if s.Why == nil {
		return ""
	}
	return c.t("notice.failed."+s.Why.ID, pairsOf(s.Why.Args)...)
}

func pairsOf(args map[string]any) (pairs []any) {
	for name, value := range args {
		pairs = append(pairs, name, value)
	}
	return pairs
}

func (c *cli) noticeShowCommand() *cobra.Command {
	return c.command("show <notice>", "notice.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		p, _, err := controlapi.Get[notices.Proposal](cmd.Context(), node, "/notices/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(p, func() { c.showNotice(&p) })
	})
}

// showNotice shows what was read, what could not be, and what the provider wrote.
func (c *cli) showNotice(p *notices.Proposal) {
	c.noticeTable([]notices.Proposal{*p})
	if p.Asks != "" {
		fmt.Fprintln(c.out, c.t("notice.asks."+p.Asks))
	}
	if len(p.Reading.Unread) > 0 {
		var fields []string
		for _, f := range p.Reading.Unread {
			fields = append(fields, c.t("notice.field."+f))
		}
		c.say("cli.notice.unread", "fields", strings.Join(fields, c.t("cli.notice.comma")))
	}
	for i, w := range p.Reading.Candidates {
		c.say("cli.notice.candidate", "number", i+1, "when", spanOf(w.Start, w.End))
	}
	for _, d := range p.Reading.Doubts {
		c.say("cli.notice.doubt", "doubt", c.t("notice.doubt."+d))
	}
	if a := p.Agreed; a != nil {
		c.say("cli.notice.confirmed", "by", clean(a.By.ID), "at", stampOr(a.At), "when", spanOf(a.Start, a.End), "note", clean(a.Note))
	}
	if r := p.Rejected; r != nil {
		c.say("cli.notice.dismissed", "by", clean(r.By.ID), "at", stampOr(r.At), "note", clean(r.Note))
	}
	if p.About != "" {
		c.say("cli.notice.about", "id", p.About)
	}
	fmt.Fprintln(c.out)
	for line := range strings.SplitSeq(strings.TrimSpace(p.Title+"\n"+p.Text), "\n") {
		fmt.Fprintln(c.out, "  "+clean(line))
	}
	if p.URL != "" {
		fmt.Fprintln(c.out, "  "+clean(p.URL))
	}
}

func (c *cli) noticeConfirmCommand() *cobra.Command {
	var title, kind, start, end, level, about, note string
	var components []string
	var window int
	cmd := c.command("confirm <notice>", "notice.confirm", exactly(1), func(cmd *cobra.Command, args []string) error {
		body := controlapi.NoticeConfirmation{Window: window, About: about, Note: note}
		for name, set := range map[string]func(){
			"title": func() { body.Title = &title }, "kind": func() { body.Kind = &kind }, "level": func() { body.Level = &level },
			"components": func() { body.Components = &components },
		} {
			if cmd.Flags().Changed(name) {
				set()
			}
		}
		for _, moment := range []struct {
			text string
			into **time.Time
		}{{start, &body.Start}, {end, &body.End}} {
			if moment.text == "" {
				continue
			}
			at, err := laterMoment(moment.text)
			if err != nil {
				return err
			}
			*moment.into = &at
		}
		return c.judgeNotice(cmd, args[0], "/confirmation", body)
	})
	f := cmd.Flags()
	f.StringVar(&title, "title", "", c.t("cli.flag.notice-title"))
	f.StringVar(&kind, "kind", "", c.t("cli.flag.notice-kind"))
	f.StringVar(&start, "start", "", c.t("cli.flag.notice-start"))
	f.StringVar(&end, "end", "", c.t("cli.flag.notice-end"))
	f.IntVar(&window, "window", 0, c.t("cli.flag.notice-window"))
	f.StringSliceVar(&components, "components", nil, c.t("cli.flag.notice-components"))
	f.StringVar(&level, "level", "", c.t("cli.flag.notice-level"))
	f.StringVar(&about, "about", "", c.t("cli.flag.notice-about"))
	f.StringVar(&note, "note", "", c.t("cli.flag.notice-note"))
	return cmd
}

// laterMoment reads a time that may lie ahead; without a zone it is this machine's.
func laterMoment(text string) (time.Time, error) { return momentOf(text, time.Local) }

// momentOf reads a time, which is one of a place unless it says otherwise.
func momentOf(text string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, invalid("cli.invalid.notice-time", "value", text)
}

func (c *cli) noticeDismissCommand() *cobra.Command {
	var why string
	cmd := c.command("dismiss <notice> --why REASON", "notice.dismiss", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(why) == "" {
			return invalid("notice.invalid.why")
		}
		return c.judgeNotice(cmd, args[0], "/dismissal", map[string]string{"why": why})
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.notice-why"))
	return cmd
}

// judgeNotice says a person's word on the version that they see now.
func (c *cli) judgeNotice(cmd *cobra.Command, id, verb string, body any) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	path := "/notices/" + url.PathEscape(id)
	_, version, err := controlapi.Get[notices.Proposal](cmd.Context(), node, path, nil)
	if err != nil {
		return err
	}
	p, _, err := controlapi.Put[notices.Proposal](cmd.Context(), node, path+verb, version, body)
	if err != nil {
		return err
	}
	return c.show(p, func() { c.noticeTable([]notices.Proposal{p}) })
}

func (c *cli) noticePasteCommand() *cobra.Command {
	var service, title, written string
	cmd := c.command("paste [FILE] --service SERVICE", "notice.paste", atMost(1), func(cmd *cobra.Command, args []string) error {
		if service == "" {
			return invalid("cli.invalid.notice-service")
		}
		text, err := c.given(args)
		if err != nil {
			return err
		}
		body := controlapi.NoticePaste{Service: service, Title: title, Text: string(text)}
		if written != "" {
			if body.Written, err = laterMoment(written); err != nil {
				return err
			}
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		p, err := controlapi.Post[notices.Proposal](cmd.Context(), node, "/notices", body)
		if err != nil {
			return err
		}
		return c.show(p, func() { c.showNotice(&p) })
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.notice-of"))
	cmd.Flags().StringVar(&title, "title", "", c.t("cli.flag.notice-title"))
	cmd.Flags().StringVar(&written, "written", "", c.t("cli.flag.notice-written"))
	return cmd
}

// mostGiven bounds what is read of a file or the input.
const mostGiven = 8 << 20

// given is the file that is named, or the input.
func (c *cli) given(args []string) ([]byte, error) {
	from := c.in
	if len(args) > 0 && args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return nil, unread(args[0], err)
		}
		defer file.Close()
		from = file
	}
	src, err := io.ReadAll(io.LimitReader(from, mostGiven+1))
	if err == nil && len(src) > mostGiven {
		return nil, invalid("notice.invalid.long", "max", mostGiven>>10)
	}
	return src, err
}

func (c *cli) noticeSourcesCommand() *cobra.Command {
	var service string
	cmd := c.command("sources", "notice.sources", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[notices.SourceState](cmd.Context(), node, "/notice-sources", url.Values{"service": {service}}, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("service", "source", "kind", "state", "last-read", "why"), none: c.t("cli.notice.sources.none")}
			for i := range all {
				s := &all[i]
				t.add(s.Service, s.Source, s.Kind, c.term("notice.source.", s.State), stampOr(s.Read), c.sourceWhy(s))
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.notice-service"))
	return cmd
}
