package main

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/incident"
	"holdfast/internal/runbook"
)

func (c *cli) incidentTimelineCommand() *cobra.Command {
	return c.command("timeline <incident>", "incident.timeline", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[incident.TimelineEntry](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0])+"/timeline", nil, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("time", "what", "actor", "about", "state", "text")}
			for i := range all {
				e := &all[i]
				at := clock(e.At)
				if !e.Shown.IsZero() {
					at += " [" + clock(e.Shown) + "]"
				}
				state := c.stateOf(e.Kind, e.State)
				if e.Step != "" {
					state = c.term("runbook.state.", e.State)
				}
				by := c.actor(e.Actor)
				if e.Actor.Kind != continuity.ActorEngine {
					by = c.named(e, e.Actor.ID)
				}
				t.add(at, catalogue.Happened(c.lang, e.Action), by, e.ID, state, c.timelineText(e))
			}
			c.table(t)
		})
	})
}

// named is how people call somebody whom an entry names.
func (c *cli) named(e *incident.TimelineEntry, id string) string {
	if name := c.said(e.Names[id]); name != "" {
		return name
	}
	return clean(id)
}

// timelineText is what an entry says: its words, what became of roles, whom it concerns,
// and why.
func (c *cli) timelineText(e *incident.TimelineEntry) string {
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	add(c.said(e.Text))
	add(e.Step)
	for _, r := range e.Roles {
		role := c.said(r.Name)
		if role == "" {
			role = r.Role
		}
		add(c.t("cli.incident.timeline.role", "role", role, "person", c.named(e, r.Person), "state", c.term("incident.role.", r.State)))
	}
	var concerns []string
	for _, id := range e.People {
		concerns = append(concerns, c.named(e, id))
	}
	for _, to := range e.Told {
		_, id, _ := strings.Cut(to, "/")
		concerns = append(concerns, id)
	}
	if len(concerns) > 0 {
		add("-> " + strings.Join(concerns, ", "))
	}
	between := "; "
	if c.lang == catalogue.Zh {
		between = "；"
	}
	text := strings.Join(parts, between)
	for _, why := range []string{c.timelineReason(e), clean(runbook.Why(c.lang, e.Why))} {
		if why != "" {
			text = c.t("cli.incident.timeline.because", "text", text, "why", why)
		}
	}
	return text
}

// timelineReason is why something was done.
func (c *cli) timelineReason(e *incident.TimelineEntry) string {
	switch {
	case e.Actor.Kind != continuity.ActorEngine:
		return clean(e.Reason)
	case e.Reason != "" && len(e.Roles) > 0: // what is left is what else happened
		return strings.TrimLeft(clean(catalogue.Because(c.lang, e.Kind, "; "+e.Reason)), ";； ")
	}
	return clean(catalogue.Because(c.lang, e.Kind, e.Reason))
}
