package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/controlapi"
)

// eventFlags select events.
type eventFlags struct {
	service, kind, id, actor, action, since, until string
	most                                           int
	oldest                                         bool
	after                                          int64
}

func (c *cli) eventCommand() *cobra.Command {
	cmd := c.onNode(c.group("event", "event"))
	cmd.AddCommand(c.eventListCommand(), c.eventShowCommand(), c.eventVerifyCommand(), c.eventFollowCommand())
	return cmd
}

func (c *cli) eventListCommand() *cobra.Command {
	a := &eventFlags{}
	cmd := c.command("list", "event.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		query, err := a.query(time.Now())
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		events, err := controlapi.List[controlapi.Event](cmd.Context(), node, "/events", query, a.most)
		if err = meantService(cmd.Context(), node, a.service, len(events), err); err != nil {
			return err
		}
		return c.show(events, func() {
			t := table{head: c.heads("number", "time", "actor", "action", "object", "service", "why"), right: []int{0}, none: c.t("cli.event.list.none")}
			for _, e := range events {
				t.add(c.eventRow(e.EventHead)...)
			}
			c.table(t)
		})
	})
	f := cmd.Flags()
	a.filters(c, cmd)
	f.StringVar(&a.id, "id", "", c.t("cli.flag.event-id"))
	f.StringVar(&a.actor, "actor", "", c.t("cli.flag.event-actor"))
	f.StringVar(&a.action, "action", "", c.t("cli.flag.event-action"))
	f.StringVar(&a.since, "since", "", c.t("cli.flag.event-since"))
	f.StringVar(&a.until, "until", "", c.t("cli.flag.event-until"))
	f.BoolVar(&a.oldest, "oldest", false, c.t("cli.flag.event-oldest"))
	f.IntVarP(&a.most, "limit", "n", 100, c.t("cli.flag.event-limit"))
	return cmd
}

func (a *eventFlags) filters(c *cli, cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.service, "service", "", c.t("cli.flag.event-service"))
	cmd.Flags().StringVar(&a.kind, "kind", "", c.t("cli.flag.event-kind"))
}

func (a *eventFlags) query(now time.Time) (url.Values, error) {
	q := url.Values{"service": {a.service}, "kind": {a.kind}, "id": {a.id}, "actor": {a.actor}, "action": {a.action}}
	for name, text := range map[string]string{"after": a.since, "before": a.until} {
		if text == "" {
			continue
		}
		at, err := momentOrAgo(text, now)
		if err != nil {
			return nil, invalid("cli.invalid.when", "value", text)
		}
		q.Set(name, at.UTC().Format(time.RFC3339))
	}
	if a.oldest {
		q.Set("order", "oldest")
	}
	return q, nil
}

// momentOrAgo reads a time, a day, or how long ago.
func momentOrAgo(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errors.New("no time")
}

// eventRow has names as --action and --actor take them; those are English, so that
// another language adds its words.
func (c *cli) eventRow(e controlapi.EventHead) []string {
	actor, action := e.Actor.Kind+":"+e.Actor.ID, e.Action
	if c.lang != catalogue.En {
		actor = c.actor(e.Actor)
		if words := catalogue.Happened(c.lang, action); words != action {
			action = c.t("cli.incident.timeline.because", "text", words, "why", action)
		}
	}
	return []string{fmt.Sprint(e.Seq), clock(e.At), actor, action, e.Kind + "/" + e.ID, e.Service, e.Why}
}

func (c *cli) eventShowCommand() *cobra.Command {
	return c.command("show <number>", "event.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		seq, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil || seq < 1 {
			return invalid("cli.invalid.event", "value", args[0])
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		e, _, err := controlapi.Get[controlapi.Event](cmd.Context(), node, fmt.Sprintf("/events/%d", seq), nil)
		if err != nil {
			return err
		}
		return c.show(e, func() {
			t := table{head: c.heads("number", "time", "actor", "action", "object", "service", "why"), right: []int{0}}
			t.add(c.eventRow(e.EventHead)...)
			c.table(t)
			for _, side := range []struct {
				id   string
				body json.RawMessage
			}{{"before", e.Before}, {"after", e.After}} {
				if side.body != nil {
					fmt.Fprintf(c.out, "%s\t%s\n", c.head(side.id), clean(string(side.body)))
				}
			}
			switch {
			case e.Erased:
				c.say("cli.event.erased")
			case e.Withheld:
				c.say("cli.event.withheld")
			}
		})
	})
}

func (c *cli) eventVerifyCommand() *cobra.Command {
	return c.command("verify", "event.verify", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 11*time.Minute)
		defer cancel()
		v, _, err := controlapi.Get[controlapi.Verification](ctx, node, "/events/verification", nil)
		if err != nil {
			return err
		}
		err = c.show(v, func() {
			if v.FirstBad != 0 {
				c.say("cli.event.verify.bad", "n", v.Events, "bad", v.FirstBad)
				return
			}
			c.say("cli.event.verify.ok", "n", v.Events, "seq", v.Seq, "hash", v.Hash)
		})
		if err == nil && v.FirstBad != 0 {
			err = findings{}
		}
		return err
	})
}

func (c *cli) eventFollowCommand() *cobra.Command {
	a := &eventFlags{}
	cmd := c.command("follow", "event.follow", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		enc := json.NewEncoder(c.out)
		enc.SetEscapeHTML(false)
		seen := 0
		var enough = errors.New("enough")
		err = node.Follow(ctx, a.after, url.Values{"service": {a.service}, "kind": {a.kind}}, func(e controlapi.EventHead) error {
			if c.json {
				if err := enc.Encode(e); err != nil {
					return err
				}
			} else {
				c.table(table{head: make([]string, 7), rows: [][]string{c.eventRow(e)}})
			}
			if seen++; a.most > 0 && seen >= a.most {
				return enough
			}
			return nil
		})
		if errors.Is(err, enough) || ctx.Err() != nil {
			return nil
		}
		return err
	})
	a.filters(c, cmd)
	cmd.Flags().Int64Var(&a.after, "after", -1, c.t("cli.flag.event-after"))
	cmd.Flags().Lookup("after").DefValue = "0" // of which help says nothing: the text says where it begins
	cmd.Flags().IntVarP(&a.most, "limit", "n", 0, c.t("cli.flag.event-limit"))
	return cmd
}
