package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

// replayCommand brings back what an upstream has lost that was restored from a
// backup: one person plans, another approves.
func (c *cli) replayCommand() *cobra.Command {
	var q api.RestoreRequest
	var since, until string
	cmd := c.command("replay --route ROUTE --since TIME", "replay", exactly(0), nil)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var err error
		if q.Since, err = moment(since); err != nil {
			return err
		}
		if until != "" {
			if q.Until, err = moment(until); err != nil {
				return err
			}
		}
		if q.Route == "" {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		if err := c.needWhy(q.Why); err != nil {
			return err
		}
		client, err := c.client()
		if err != nil {
			return err
		}
		q.Person = c.person
		r, err := client.Restore(cmd.Context(), q)
		if err != nil {
			return err
		}
		return c.show(r, func() { c.restoration(r, since) })
	}
	f := cmd.Flags()
	f.StringVar(&q.Route, "route", "", c.t("cli.flag.route"))
	f.StringVar(&since, "since", "", c.t("cli.replay.flag.since"))
	f.StringVar(&until, "until", "", c.t("cli.replay.flag.until"))
	f.BoolVar(&q.DryRun, "dry-run", false, c.t("cli.replay.flag.dry-run"))
	f.StringVar(&q.Approve, "approve", "", c.t("cli.replay.flag.approve"))
	f.StringVar(&q.Why, "why", "", c.t("cli.flag.why"))
	return cmd
}

func (c *cli) restoration(r api.Restoration, since string) {
	c.say("cli.replay.found", "looked", r.Looked, "there", r.There, "missing", r.Missing, "pending", r.Pending)
	for _, line := range []struct {
		id   string
		n    int
		keys []string
	}{
		{"cli.replay.missing", r.Missing, r.Keys},
		{"cli.replay.again", r.Again, nil},
		{"cli.replay.undecided", r.Undecided, r.Doubtful},
		{"cli.replay.gone", r.Gone, nil},
	} {
		if line.n > 0 {
			c.say(line.id, "count", line.n, "keys", strings.Join(line.keys, " "))
		}
	}
	switch {
	case r.Appended > 0:
		c.say("cli.replay.appended", "count", r.Appended, "route", r.Route)
	case r.Plan != "":
		c.say("cli.replay.plan", "plan", r.Plan, "route", r.Route, "since", since)
	}
	if r.Open {
		c.warn("cli.replay.open", "route", r.Route)
	}
}

// moment reads a time as people write it, on this machine's clock, or with its
// zone.
func moment(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, invalid("cli.invalid.moment", "value", text)
}
