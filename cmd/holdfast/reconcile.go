package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

func (c *cli) reconcileCommand() *cobra.Command {
	return c.command("reconcile ROUTE", "reconcile", exactly(1), func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		r, err := client.Reconcile(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := c.show(r, func() { c.showReconciliation(r) }); err != nil {
			return err
		}
		if !r.Clean {
			return findings{}
		}
		return nil
	})
}

func (c *cli) showReconciliation(r api.Reconciliation) {
	c.say("cli.reconcile.head", "route", r.Route, "records", c.number(r.Records), "upstream", c.number(r.Upstream), "agree", c.number(r.Agree))
	for _, s := range r.Sums {
		c.say("cli.reconcile.sum", "currency", s.Currency, "ours", s.Ours, "upstream", s.Upstream)
	}
	t := table{head: c.heads("finding", "key", "receipt", "state", "ours", "theirs")}
	for _, group := range []struct {
		id    string
		items []api.Deviation
	}{{"missing", r.Missing}, {"doubled", r.Doubled}, {"differing", r.Differing}} {
		for _, d := range group.items {
			theirs := d.Upstream
			if d.Times > 0 {
				theirs = fmt.Sprintf("%d×", d.Times)
			}
			t.add(c.word("cli.reconcile.", group.id), d.Key, c.abbreviate(d.Receipt), c.state(d.State), d.Ours, theirs)
		}
	}
	if len(t.rows) > 0 {
		c.table(t)
	}
	if r.Clean {
		c.say("cli.reconcile.clean")
	}
}
