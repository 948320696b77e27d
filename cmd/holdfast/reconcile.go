package main

import (
	"fmt"

	"github.com/spf13/cobra"
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
		err = c.show(r, func() {
			for _, line := range r.Lines(c.lang) {
				fmt.Fprintln(c.out, line)
			}
		})
		if err == nil && !r.Clean {
			return findings{}
		}
		return err
	})
}
