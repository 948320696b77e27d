package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

func (c *cli) drainCommand() *cobra.Command {
	cmd := c.command("drain ROUTE [--on|--trial|--off|--auto|--resume]", "drain", exactly(1), nil)
	f := cmd.Flags()
	settings := map[string]*bool{}
	for _, name := range []string{"on", "trial", "off", "auto", "resume"} {
		settings[name] = f.Bool(name, false, c.t("cli.flag.drain-"+name))
	}
	var (
		why   = f.String("why", "", c.t("cli.flag.why"))
		hold  = f.Duration("for", 0, c.t("cli.flag.for"))
		force = f.Bool("force", false, c.t("cli.flag.force"))
		watch = f.Bool("watch", false, c.t("cli.flag.watch"))
	)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given := 0
		for _, is := range settings {
			if *is {
				given++
			}
		}
		if given > 1 {
			return invalid("cli.invalid.drain-one")
		}
		client, err := c.client()
		if err != nil {
			return err
		}
		for name, given := range settings {
			if !*given {
				continue
			}
			if _, err := c.route(cmd.Context(), client, args[0]); err != nil {
				return err
			}
			if err := c.needWhy(*why); err != nil {
				return err
			}
			req := api.SwitchRequest{Route: args[0], Replay: name, For: hold.Seconds(), Force: *force, Person: c.person, Why: *why}
			if name == "resume" { // replay itself stopped, because credentials were refused
				req.Replay, req.Owner = "auto", "replay"
			}
			if _, err := client.Switch(cmd.Context(), req); err != nil {
				return err
			}
		}
		return c.watchDrain(cmd, client, args[0], *watch)
	}
	return cmd
}

// watchDrain prints how the drain goes, once or each second until nothing is
// pending: over itself on a terminal, line by line elsewhere.
func (c *cli) watchDrain(cmd *cobra.Command, client *api.Client, route string, watch bool) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var first int64
	for {
		routes, err := client.Drain(cmd.Context(), route)
		if err != nil {
			return err
		}
		r, err := find(routes, route)
		if err != nil {
			return err
		}
		first = max(first, r.Counters.Pending)
		over := watch && terminal(c.out) && !c.json
		if over {
			fmt.Fprint(c.out, "\r\033[K")
		}
		if err := c.show(r, func() { fmt.Fprint(c.out, c.drainLine(r, first)) }); err != nil {
			return err
		}
		done := !watch || r.Counters.Pending == 0
		if !c.json && (!over || done) {
			fmt.Fprintln(c.out)
		}
		if done {
			if r.Drain.ExpireFirst {
				c.warn("api.warning.expire-first", "route", r.ID)
			}
			return nil
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *cli) drainLine(r api.Route, first int64) string {
	if !terminal(c.out) {
		return strings.Join([]string{r.ID, string(r.Mode), r.Replay, c.count(r.Counters, r.Counters.Pending),
			fmt.Sprintf("%.1f", r.Drain.Rate), fmt.Sprintf("%.1f", r.Drain.Live), c.ends(r), r.Drain.Paused}, "\t")
	}
	const width = 20
	filled := width
	if first > 0 {
		filled = int(width * (first - r.Counters.Pending) / first)
	}
	bar := strings.Repeat("█", filled) + strings.Repeat("░", width-filled)
	line := c.t("cli.drain.line", "route", r.ID, "mode", c.mode(r.Mode), "replay", c.word("cli.replay.", r.Replay), "bar", bar, "pending", c.count(r.Counters, r.Counters.Pending),
		"rate", fmt.Sprintf("%.0f", r.Drain.Rate), "live", fmt.Sprintf("%.0f", r.Drain.Live), "forecast", c.forecast(r))
	if r.Drain.Paused != "" {
		line += "  " + c.t("cli.drain.paused", "why", c.pause(r))
	}
	return strings.TrimRight(line, " ")
}

// forecast says when the drain ends, or how long it would take.
func (c *cli) forecast(r api.Route) string {
	switch {
	case r.Counters.Pending == 0:
		return ""
	case !r.Drain.Forecast:
		return c.t("cli.drain.endless")
	case r.Replay == continuity.ReplayOff.String():
		return c.t("cli.drain.would", "span", c.span(r.Drain.Ends))
	default:
		return c.t("cli.drain.ends", "span", c.span(r.Drain.Ends))
	}
}
