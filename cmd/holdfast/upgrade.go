package main

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) upgradeCommand() *cobra.Command {
	cmd := c.onNode(c.group("upgrade", "upgrade"))
	cmd.AddCommand(
		c.upgradePlanCommand(), c.upgradeRunCommand(), c.upgradeStatusCommand(), c.upgradeListCommand(), c.upgradeTickCommand(), c.upgradeApproveCommand(),
		c.upgradeEndCommand("abort"), c.upgradeEndCommand("rollback"), c.upgradeSettleCommand(),
	)
	return cmd
}

const upgradesPath = "/upgrades"

func upgradePath(id string) string { return upgradesPath + "/" + url.PathEscape(id) }

func (c *cli) upgradePlanCommand() *cobra.Command {
	var u controlapi.NewUpgrade
	cmd := c.command("plan <service> <upgrade> --to VERSION", "upgrade.plan", exactly(2), func(cmd *cobra.Command, args []string) error {
		u.Service, u.Upgrade = args[0], args[1]
		if strings.TrimSpace(u.To) == "" {
			return invalid("upgrade.invalid.version")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		planned, err := controlapi.Post[continuity.Upgrade](cmd.Context(), node, upgradesPath, u)
		if err != nil {
			return err
		}
		c.warnMute(cmd.Context(), node)
		if planned, err = c.upgradeLooked(cmd, node, planned); err != nil {
			return err
		}
		if err := c.show(planned, func() {
			c.showUpgradeHead(&planned)
			c.showFindings(planned.Findings)
			c.say("cli.upgrade.plan.next", "id", planned.ID)
		}); err != nil {
			return err
		}
		for _, f := range planned.Findings {
			if f.Level == continuity.FindingBlock {
				return findings{}
			}
		}
		return nil
	})
	f := cmd.Flags()
	f.StringVar(&u.To, "to", "", c.t("cli.flag.upgrade-to"))
	f.StringVar(&u.Why, "why", "", c.t("cli.flag.upgrade-why"))
	return cmd
}

// lookedWithin is how long a look before an upgrade is waited for.
const lookedWithin = 2 * time.Minute

// upgradeLooked waits until the node has looked whether an upgrade can be begun.
func (c *cli) upgradeLooked(cmd *cobra.Command, node *controlapi.Client, u continuity.Upgrade) (continuity.Upgrade, error) {
	tick, late := time.NewTicker(200*time.Millisecond), time.After(lookedWithin)
	defer tick.Stop()
	for u.Stage == "look" {
		select {
		case <-cmd.Context().Done():
			return u, cmd.Context().Err()
		case <-late:
			return u, nil
		case <-tick.C:
		}
		var err error
		if u, _, err = controlapi.Get[continuity.Upgrade](cmd.Context(), node, upgradePath(u.ID), nil); err != nil {
			return u, err
		}
	}
	return u, nil
}

func (c *cli) upgradeRunCommand() *cobra.Command {
	var despite string
	var watch bool
	cmd := c.command("run <id>", "upgrade.run", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		u, _, err := controlapi.Put[continuity.Upgrade](cmd.Context(), node, upgradePath(args[0])+"/run", continuity.VersionAny, controlapi.UpgradeRun{Despite: despite})
		if err != nil {
			return err
		}
		c.warnMute(cmd.Context(), node)
		if watch {
			return c.watchUpgrade(cmd, node, u.ID, true)
		}
		return c.show(u, func() { c.say("cli.upgrade.run.done", "id", u.ID) })
	})
	cmd.Flags().StringVar(&despite, "despite", "", c.t("cli.flag.upgrade-despite"))
	cmd.Flags().BoolVar(&watch, "watch", false, c.t("cli.flag.upgrade-watch"))
	return cmd
}

func (c *cli) upgradeStatusCommand() *cobra.Command {
	var watch bool
	cmd := c.command("status <id>", "upgrade.status", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		return c.watchUpgrade(cmd, node, args[0], watch)
	})
	cmd.Flags().BoolVar(&watch, "watch", false, c.t("cli.flag.upgrade-watch"))
	return cmd
}

func (c *cli) upgradeListCommand() *cobra.Command {
	var service string
	var past bool
	cmd := c.command("list", "upgrade.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}}
		if past {
			query.Set("all", "true")
		}
		all, err := controlapi.List[continuity.Upgrade](cmd.Context(), node, upgradesPath, query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("upgrade", "what", "from", "to", "state", "since", "actor"), none: c.t("cli.upgrade.list.none", "past", past)}
			for i := range all {
				u := &all[i]
				t.add(u.ID, clean(u.Upgrade), clean(u.From), clean(u.To), c.term("upgrade.state.", u.State), clock(u.Since), clean(c.actor(u.By)))
			}
			c.table(t)
		})
	})
	f := cmd.Flags()
	f.StringVar(&service, "service", "", c.t("cli.flag.upgrade-service"))
	f.BoolVar(&past, "past", false, c.t("cli.flag.upgrade-past"))
	return cmd
}

// upgradeAct does something with an upgrade. Its engine changes it all the time: what a
// person wants goes by its state, and not by the version that they saw.
func (c *cli) upgradeAct(cmd *cobra.Command, id, verb string, body any) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	u, _, err := controlapi.Put[continuity.Upgrade](cmd.Context(), node, upgradePath(id)+"/"+verb, continuity.VersionAny, body)
	if err != nil {
		return err
	}
	return c.show(u, func() { c.say("cli.upgrade."+verb+".done", "id", u.ID, "state", c.term("upgrade.state.", u.State)) })
}

func (c *cli) upgradeTickCommand() *cobra.Command {
	return c.command("tick <id> <item>...", "upgrade.tick", atLeast(2, 1000), func(cmd *cobra.Command, args []string) error {
		return c.upgradeAct(cmd, args[0], "tick", controlapi.UpgradeTicks{Items: args[1:]})
	})
}

func (c *cli) upgradeApproveCommand() *cobra.Command {
	var minutes int
	var records int64
	var note string
	cmd := c.command("approve <id>", "upgrade.approve", exactly(1), func(cmd *cobra.Command, args []string) error {
		a := controlapi.UpgradeAgreement{Note: note}
		if cmd.Flags().Changed("minutes") {
			a.Minutes = &minutes
		}
		if cmd.Flags().Changed("records") {
			a.Records = &records
		}
		return c.upgradeAct(cmd, args[0], "approve", a)
	})
	f := cmd.Flags()
	f.IntVar(&minutes, "minutes", 0, c.t("cli.flag.upgrade-minutes"))
	f.Int64Var(&records, "records", 0, c.t("cli.flag.upgrade-records"))
	f.StringVar(&note, "note", "", c.t("cli.flag.upgrade-note"))
	return cmd
}

// upgradeEndCommand is abort or rollback.
func (c *cli) upgradeEndCommand(verb string) *cobra.Command {
	var w controlapi.UpgradeWhy
	cmd := c.command(verb+" <id> --why REASON", "upgrade."+verb, exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(w.Why) == "" {
			return invalid("upgrade.invalid.why")
		}
		return c.upgradeAct(cmd, args[0], verb, w)
	})
	f := cmd.Flags()
	f.StringVar(&w.Why, "why", "", c.t("cli.flag.upgrade-why"))
	f.StringVar(&w.Class, "class", continuity.UpgradeOperator, c.t("cli.flag.upgrade-class"))
	return cmd
}

func (c *cli) upgradeSettleCommand() *cobra.Command {
	var s controlapi.UpgradeSettled
	cmd := c.command("settle <id> --why REASON", "upgrade.settle", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(s.Why) == "" {
			return invalid("upgrade.invalid.why")
		}
		return c.upgradeAct(cmd, args[0], "settle", s)
	})
	cmd.Flags().StringVar(&s.Why, "why", "", c.t("cli.flag.upgrade-why"))
	return cmd
}
