package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

func (c *cli) statusCommand() *cobra.Command {
	return c.command("status", "status", atMost(1), func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		status, err := client.Status(cmd.Context())
		if err != nil {
			return err
		}
		if len(args) == 1 {
			return c.routeStatus(status, args[0])
		}
		return c.show(status, func() { c.showStatus(status) })
	})
}

func (c *cli) showStatus(s api.Status) {
	if terminal(c.out) {
		c.say("cli.status.head", "version", s.Version, "state", s.State, "uptime", span(s.Uptime), "pid", s.PID,
			"listen", strings.Join(s.Listen, " "))
	}
	for _, w := range s.Warnings {
		pairs := make([]any, 0, 2*len(w.Args))
		for name, value := range w.Args {
			pairs = append(pairs, name, value)
		}
		c.warn("api.warning."+w.ID, pairs...)
	}
	t := table{head: c.heads("route", "mode", "pending", "oldest", "in-doubt", "parked", "dead", "refused", "delivered", "health", "upstream", "ends"),
		right: []int{2, 3, 4, 5, 6, 7, 8, 11}}
	for _, r := range s.Routes {
		n := r.Counters
		health := "-"
		if r.Health != api.HealthUnchecked {
			health = c.word("cli.health.", r.Health)
		}
		t.add(r.ID, c.mode(r.Mode), c.count(n, n.Pending), c.oldest(n), c.count(n, n.InDoubt), c.count(n, n.Parked), c.count(n, n.Dead),
			c.count(n, n.Refused), c.count(n, n.DeliveredAtOnce+n.DeliveredAfterDoubt), health, r.Upstream, c.ends(r))
	}
	c.table(t)
}

// head names a value for people; pipes get the stable name.
func (c *cli) head(id string) string {
	if !terminal(c.out) {
		return catalogue.Text(catalogue.En, "cli.head."+id, nil)
	}
	return c.t("cli.head." + id)
}

func (c *cli) heads(ids ...string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = c.head(id)
	}
	return out
}

// mode names a mode for people; pipes get the stable name.
func (c *cli) mode(m continuity.Mode) string {
	if terminal(c.out) {
		return c.t("cli.mode." + string(m))
	}
	return string(m)
}

// count is a number out of a route's ledger, if that can be read.
func (c *cli) count(n api.Counters, value int64) string {
	if n.Unknown {
		return "?"
	}
	return c.number(value)
}

func (c *cli) oldest(n api.Counters) string {
	switch {
	case n.Unknown:
		return "?"
	case n.Pending == 0:
		return "-"
	default:
		return c.span(n.Oldest)
	}
}

// pause says why replay sends nothing. A bare "off" would read as if the pause
// were, so even pipes get words for it.
func (c *cli) pause(r api.Route) string {
	if r.Drain.Paused != "off" {
		return c.word("cli.pause.", r.Drain.Paused)
	}
	byHealth := false
	for _, s := range r.Switches {
		if s.Replay == continuity.ReplayOff.String() {
			if byHealth = s.Owner == continuity.OwnerHealth || strings.HasPrefix(s.Owner, continuity.OwnerCheck); !byHealth {
				break
			}
		}
	}
	if byHealth {
		return c.t("cli.pause.health")
	}
	return c.t("cli.pause.off")
}

// ends is when a drain is expected to be over.
func (c *cli) ends(r api.Route) string {
	switch {
	case r.Counters.Unknown:
		return "?"
	case r.Counters.Pending == 0, r.Replay == continuity.ReplayOff.String():
		return "-"
	case !r.Drain.Forecast:
		return "?"
	default:
		return c.span(r.Drain.Ends)
	}
}

func find(routes []api.Route, id string) (api.Route, error) {
	known := make([]string, len(routes))
	for i, r := range routes {
		if r.ID == id {
			return r, nil
		}
		known[i] = r.ID
	}
	return api.Route{}, continuity.E(continuity.CodeNoRoute, nil, "name", id, "known", strings.Join(known, ", "))
}

// routeStatus shows one route with its ledger, its settings and its drain.
func (c *cli) routeStatus(s api.Status, id string) error {
	r, err := find(s.Routes, id)
	if err != nil {
		return err
	}
	return c.show(r, func() {
		n := r.Counters
		line := func(id, value string) { fmt.Fprintf(c.out, "%s\t%s\n", c.head(id), clean(value)) }
		if terminal(c.out) {
			t := table{head: []string{c.head("route"), r.ID}}
			line = func(id, value string) { t.add(c.head(id), value) }
			defer func() { c.table(t); c.switchTable(r.Switches) }()
		} else {
			line("route", r.ID)
			defer func() { c.switchTable(r.Switches) }()
		}
		line("mode", c.mode(r.Mode))
		line("hold", c.holds(r))
		line("upstream", r.Upstream)
		line("health", c.word("cli.health.", r.Health))
		if r.Standby != nil {
			line("standby", r.Standby.Upstream)
			line("standby-health", c.word("cli.health.", r.Standby.Health))
		}
		line("accepted", c.count(n, n.Accepted))
		line("delivered", c.count(n, n.DeliveredAtOnce+n.DeliveredAfterDoubt))
		line("after-doubt", c.count(n, n.DeliveredAfterDoubt))
		line("refused", c.count(n, n.Refused))
		line("dead", c.count(n, n.Dead))
		line("discarded", c.count(n, n.Discarded))
		line("pending", c.count(n, n.Pending))
		line("queued", c.count(n, n.Queued))
		line("attempting", c.count(n, n.Attempting))
		line("in-doubt", c.count(n, n.InDoubt))
		line("parked", c.count(n, n.Parked))
		size := c.bytes(n.PendingBytes)
		if n.Unknown {
			size = "?"
		}
		line("pending-bytes", size)
		line("oldest", c.oldest(n))
		balanced := "yes"
		if !n.Balanced {
			balanced = "no"
		}
		if balanced = c.word("cli.word.", balanced); n.Unknown {
			balanced = "?"
		}
		line("balanced", balanced)
		if !n.Unknown {
			line("rate", fmt.Sprintf("%.1f/s", r.Drain.Rate))
			line("capacity", fmt.Sprintf("%.1f/s", r.Drain.Capacity))
		}
		line("ends", c.ends(r))
		if r.Drain.Paused != "" {
			line("paused", c.pause(r))
		}
	})
}

// holds says whether a route holds, and which share of its keys where that is
// not all.
func (c *cli) holds(r api.Route) string {
	word := c.word("cli.hold.", r.Hold)
	if r.Share > 0 {
		word += fmt.Sprintf(" %g%%", r.Share*100)
	}
	return word
}

func (c *cli) switchTable(switches []api.Switch) {
	if len(switches) == 0 {
		return
	}
	t := table{head: c.heads("route", "owner", "intake", "replay", "force", "until", "why")}
	for _, s := range switches {
		force := ""
		if s.Force {
			force = c.word("cli.word.", "forced")
		}
		why := s.Reason
		if s.Owner == continuity.OwnerHealth || strings.HasPrefix(s.Owner, continuity.OwnerCheck) { // a reason of its own, not a person's words
			why = c.word("health.reason.", why)
		}
		if s.Block != nil {
			why = blocked(s.Block) + ": " + why
		}
		t.add(s.Route, s.Owner, c.word("cli.intake.", s.Intake), c.word("cli.replay.", s.Replay), force, clock(s.Until), why)
	}
	c.table(t)
}
