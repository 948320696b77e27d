package main

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/incident"
)

func (c *cli) incidentCommand() *cobra.Command {
	cmd := c.onNode(c.group("incident", "incident"))
	cmd.AddCommand(
		c.incidentDeclareCommand(), c.incidentListCommand(), c.incidentShowCommand(), c.incidentTimelineCommand(), c.incidentFiguresCommand(),
		c.incidentGradeCommand(), c.incidentStateCommand(), c.incidentResolveCommand(), c.incidentPhaseCommand(), c.incidentExpectCommand(),
		c.incidentTakeCommand(), c.incidentHandOverCommand(), c.incidentTaskCommand(), c.incidentDecideCommand(), c.incidentSituationCommand(),
		c.incidentUseCommand(), c.incidentNoteCommand(), c.incidentMergeCommand(), c.incidentSplitCommand(), c.incidentReopenCommand(),
		c.incidentCloseCommand(), c.incidentReviewCommand(), c.incidentPersonalCommand(),
		c.incidentUpdateCommand(), c.incidentUpdatesCommand(), c.incidentApproveCommand(), c.incidentRejectCommand(), c.incidentLossCommand(),
		c.incidentEvidenceCommand(), c.incidentVerifyCommand(),
	)
	return cmd
}

// oneText is a title for both languages.
func oneText(text string) continuity.Text { return continuity.Text{En: text, Zh: text} }

func (c *cli) incidentDeclareCommand() *cobra.Command {
	var b controlapi.IncidentBegin
	var title, started string
	cmd := c.command("declare <service> --why REASON", "incident.declare", exactly(1), func(cmd *cobra.Command, args []string) (err error) {
		b.Service, b.Title = args[0], oneText(title)
		if strings.TrimSpace(b.Why) == "" {
			return invalid("incident.invalid.why")
		}
		if started != "" {
			if b.Started, err = momentOrAgo(started, time.Now()); err != nil {
				return invalid("cli.invalid.moment", "value", started)
			}
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		i, err := controlapi.Post[continuity.Incident](cmd.Context(), node, "/incidents", b)
		if err != nil {
			return err
		}
		mute := c.warnMute(cmd.Context(), node)
		return c.show(i, func() {
			c.say("cli.incident.declare.done", "id", i.ID, "grade", i.Grade, "title", c.said(i.Title), "mute", mute)
		})
	})
	f := cmd.Flags()
	f.StringVar(&b.Scenario, "scenario", "", c.t("cli.flag.incident-scenario"))
	f.StringVar(&title, "title", "", c.t("cli.flag.incident-title"))
	f.StringVar(&b.Grade, "grade", "", c.t("cli.flag.incident-grade"))
	f.StringSliceVar(&b.Hits, "hits", nil, c.t("cli.flag.incident-hits"))
	f.StringVar(&started, "started", "", c.t("cli.flag.incident-started"))
	f.StringVar(&b.Exercise, "exercise", "", c.t("cli.flag.incident-exercise"))
	f.StringVar(&b.Why, "why", "", c.t("cli.flag.incident-why"))
	return cmd
}

func (c *cli) incidentListCommand() *cobra.Command {
	var service string
	var all bool
	cmd := c.command("list", "incident.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}}
		if all {
			query.Set("all", "true")
		}
		found, err := controlapi.List[continuity.Incident](cmd.Context(), node, "/incidents", query, 0)
		if err = meantService(cmd.Context(), node, service, len(found), err); err != nil {
			return err
		}
		return c.show(found, func() { c.incidentTable(found) })
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.notify-service"))
	cmd.Flags().BoolVar(&all, "all", false, c.t("cli.flag.incident-all"))
	return cmd
}

func (c *cli) incidentTable(all []continuity.Incident) {
	t := table{head: c.heads("incident", "grade", "state", "phase", "name", "since", "commander", "runs-for"), none: c.t("cli.incident.list.none")}
	for n := range all {
		i := &all[n]
		until := time.Now()
		switch {
		case !i.Restored.IsZero():
			until = i.Restored
		case !i.Stands() && !i.Closed.IsZero():
			until = i.Closed
		}
		t.add(i.ID, i.Grade, c.term("incident.word.", i.State), c.term("incident.phase.", i.Phase), c.inExercise(i.Exercise, c.said(i.Title)), clock(i.Started), i.Commander,
			c.lasts(until.Sub(i.Started)))
	}
	c.table(t)
}

func (c *cli) incidentShowCommand() *cobra.Command {
	return c.command("show <incident>", "incident.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		d, _, err := controlapi.Get[controlapi.IncidentDetail](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(d, func() { c.showIncident(&d) })
	})
}

func (c *cli) showIncident(d *controlapi.IncidentDetail) {
	c.incidentTable([]continuity.Incident{d.Incident})
	line := func(id, value string) {
		if value != "" {
			fmt.Fprintln(c.out, c.t("cli.incident.line."+id, "value", clean(value)))
		}
	}
	lasts := func(d time.Duration) string {
		if d <= 0 {
			return ""
		}
		return c.lasts(d)
	}
	line("origin", c.origin(d.Origin))
	line("scenario", d.Scenario)
	line("hits", strings.Join(d.Hits, ", "))
	line("scope", c.term("incident.scope.", d.Scope))
	line("rto", lasts(d.RTO))
	line("mtd", lasts(d.MTD))
	line("fell", clock(d.Fell))
	line("restored", clock(d.Restored))
	if d.Unrestored() {
		line("unrestored", d.Despite)
	}
	line("expected", clock(d.Expected))
	line("next", clock(d.Next))
	line("run", d.Run)
	line("into", d.Into)
	line("from", strings.Join(slices.DeleteFunc(slices.Clone(d.From), func(id string) bool { // where it was split from it comes of
		return d.Origin == continuity.Origin{Kind: continuity.KindIncident, ID: id}
	}), ", "))
	line("causes", c.causes(d.Causes))
	if d.Reviewed.IsZero() {
		line("review", clock(d.Review))
	} else {
		line("reviewed", clock(d.Reviewed))
	}
	if d.Exercise != "" {
		line("exercise", strings.TrimSpace(d.Exercise+" "+clock(d.Shown)))
	}
	if d.Personal != nil {
		for _, audience := range slices.Sorted(maps.Keys(d.Personal.Due)) {
			line("legal", audience+" "+clock(d.Personal.Due[audience]))
		}
	}
	if len(d.Roles) > 0 {
		fmt.Fprintln(c.out)
		t := table{head: c.heads("role", "person", "state", "since", "asked")}
		for _, role := range slices.Sorted(maps.Keys(d.Roles)) {
			h := d.Roles[role]
			name := role
			if said := c.said(d.RoleNames[role]); said != "" && said != role {
				name = c.t("cli.incident.role", "id", role, "name", said)
			}
			t.add(name, h.Person, c.term("incident.role.", h.State), clock(h.Since), strings.Join(h.Asked, ", "))
		}
		c.table(t)
	}
	if len(d.Tasks) > 0 {
		fmt.Fprintln(c.out)
		t := table{head: c.heads("task", "assignee", "state", "until", "what")}
		for _, one := range d.Tasks {
			t.add(one.ID, one.Owner, c.term("incident.task.", one.State), clock(one.Due), one.Text)
		}
		c.table(t)
	}
	c.waiting(d.Waiting)
	if n := len(d.Situations); n > 0 {
		s := d.Situations[n-1]
		fmt.Fprintln(c.out)
		c.say("cli.incident.situation.last", "by", clean(s.By.ID), "at", clock(s.At))
		for _, part := range []struct{ id, text string }{{"conditions", s.Conditions}, {"actions", s.Actions}, {"needs", s.Needs}} {
			line(part.id, part.text)
		}
	}
}

func (c *cli) incidentFiguresCommand() *cobra.Command {
	return c.command("figures <incident>", "incident.figures", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		f, _, err := controlapi.Get[incident.Figures](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0])+"/figures", nil)
		if err != nil {
			return err
		}
		return c.show(f, func() {
			seconds := func(s *float64) string {
				if s == nil {
					return "-"
				}
				return c.lasts(time.Duration(*s * float64(time.Second)))
			}
			t := table{head: c.heads("what", "value")}
			for _, one := range []struct {
				id    string
				value *float64
			}{{"declared", f.Declared}, {"commanded", f.Commanded}, {"first", f.First}, {"scoped", f.Scoped}, {"restored", f.Restored}, {"resolved", f.Resolved}, {"down", &f.Down}} {
				t.add(c.t("cli.incident.figure."+one.id), seconds(one.value))
			}
			promised := func(s float64) *float64 { // 0: nothing is promised, or at stake
				if s == 0 {
					return nil
				}
				return &s
			}
			t.add(c.t("cli.incident.figure.rto"), seconds(promised(f.RTO)))
			t.add(c.t("cli.incident.figure.mtd"), seconds(promised(f.MTD)))
			t.add(c.t("cli.incident.figure.tasks"), fmt.Sprintf("%d / %d", f.TasksOpen, f.Tasks))
			c.table(t)
		})
	})
}
