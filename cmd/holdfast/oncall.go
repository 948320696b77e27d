package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) oncallCommand() *cobra.Command {
	var grade, at string
	cmd := c.onNode(c.command("oncall [SERVICE]", "oncall", atMost(1), func(cmd *cobra.Command, args []string) error {
		query := url.Values{"grade": {grade}}
		if len(args) == 1 {
			query.Set("service", args[0])
		}
		if at != "" {
			moment, err := laterMoment(at)
			if err != nil {
				return err
			}
			query.Set("at", moment.Format(time.RFC3339))
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[controlapi.OnCallRole](cmd.Context(), node, "/oncall", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() { c.onCall(all) })
	}))
	cmd.Flags().StringVar(&grade, "grade", "", c.t("cli.flag.oncall-grade"))
	cmd.Flags().StringVar(&at, "at", "", c.t("cli.flag.oncall-at"))
	override := c.group("override", "oncall.override")
	override.AddCommand(c.overrideAddCommand(), c.overrideListCommand(), c.overrideEndCommand())
	cmd.AddCommand(c.oncallShiftsCommand(), override)
	return cmd
}

// onCall lists who leads each role, and who comes after them.
func (c *cli) onCall(all []controlapi.OnCallRole) {
	t := table{head: c.heads("service", "role", "on-call", "rota", "until", "next", "after-them"), none: c.t("cli.oncall.none")}
	for i := range all {
		o := &all[i]
		until := ""
		if o.Until != nil {
			until = stampOr(*o.Until)
		}
		t.add(o.Service, o.Role, o.Person, o.Rota, until, o.Next, c.ladder(o))
	}
	c.table(t)
	for i := range all {
		o := &all[i]
		switch {
		case o.Person == "":
			c.warn("cli.oncall.nobody", "service", o.Service, "role", o.Role)
		case len(o.Gone) > 0:
			c.warn("cli.oncall.gone", "service", o.Service, "rota", o.Rota, "people", strings.Join(o.Gone, ", "), "person", o.Person)
		}
	}
}

// ladder is who is told after whoever leads.
func (c *cli) ladder(o *controlapi.OnCallRole) string {
	var steps []string
	for i, step := range o.Ladder {
		if i > 0 {
			after := time.Duration(o.Ladder[i-1].Wait * float64(time.Second))
			steps = append(steps, c.t("cli.oncall.step", "after", c.lasts(after), "people", strings.Join(step.People, ", ")))
		}
	}
	return strings.Join(steps, "; ")
}

func (c *cli) oncallShiftsCommand() *cobra.Command {
	var service, rota, whose, from, to string
	var ical bool
	cmd := c.command("shifts", "oncall.shifts", exactly(0), func(cmd *cobra.Command, _ []string) error {
		query := url.Values{"service": {service}, "rota": {rota}, "for": {whose}}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		if ical {
			if from != "" || to != "" {
				return invalid("cli.invalid.oncall-ical")
			}
			file, err := node.Open(cmd.Context(), "/oncall/shifts.ics", query)
			if err != nil {
				return err
			}
			defer file.Close()
			_, err = io.Copy(c.out, file)
			return err
		}
		for name, text := range map[string]string{"from": from, "to": to} {
			if text == "" {
				continue
			}
			moment, err := laterMoment(text)
			if err != nil {
				return err
			}
			query.Set(name, moment.Format(time.RFC3339))
		}
		all, err := controlapi.List[continuity.Shift](cmd.Context(), node, "/oncall/shifts", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("rota", "person", "from", "until", "note"), none: c.t("cli.oncall.shifts.none")}
			for i := range all {
				s := &all[i]
				t.add(s.Rota, s.Person, stampOr(s.Start), stampOr(s.End), c.shiftNote(s))
			}
			c.table(t)
		})
	})
	f := cmd.Flags()
	f.StringVar(&service, "service", "", c.t("cli.flag.oncall-service"))
	f.StringVar(&rota, "rota", "", c.t("cli.flag.oncall-rota"))
	f.StringVar(&whose, "of", "", c.t("cli.flag.oncall-of"))
	f.StringVar(&from, "from", "", c.t("cli.flag.oncall-from"))
	f.StringVar(&to, "to", "", c.t("cli.flag.oncall-to"))
	f.BoolVar(&ical, "ical", false, c.t("cli.flag.oncall-ical"))
	return cmd
}

// shiftNote says why it is somebody other than whose turn it is.
func (c *cli) shiftNote(s *continuity.Shift) string {
	switch {
	case s.Override != "" && s.Instead != "":
		return c.t("cli.oncall.instead", "person", s.Instead, "override", s.Override)
	case s.Override != "":
		return s.Override
	case len(s.Gone) > 0:
		return c.t("cli.oncall.instead-gone", "people", strings.Join(s.Gone, ", "))
	}
	return ""
}

func (c *cli) overrideAddCommand() *cobra.Command {
	var person, from, until string
	var lasts time.Duration
	var why *string
	cmd := c.command("add SERVICE/ROTA --person ID --until TIME", "oncall.override.add", exactly(1), func(cmd *cobra.Command, args []string) error {
		if person == "" {
			return invalid("cli.invalid.oncall-person")
		}
		end, err := c.endOf(until, lasts)
		if err != nil {
			return err
		}
		if end.IsZero() {
			return invalid("cli.invalid.oncall-until")
		}
		body := map[string]any{"rota": args[0], "person": person, "until": end, "why": *why}
		if from != "" {
			moment, err := laterMoment(from)
			if err != nil {
				return err
			}
			body["from"] = moment
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		o, err := controlapi.Post[continuity.Override](cmd.Context(), node, "/oncall/overrides", body)
		if err != nil {
			return err
		}
		return c.show(o, func() {
			c.say("cli.oncall.override.done", "id", o.ID, "person", o.Person, "rota", o.Rota, "from", stampOr(o.From), "until", stampOr(o.Until))
		})
	})
	f := cmd.Flags()
	f.StringVar(&person, "person", "", c.t("cli.flag.oncall-person"))
	f.StringVar(&from, "from", "", c.t("cli.flag.oncall-from"))
	f.StringVar(&until, "until", "", c.t("cli.flag.oncall-until"))
	f.DurationVar(&lasts, "for", 0, c.t("cli.flag.oncall-for"))
	why = c.why(cmd)
	return cmd
}

func (c *cli) overrideListCommand() *cobra.Command {
	var service string
	var past bool
	cmd := c.command("list", "oncall.override.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		query := url.Values{"service": {service}}
		if past {
			query.Set("past", "true")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[controlapi.ShownOverride](cmd.Context(), node, "/oncall/overrides", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("id", "rota", "person", "from", "until", "by", "why", "covered"), none: c.t("cli.oncall.override.list.none")}
			for i := range all {
				o := &all[i]
				t.add(o.ID, o.Rota, o.Person, stampOr(o.From), stampOr(o.Until), o.By.ID, o.Why, strings.Join(o.Covered, ", "))
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.oncall-service"))
	cmd.Flags().BoolVar(&past, "past", false, c.t("cli.flag.oncall-past"))
	return cmd
}

func (c *cli) overrideEndCommand() *cobra.Command {
	var why *string
	cmd := c.command("end ID", "oncall.override.end", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		o, err := controlapi.Post[continuity.Override](cmd.Context(), node, "/oncall/overrides/"+url.PathEscape(args[0])+"/end", map[string]string{"why": *why})
		if err != nil {
			return err
		}
		return c.show(o, func() { fmt.Fprintln(c.out, c.t("cli.oncall.override.ended", "id", o.ID)) })
	})
	why = c.why(cmd)
	return cmd
}
