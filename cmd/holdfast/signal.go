package main

import (
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) signalCommand() *cobra.Command {
	cmd := c.onNode(c.group("signal", "signal"))
	cmd.AddCommand(c.signalReportCommand(), c.signalListCommand())
	return cmd
}

func (c *cli) signalReportCommand() *cobra.Command {
	r := controlapi.TroubleReport{}
	cmd := c.command("report <service>", "signal.report", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		r.Service = args[0]
		out, err := controlapi.Post[controlapi.Reported](cmd.Context(), node, "/signals/reports", r)
		if err != nil {
			return err
		}
		return c.show(out, func() {
			c.say("cli.signal.report.done", "scope", c.t("warning.scope."+out.Scope), "n", out.Reporters)
		})
	})
	f := cmd.Flags()
	f.StringVar(&r.What, "what", "down", c.t("cli.flag.signal-what"))
	f.StringVar(&r.Text, "text", "", c.t("cli.flag.signal-text"))
	f.StringVar(&r.Location, "location", "", c.t("cli.flag.signal-location"))
	f.StringVar(&r.Component, "component", "", c.t("cli.flag.signal-component"))
	f.StringVar(&r.Reporter, "reporter", "", c.t("cli.flag.signal-reporter"))
	return cmd
}

func (c *cli) signalListCommand() *cobra.Command {
	service, since := "", ""
	cmd := c.command("list", "signal.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		query := url.Values{"service": {service}, "limit": {"1000"}}
		if since != "" {
			at, err := momentOrAgo(since, time.Now())
			if err != nil {
				return invalid("cli.invalid.when", "value", since)
			}
			query.Set("since", at.UTC().Format(time.RFC3339))
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		page, _, err := controlapi.Get[controlapi.Page[continuity.Report]](cmd.Context(), node, "/signals/reports", query)
		if err != nil {
			return err
		}
		return c.show(page.Items, func() {
			t := table{head: c.heads("time", "service", "what", "actor", "department", "location", "why"), none: c.t("cli.signal.list.none")}
			for _, r := range page.Items {
				t.add(clock(r.At), r.Service, c.term("warning.sign.", r.What), clean(r.By), clean(r.Department), clean(r.Location), clean(r.Text))
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.warning-service"))
	cmd.Flags().StringVar(&since, "since", "", c.t("cli.flag.signal-since"))
	return cmd
}
