package main

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

// blockCommand refuses some requests of a route; mode ROUTE block refuses all.
func (c *cli) blockCommand() *cobra.Command {
	var (
		why   string
		last  time.Duration
		lift  bool
		block api.Block
	)
	cmd := c.command("block ROUTE", "block", exactly(1), nil)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		if len(block.Addresses)+len(block.Paths)+len(block.Headers) > 0 {
			if err := c.needWhy(why); err != nil {
				return err
			}
			before, err := c.route(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			req := api.SwitchRequest{Route: args[0], Intake: "block", Block: &block, For: last.Seconds(), Person: c.person, Why: why}
			if lift {
				req.Intake = "auto"
			}
			after, err := client.Switch(cmd.Context(), req)
			if err != nil {
				return err
			}
			if lift && len(blocks(after)) == len(blocks(before.Switches)) {
				c.warn("cli.block.nothing", "route", args[0])
			}
		} else if lift || why != "" {
			return invalid("cli.invalid.block")
		}
		r, err := c.route(cmd.Context(), client, args[0])
		if err != nil {
			return err
		}
		stand := blocks(r.Switches)
		return c.show(stand, func() {
			if len(stand) == 0 {
				c.say("cli.block.none", "route", r.ID)
				return
			}
			c.switchTable(stand)
		})
	}
	f := cmd.Flags()
	f.StringArrayVar(&block.Addresses, "address", nil, c.t("cli.flag.block-address"))
	f.StringArrayVar(&block.Paths, "path", nil, c.t("cli.flag.block-path"))
	f.StringArrayVar(&block.Headers, "header", nil, c.t("cli.flag.block-header"))
	f.StringVar(&why, "why", "", c.t("cli.flag.why"))
	f.DurationVar(&last, "for", 0, c.t("cli.flag.for"))
	f.BoolVar(&lift, "lift", false, c.t("cli.flag.lift"))
	return cmd
}

// blocks are those of the settings that refuse some requests.
func blocks(all []api.Switch) []api.Switch {
	return slices.DeleteFunc(slices.Clone(all), func(s api.Switch) bool { return s.Block == nil })
}

// blocked writes a block in one line.
func blocked(b *api.Block) string {
	return strings.Join(slices.Concat(b.Addresses, b.Paths, b.Headers), ", ")
}
