package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
)

type planDraft = planbook.PlanDraft

func planVersions(ctx context.Context, node *controlapi.Client, service string) ([]planDraft, error) {
	versions, err := controlapi.List[planDraft](ctx, node, planPath(service, "versions"), nil, 0)
	if err == nil && len(versions) == 0 {
		err = continuity.E(continuity.CodeNotFound, nil, "plan", service)
	}
	return versions, err
}

// day is a time's day for tables.
func day(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateOnly)
}

// local chooses the language of a text of a plan.
func (c *cli) local(t planbook.PlanText) string {
	if c.lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return clean(t.Zh)
	}
	return clean(t.En)
}

// who is a person by name and id, marked where nobody can count on them.
func (c *cli) who(p planbook.PlanPerson) string {
	name := p.ID
	if n := p.Names[string(c.lang)]; n != "" {
		name = clean(n) + " (" + p.ID + ")"
	}
	switch {
	case p.Left:
		name += " " + c.t("cli.plan.person.left")
	case p.Unknown:
		name += " " + c.t("cli.plan.person.unknown")
	}
	return name
}

func (c *cli) planListCommand() *cobra.Command {
	return c.command("list", "plan-list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		plans, err := controlapi.List[controlapi.PlanListed](cmd.Context(), node, "/plans", nil, 0)
		if err != nil {
			return err
		}
		return c.show(plans, func() {
			t := table{head: c.heads("service", "name", "owner", "version", "applied", "review-due", "drafts", "flags"), right: []int{3, 6, 7}, none: c.t("cli.plan.list.none")}
			for _, p := range plans {
				due := day(p.ReviewDue)
				if p.Overdue {
					due += " " + c.t("cli.plan.overdue")
				}
				flags := c.number(int64(p.Flags))
				if p.Faulty {
					flags += " " + c.t("cli.plan.faulty")
				}
				t.add(p.Service, c.local(p.Name), c.who(p.Owner), fmt.Sprint(p.Version), clock(p.Applied), due, c.number(int64(p.Drafts)), flags)
			}
			c.table(t)
			for _, p := range plans {
				if f := p.Fault; f != nil {
					c.say("cli.plan.unread", "service", p.Service, "file", f.File, "line", f.Line, "text", f.Text)
				}
			}
		})
	})
}

func (c *cli) planShowCommand() *cobra.Command {
	return c.command("show SERVICE", "plan-show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		p, _, err := controlapi.Get[controlapi.PlanShown](cmd.Context(), node, planPath(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(p, func() { c.planShown(p) })
	})
}

func (c *cli) planShown(p controlapi.PlanShown) {
	if p.Version == 0 {
		c.say("cli.plan-show.none", "service", p.Service)
	} else {
		c.say("cli.plan-show.head", "service", p.Service, "name", c.local(p.Name), "version", p.Version, "when", clock(p.Applied), "who", p.Author.ID, "why", clean(p.Reason))
		c.say("cli.plan-show.owner", "owner", c.who(p.Owner), "due", day(p.ReviewDue), "overdue", p.Overdue)
		c.say("cli.plan-show.counts", "scenarios", len(p.Scenarios), "runbooks", len(p.Runbooks), "checks", p.Checks, "warnings", p.PlanSummary.Warnings)
	}
	section := func(id string, t table) {
		if len(t.rows) > 0 {
			fmt.Fprintln(c.out)
			c.say("cli.plan-show." + id)
			c.table(t)
		}
	}
	processes := table{head: c.heads("process", "department", "mtd", "rto", "rpo", "loss", "meanwhile"), right: []int{2, 3, 4}}
	for _, row := range p.Processes {
		name := row.ID
		if n := c.local(row.Name); n != "" {
			name = n
		}
		processes.add(name, c.local(row.Department), asWritten(row.MTD), asWritten(row.RTO), asWritten(row.RPO), row.Loss, c.local(row.Meanwhile))
	}
	section("processes", processes)
	roles := table{head: c.heads("role", "people", "may")}
	for _, r := range p.Roles {
		var people []string
		for _, person := range r.People {
			people = append(people, c.who(person))
		}
		name := r.ID
		if n := c.local(r.Name); n != "" {
			name = n
		}
		var may []string
		for _, right := range r.May {
			may = append(may, c.term("cards.may-", right))
		}
		roles.add(name, strings.Join(people, ", "), strings.Join(may, c.t("cli.notice.comma")))
	}
	section("roles", roles)
	scenarios := table{head: c.heads("scenario", "name", "grade")}
	for _, s := range p.Scenarios {
		scenarios.add(s.ID, c.local(s.Name), s.Grade)
	}
	section("scenarios", scenarios)
	section("drafts", c.versions(p.Waiting))
	flags := table{head: c.heads("place", "what", "advice")}
	for _, f := range p.Open {
		flags.add(fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column), f.Text, f.Hint)
	}
	section("flags", flags)
}

// asWritten is a time of a plan in the plan's own words: 4h, not the 4.0 h of
// what was measured.
func asWritten(seconds float64) string {
	return plan.Written(time.Duration(seconds * float64(time.Second)))
}

// versions is a table of versions.
func (c *cli) versions(list []planDraft) table {
	t := table{head: c.heads("version", "state", "base", "actor", "made-at", "applied", "reviewed", "approved", "missing", "why"), right: []int{0, 2}}
	for _, v := range list {
		var approved []string
		for _, a := range v.Approvals() {
			if !slices.Contains(approved, a.By.ID) {
				approved = append(approved, a.By.ID)
			}
		}
		reviewed := ""
		if v.Review != nil {
			reviewed = v.Review.By.ID
		}
		t.add(fmt.Sprint(v.Number), c.t("cli.plan.state."+v.State), fmt.Sprint(v.Base), v.Author.ID, clock(v.Made), clock(v.Applied),
			reviewed, strings.Join(approved, ", "), c.parts(v.Lacks), v.Reason)
	}
	return t
}

func (c *cli) planHistoryCommand() *cobra.Command {
	return c.command("history SERVICE", "plan-history", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		versions, err := planVersions(cmd.Context(), node, args[0])
		if err != nil {
			return err
		}
		return c.show(versions, func() { c.table(c.versions(versions)) })
	})
}
