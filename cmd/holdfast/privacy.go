package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

func (c *cli) privacyCommand() *cobra.Command {
	privacy := c.group("privacy", "privacy")
	privacy.AddCommand(
		c.privateCommand("find", func(ctx context.Context, client *api.Client, r api.PrivacyRequest) error {
			result, err := client.FindPrivate(ctx, r)
			if err != nil {
				return err
			}
			return c.show(result, func() { c.privateTable(result.Items) })
		}),
		c.privateCommand("erase", func(ctx context.Context, client *api.Client, r api.PrivacyRequest) error {
			result, err := client.ErasePrivate(ctx, r)
			if err != nil {
				return err
			}
			return c.show(result, func() {
				c.say("cli.privacy.erased", "count", len(result.Items), "discarded", result.Discarded)
			})
		}),
	)
	return privacy
}

func (c *cli) privateCommand(name string, do func(context.Context, *api.Client, api.PrivacyRequest) error) *cobra.Command {
	var r api.PrivacyRequest
	var yes bool
	cmd := c.command(name, "privacy-"+name, exactly(0), nil)
	f := cmd.Flags()
	f.StringVar(&r.Route, "route", "", c.t("cli.flag.private-route"))
	f.StringVar(&r.Key, "key", "", c.t("cli.flag.private-key"))
	f.StringVar(&r.Caller, "caller", "", c.t("cli.flag.private-caller"))
	f.StringVar(&r.Why, "why", "", c.t("cli.flag.why"))
	if name == "erase" {
		f.BoolVar(&yes, "yes", false, c.t("cli.flag.yes"))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if r.Route == "" || r.Key == "" && r.Caller == "" {
			return invalid("api.invalid.subject")
		}
		client, err := c.client()
		if err == nil {
			err = c.needWhy(r.Why)
		}
		if err == nil && name == "erase" {
			err = c.confirm(yes, "cli.confirm.erase")
		}
		if err != nil {
			return err
		}
		return do(cmd.Context(), client, r)
	}
	return cmd
}

func (c *cli) privateTable(items []api.PrivateItem) {
	if len(items) == 0 && terminal(c.out) {
		c.say("cli.list.none")
		return
	}
	t := table{head: c.heads("receipt", "state", "accepted-at", "ended-at", "place")}
	for _, i := range items {
		receipt, state, ended := i.Receipt, c.state(i.State), ""
		if i.Passed {
			receipt = c.t("cli.privacy.passed")
		}
		if i.Erased {
			state += " " + c.t("cli.privacy.gone")
		}
		if i.Ended != nil {
			ended = clock(*i.Ended)
		}
		t.add(receipt, state, clock(i.At), ended, strings.Trim(fmt.Sprint(i.Entries), "[]"))
	}
	c.table(t)
}
