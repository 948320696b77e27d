package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

func (c *cli) relayCommand() *cobra.Command {
	cmd := c.command("relay", "relay", nil, func(cmd *cobra.Command, _ []string) error {
		return c.serve(cmd.Context())
	})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args[0])
		}
		return nil
	}
	c.logFlag(cmd)
	cmd.AddCommand(c.checkCommand(), c.schemaCommand(), c.caCommand(), c.openapiCommand(), c.reportCommand(), c.explainCommand(), c.reloadCommand(), c.replaceCommand())
	return cmd
}

func (c *cli) checkCommand() *cobra.Command {
	return c.command("check [FILE]", "relay-check", atMost(1), func(_ *cobra.Command, args []string) error {
		file := c.where.configFile()
		if len(args) == 1 {
			file = args[0]
		}
		src, err := config.Read(file)
		if err != nil {
			return err
		}
		// Of this text: what comes from a pipe can't be read twice.
		relay, problems, err := config.Parse(file, src, filepath.Dir(file))
		if c.json {
			if e := yamldoc.WriteJSON(c.out, c.lang, problems); e != nil {
				return e
			}
		} else if e := yamldoc.Render(c.err, c.lang, src, problems); e != nil {
			return e
		}
		if err != nil {
			c.reported = len(problems) > 0
			return err
		}
		if !c.json {
			c.say("cli.relay.check.good", "file", file, "routes", len(relay.Routes))
		}
		return nil
	})
}

func (c *cli) schemaCommand() *cobra.Command {
	return c.command("schema", "relay-schema", exactly(0), func(*cobra.Command, []string) error {
		_, err := c.out.Write(config.Schema(c.lang))
		return err
	})
}

func (c *cli) openapiCommand() *cobra.Command {
	return c.command("openapi", "relay-openapi", exactly(0), func(*cobra.Command, []string) error {
		_, err := c.out.Write(api.OpenAPI(version, c.lang))
		return err
	})
}

func (c *cli) reloadCommand() *cobra.Command {
	return c.command("reload", "relay-reload", exactly(0), func(cmd *cobra.Command, _ []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		result, err := client.Reload(cmd.Context())
		if err != nil {
			return err
		}
		if err := c.show(result, func() { c.showReload(result) }); err != nil {
			return err
		}
		if !result.Applied {
			c.reported = true
			return continuity.E(continuity.CodeConfig, nil)
		}
		return nil
	})
}

func (c *cli) showReload(r api.ReloadResult) {
	for _, p := range r.Problems {
		told := yamldoc.Problem{File: p.File, Line: p.Line, Column: p.Column, Severity: yamldoc.Error, ID: p.ID, Args: p.Args}
		if p.Warning {
			told.Severity = yamldoc.Warning
		}
		fmt.Fprintf(c.err, "%s\n      %s\n", told.Text(c.lang), told.Hint(c.lang))
	}
	if !r.Applied {
		fmt.Fprintln(c.err, c.t("cli.relay.reload.refused"))
		return
	}
	c.say("cli.relay.reload.applied", "file", r.Config.File, "digest", r.Config.Digest)
}

func (c *cli) reportCommand() *cobra.Command {
	return c.command("report [ROUTE]", "relay-report", atMost(1), func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		route := ""
		if len(args) == 1 {
			route = args[0]
		}
		report, err := client.Report(cmd.Context(), route)
		if err != nil {
			return err
		}
		return c.show(report, func() {
			t := table{head: c.heads("route", "what", "count"), right: []int{2}}
			for _, r := range report.Routes {
				if r.Share > 0 {
					t.add(r.Route, c.word("cli.report.", "share"), fmt.Sprintf("%g%%", r.Share*100))
				}
				for _, what := range api.ReportCounts() {
					t.add(r.Route, c.word("cli.report.", what), c.number(r.Counts[what]))
				}
				for _, seen := range r.Clients {
					t.add(r.Route, c.word("cli.report.", "client")+" "+seen.Name, c.number(seen.Count))
				}
				for _, seen := range r.Sensitive {
					t.add(r.Route, c.word("cli.report.", "sensitive")+" "+strings.TrimSpace(seen.Kind+" "+seen.Name), c.number(seen.Count))
				}
			}
			c.table(t)
		})
	})
}
