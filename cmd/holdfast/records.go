package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// listFlags select records.
type listFlags struct {
	query  api.Query
	states []string
	all    bool
}

func (c *cli) listFlags(cmd *cobra.Command, states ...string) *listFlags {
	l := &listFlags{}
	f := cmd.Flags()
	f.StringVar(&l.query.Route, "route", "", c.t("cli.flag.route"))
	f.StringSliceVar(&l.states, "state", states, c.t("cli.flag.state"))
	f.StringVar(&l.query.Key, "key", "", c.t("cli.flag.key"))
	f.IntVar(&l.query.Limit, "limit", 50, c.t("cli.flag.limit"))
	f.BoolVar(&l.all, "all", false, c.t("cli.flag.all"))
	return l
}

func (c *cli) backlogCommand() *cobra.Command {
	cmd := c.command("backlog", "backlog", exactly(0), nil)
	l := c.listFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.list(cmd, l) }
	return cmd
}

// list prints one page, or with --all every page; the view is asked page by
// page, so that memory stays small.
func (c *cli) list(cmd *cobra.Command, l *listFlags) error {
	for _, name := range l.states {
		state, ok := api.ParseState(name)
		if !ok {
			return invalid("api.invalid.state", "name", name, "known", api.StateNames())
		}
		l.query.States = append(l.query.States, state)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if l.all {
		l.query.Limit = 1000
	}
	for {
		page, err := client.List(cmd.Context(), l.query)
		if err != nil {
			return err
		}
		if len(page.Items) == 0 && l.query.Route != "" { // records outlive their route, so only now
			if _, err := c.route(cmd.Context(), client, l.query.Route); err != nil {
				return err
			}
		}
		if err := c.show(page, func() { c.recordTable(page.Items) }); err != nil {
			return err
		}
		if page.View.Lag > 2 {
			c.warn("api.warning.view-lag", "seconds", fmt.Sprintf("%.0f", page.View.Lag))
		}
		if page.Next == "" {
			return nil
		}
		if !l.all {
			fmt.Fprintln(c.err, c.t("cli.list.more"))
			return nil
		}
		l.query.Cursor = page.Next
	}
}

func (c *cli) recordTable(records []api.Record) {
	if len(records) == 0 && terminal(c.out) {
		c.say("cli.list.none")
		return
	}
	t := table{head: c.heads("receipt", "route", "state", "reason", "age", "attempts", "http", "method", "entry-bytes", "accepted-at", "note"), right: []int{4, 5, 6, 8}}
	for _, r := range records {
		t.add(c.abbreviate(r.Receipt), r.Route, c.state(r.State), c.reason(r.Reason), c.span(r.Age), fmt.Sprint(r.Attempts), status(r.Status), r.Method,
			c.bytes(r.Size), clock(r.AcceptedAt), c.note(r))
	}
	c.table(t)
}

// status is that of an answer, if there was one.
func status(code int) string {
	if code == 0 {
		return "-"
	}
	return fmt.Sprint(code)
}

// note says what waits for a second person, and who was told.
func (c *cli) note(r api.Record) string {
	switch {
	case r.Proposed != nil:
		return c.t("cli.note.proposed", "verb", c.word("cli.verb.", string(r.Proposed.Verb)), "person", r.Proposed.Person)
	case r.Told:
		return c.t("cli.note.told")
	}
	return ""
}

// state and reason are names for people; pipes get the stable ones.
func (c *cli) state(name string) string  { return c.word("cli.state.", name) }
func (c *cli) reason(name string) string { return c.word("cli.reason.", name) }

func (c *cli) word(prefix, name string) string {
	if name != "" && terminal(c.out) {
		return c.t(prefix + name)
	}
	return name
}

// term is a name in the reader's language, in a pipe too: programs that ask a
// control node read --json.
func (c *cli) term(prefix, name string) string {
	if name == "" {
		return ""
	}
	return c.t(prefix + name)
}

func (c *cli) receiptCommand() *cobra.Command {
	var body bool
	cmd := c.command("receipt RECEIPT", "receipt", exactly(1), nil)
	cmd.Flags().BoolVar(&body, "body", false, c.t("cli.flag.show-body"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		if body {
			if c.person == "" {
				return invalid("cli.invalid.person")
			}
			bytes, _, err := client.Body(cmd.Context(), args[0], false)
			if err != nil {
				return err
			}
			_, err = c.out.Write(bytes)
			return err
		}
		record, err := client.Record(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return c.show(record, func() { c.showRecord(record) })
	}
	return cmd
}

func (c *cli) showRecord(r api.Record) {
	t := table{head: []string{c.head("receipt"), r.Receipt}}
	if !terminal(c.out) {
		t.add(c.head("receipt"), r.Receipt)
	}
	line := func(id, value string) {
		if value != "" {
			t.add(c.head(id), value)
		}
	}
	line("route", r.Route)
	line("state", c.state(r.State))
	line("reason", c.reason(r.Reason))
	line("key", r.Key)
	line("request", strings.TrimSpace(r.Method+" "+r.Target))
	if r.Gone != "" {
		line("body-bytes", c.t("cli.content."+r.Gone))
	} else {
		line("body-bytes", c.bytes(r.BodySize))
	}
	line("entry-bytes", c.bytes(r.Size))
	line("accepted-at", clock(r.AcceptedAt))
	line("attempts", fmt.Sprint(r.Attempts))
	line("version", fmt.Sprint(r.Version))
	line("replaces", r.Replaces)
	line("again", r.Again)
	line("amount", r.Amount)
	line("note", c.note(r))
	if r.NextAttempt > 0 {
		line("next-attempt", c.span(r.NextAttempt))
	}
	if r.Response != nil {
		line("answer", fmt.Sprintf("%d  %s", r.Response.Status, r.Response.Body))
	}
	if len(r.LaterOfKey) > 0 {
		line("later", strings.Join(r.LaterOfKey, " "))
	}
	c.table(t)
	if len(r.History) == 0 {
		return
	}
	fmt.Fprintln(c.out)
	h := table{head: c.heads("at", "event", "state", "reason", "http", "person", "why"), right: []int{4}}
	for _, e := range r.History {
		what := c.word("cli.event.", e.Kind)
		if e.Attempt > 0 && e.Kind == continuity.KindAttempt.String() {
			what += " " + fmt.Sprint(e.Attempt)
		}
		if e.Verb != "" {
			what = c.word("cli.verb.", e.Verb)
		}
		status := ""
		if e.Status > 0 {
			status = fmt.Sprint(e.Status)
		}
		h.add(clock(e.At), what, c.state(e.State), c.reason(e.Reason), status, e.Person, e.Why)
	}
	c.table(h)
}
