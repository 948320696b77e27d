package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
)

func (c *cli) modeCommand() *cobra.Command {
	var (
		why    string
		hold   time.Duration
		force  bool
		owner  string
		replay string
	)
	cmd := c.command("mode ROUTE [pass|divert|hold|reply|block|auto]", "mode", nil, nil)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 && len(args) != 2 {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := c.client()
		if err != nil {
			return err
		}
		if len(args) == 2 {
			req := api.SwitchRequest{Route: args[0], Intake: args[1], For: hold.Seconds(), Force: force, Owner: owner, Person: c.person, Why: why}
			if req.Intake == "hold" || cmd.Flags().Changed("replay") { // whoever holds expects that nothing arrives meanwhile
				req.Replay = replay
			}
			if !slices.Contains([]string{"pass", "divert", "hold", "reply", "block", "auto"}, args[1]) {
				return invalid("cli.invalid.args", "usage", cmd.UseLine())
			}
			before, err := c.route(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			if err := c.needWhy(why); err != nil {
				return err
			}
			if args[1] == "auto" && !c.stands(before, owner) {
				c.warn("cli.mode.nothing", "route", args[0])
			}
			if _, err := client.Switch(cmd.Context(), req); err != nil {
				return err
			}
		}
		r, err := c.route(cmd.Context(), client, args[0])
		if err != nil {
			return err
		}
		if len(args) == 2 && args[1] != "auto" && r.Intake != args[1] {
			c.warn("cli.mode.overruled", "wanted", args[1], "intake", r.Intake)
		}
		return c.show(r, func() {
			c.say("cli.mode.now", "route", r.ID, "mode", c.mode(r.Mode), "intake", c.word("cli.intake.", r.Intake), "replay", c.word("cli.replay.", r.Replay))
			c.switchTable(r.Switches)
		})
	}
	f := cmd.Flags()
	f.StringVar(&why, "why", "", c.t("cli.flag.why"))
	f.DurationVar(&hold, "for", 0, c.t("cli.flag.for"))
	f.BoolVar(&force, "force", false, c.t("cli.flag.force"))
	f.StringVar(&replay, "replay", "off", c.t("cli.flag.replay"))
	f.StringVar(&owner, "owner", "", c.t("cli.flag.owner"))
	return cmd
}

// needWhy asks for what the relay would ask for, before anything is sent.
func (c *cli) needWhy(why string) error {
	if why == "" {
		return invalid("cli.invalid.why")
	}
	if c.person == "" {
		return invalid("cli.invalid.person")
	}
	return nil
}

// route asks for one route, before anything is asked of it.
func (c *cli) route(ctx context.Context, client *api.Client, id string) (api.Route, error) {
	status, err := client.Status(ctx)
	if err != nil {
		return api.Route{}, err
	}
	return find(status.Routes, id)
}

// stands reports whether there is anything that auto would lift.
func (c *cli) stands(r api.Route, owner string) bool {
	if owner == "" {
		owner = "operator:" + c.person
	}
	return slices.ContainsFunc(r.Switches, func(s api.Switch) bool { return s.Owner == owner })
}
