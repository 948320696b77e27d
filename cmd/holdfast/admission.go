package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

func (c *cli) admissionCommand() *cobra.Command {
	group := c.group("admission", "admission")
	group.AddCommand(c.admissionShow(), c.admissionSet(), c.admissionLift())
	return group
}

func (c *cli) admissionShow() *cobra.Command {
	return c.command("show [ROUTE]", "admission.show", atMost(1), func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		route := ""
		if len(args) == 1 {
			route = args[0]
		}
		all, err := client.Admission(cmd.Context(), route)
		if err != nil {
			return err
		}
		return c.showAdmission(all)
	})
}

func (c *cli) admissionSet() *cobra.Command {
	cmd := c.command("set ROUTE", "admission.set", exactly(1), nil)
	f := cmd.Flags()
	var (
		rate        = f.Float64("rate", 0, c.t("cli.flag.admission-rate"))
		concurrency = f.Int("concurrency", 0, c.t("cli.flag.admission-concurrency"))
		line        = f.Bool("line", false, c.t("cli.flag.admission-line"))
		open        = f.Int("open", 0, c.t("cli.flag.admission-open"))
		hold        = f.Duration("for", 0, c.t("cli.flag.for"))
		force       = f.Bool("force", false, c.t("cli.flag.force"))
		why         = f.String("why", "", c.t("cli.flag.why"))
	)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.admit(cmd, api.AdmissionRequest{Route: args[0], Rate: *rate, Concurrency: *concurrency, Line: *line, Open: *open,
			For: hold.Seconds(), Force: *force, Why: *why})
	}
	return cmd
}

func (c *cli) admissionLift() *cobra.Command {
	cmd := c.command("lift ROUTE", "admission.lift", exactly(1), nil)
	f := cmd.Flags()
	var (
		line  = f.Bool("line", false, c.t("cli.flag.admission-lift-line"))
		owner = f.String("owner", "", c.t("cli.flag.admission-owner"))
		why   = f.String("why", "", c.t("cli.flag.why"))
	)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		what := api.LiftLimits
		if *line {
			what = api.LiftLine
		}
		return c.admit(cmd, api.AdmissionRequest{Route: args[0], Lift: what, Owner: *owner, Why: *why})
	}
	return cmd
}

func (c *cli) admit(cmd *cobra.Command, r api.AdmissionRequest) error {
	if err := c.needWhy(r.Why); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	r.Person = c.person
	now, err := client.Admit(cmd.Context(), r)
	if err != nil {
		return err
	}
	return c.showAdmission(now)
}

func (c *cli) showAdmission(all []api.Admission) error {
	return c.show(all, func() {
		t := table{head: c.heads("route", "rate", "by", "concurrency", "on-way", "admitted", "refused"), right: []int{1, 3, 4, 5}}
		for _, a := range all {
			rate, most := "-", "-"
			if a.Rate > 0 {
				rate = fmt.Sprintf("%.1f/s", a.Rate)
			}
			if a.Concurrency > 0 {
				most = c.number(a.Concurrency)
			}
			refused := ""
			for _, why := range slices.Sorted(maps.Keys(a.Refused)) {
				refused += fmt.Sprintf("%s=%d ", why, a.Refused[why])
			}
			t.add(a.Route, rate, c.word("cli.admission.by.", a.RateBy), most, c.number(a.OnWay), c.number(a.Admitted), strings.TrimSpace(refused))
		}
		c.table(t)
		for _, a := range all {
			c.showLine(a)
		}
	})
}

// showLine shows which batches are in, who waits, and what the next one waits
// for.
func (c *cli) showLine(a api.Admission) {
	w := a.Line
	if w == nil {
		return
	}
	why := ""
	if w.Why != "" {
		why = c.t("cli.line.why." + w.Why)
	}
	c.say("cli.line.stands", "route", a.Route, "since", clock(w.Since), "open", w.Open, "batches", len(w.Batches), "waiting", w.Waiting,
		"next", time.Duration(w.Next*float64(time.Second)).Round(time.Second), "why", why)
	t := table{head: c.heads("group", "state", "tickets", "served"), right: []int{2, 3}}
	for _, b := range w.Batches {
		name, state := b.Group, "waits"
		if name == "" {
			name = fmt.Sprintf("%.0f%%", 100*b.Share)
		}
		if b.Open {
			state = "in"
		}
		t.add(name, c.word("cli.line.", state), fmt.Sprint(b.Tickets), fmt.Sprint(b.Served))
	}
	c.table(t)
}
