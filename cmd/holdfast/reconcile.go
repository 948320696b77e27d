package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

func (c *cli) reconcileCommand() *cobra.Command {
	var q api.ReconcileQuery
	var file, day string
	var asCSV bool
	cmd := c.command("reconcile ROUTE", "reconcile", exactly(1), func(cmd *cobra.Command, args []string) error {
		q.Route = args[0]
		if err := statement(&q, file, day); err != nil {
			return err
		}
		client, err := c.client()
		if err != nil {
			return err
		}
		r, err := client.Reconcile(cmd.Context(), q)
		if err != nil {
			return err
		}
		if asCSV && !c.json {
			err = r.CSV(c.out)
		} else {
			err = c.show(r, func() {
				for _, line := range r.Lines(c.lang) {
					fmt.Fprintln(c.out, line)
				}
			})
		}
		if err == nil && !r.Clean {
			return findings{}
		}
		return err
	})
	cmd.Flags().StringVar(&file, "settlement", "", c.t("cli.reconcile.flag.settlement"))
	cmd.Flags().StringVar(&day, "day", "", c.t("cli.reconcile.flag.day"))
	cmd.Flags().BoolVar(&asCSV, "csv", false, c.t("cli.reconcile.flag.csv"))
	cmd.Flags().BoolVar(&q.All, "all", false, c.t("cli.reconcile.flag.all"))
	return cmd
}

// statement reads the settlement file that is to be compared, if there is one.
func statement(q *api.ReconcileQuery, name, day string) (err error) {
	switch {
	case name == "" && day == "":
		return nil
	case name == "" || day == "":
		return invalid("cli.invalid.settlement")
	}
	if q.Day, err = time.Parse(time.DateOnly, day); err != nil {
		return invalid("cli.invalid.day", "value", day)
	}
	file, err := os.Open(name) // #nosec G304 -- the operator names the file
	if err != nil {
		return invalid("cli.invalid.file", "cause", err.Error())
	}
	q.Statement = file
	return nil
}
