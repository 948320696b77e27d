package main

import (
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/keeping"
	"holdfast/internal/watch"
)

// backupSetCommand is what a control node knows of the sets of data of its plans, and
// does about them.
func (c *cli) backupSetCommand() *cobra.Command {
	cmd := c.onNode(c.group("set", "backup.set"))
	cmd.AddCommand(c.backupSetListCommand(), c.backupSetAskCommand("run"), c.backupSetAskCommand("verify"), c.backupSetAskCommand("prune"))
	return cmd
}

func (c *cli) backupSetListCommand() *cobra.Command {
	return c.command("list [service]", "backup.set.list", atMost(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{}
		if len(args) == 1 {
			query.Set("service", args[0])
		}
		all, err := controlapi.List[keeping.SetShown](cmd.Context(), node, "/backup-sets", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("kept-set", "state", "kept-safe", "kept-proven", "kept-due", "why"), none: c.t("cli.backup.set.list.none")}
			for i := range all {
				s := &all[i]
				proven := ""
				if s.Proven != nil && s.Proven.Good {
					proven = clock(s.Proven.Ended)
				}
				var why []string
				for _, p := range s.Problems {
					if p.Why.Code != "" {
						why = append(why, watch.Say(c.lang, p.Why))
					}
				}
				t.add(s.ID, c.t("cli.backup.set.state."+s.State), clock(s.Safe), proven, clock(s.Due), strings.Join(why, "; "))
			}
			c.table(t)
		})
	})
}

func (c *cli) backupSetAskCommand(what string) *cobra.Command {
	return c.command(what+" <service> <set>", "backup.set"+"."+what, exactly(2), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		path := "/backup-sets/" + url.PathEscape(args[0]) + "/" + url.PathEscape(args[1]) + "/" + what
		var body any
		if what == "verify" {
			body = controlapi.BackupProof{}
		}
		asked, err := controlapi.Post[continuity.BackupWork](cmd.Context(), node, path, body)
		if err != nil {
			return err
		}
		return c.show(asked, func() { c.say("cli.backup.set.asked", "set", args[0]+"/"+args[1]) })
	})
}

// restoreCommand brings sets of data back with a control node.
func (c *cli) restoreCommand() *cobra.Command {
	cmd := c.onNode(c.group("restore", "restore"))
	cmd.AddCommand(c.restoreChoicesCommand(), c.restoreBeginCommand(), c.restoreListCommand())
	for _, what := range []string{"approve", "switch", "skip", "undo", "drop"} {
		cmd.AddCommand(c.restoreActCommand(what))
	}
	return cmd
}

func (c *cli) restoreChoicesCommand() *cobra.Command {
	var sets []string
	var moment string
	cmd := c.command("choices <service>", "restore.choices", exactly(1), func(cmd *cobra.Command, args []string) error {
		query := url.Values{"service": {args[0]}}
		if len(sets) > 0 {
			query.Set("sets", strings.Join(sets, ","))
		}
		if moment != "" {
			at, err := laterMoment(moment)
			if err != nil {
				return err
			}
			query.Set("moment", at.UTC().Format("2006-01-02T15:04:05Z"))
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		found, err := controlapi.List[continuity.RestoreChoice](cmd.Context(), node, "/restore-choices", query, 0)
		if err != nil {
			return err
		}
		return c.show(found, func() {
			t := table{head: c.heads("kept-set", "kept-target", "kept-backup", "kept-reaches", "loss", "state"), none: c.t("cli.restore.choices.none")}
			for _, f := range found {
				t.add(f.Set, f.Target, f.Backup, clock(f.Reaches), c.span(f.Loss.Seconds()), c.t("cli.restore.proof."+f.State))
			}
			c.table(t)
		})
	})
	c.restoreScope(cmd, &sets, &moment)
	return cmd
}

func (c *cli) restoreScope(cmd *cobra.Command, sets *[]string, moment *string) {
	cmd.Flags().StringSliceVar(sets, "set", nil, c.t("cli.flag.restore-set"))
	cmd.Flags().StringVar(moment, "moment", "", c.t("cli.flag.restore-moment"))
}

func (c *cli) restoreBeginCommand() *cobra.Command {
	var b controlapi.NewRestore
	var moment, fault string
	cmd := c.command("begin <service> --into copy --why REASON", "restore.begin", exactly(1), func(cmd *cobra.Command, args []string) (err error) {
		b.Service = args[0]
		if err = c.needWhy(b.Why); err != nil {
			return err
		}
		if moment != "" {
			if b.Moment, err = laterMoment(moment); err != nil {
				return err
			}
		}
		if fault != "" {
			if b.Fault, err = laterMoment(fault); err != nil {
				return err
			}
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		r, err := controlapi.Post[continuity.Restore](cmd.Context(), node, "/restores", b)
		if err != nil {
			return err
		}
		return c.show(r, func() { c.say("cli.restore.begin.done", "id", r.ID) })
	})
	c.restoreScope(cmd, &b.Sets, &moment)
	f := cmd.Flags()
	f.StringVar(&b.Into, "into", continuity.IntoCopy, c.t("cli.flag.restore-into"))
	f.StringVar(&fault, "fault", "", c.t("cli.flag.restore-fault"))
	f.StringVar(&b.Incident, "incident", "", c.t("cli.flag.restore-incident"))
	f.StringVar(&b.Why, "why", "", c.t("cli.flag.why"))
	return cmd
}

func (c *cli) restoreListCommand() *cobra.Command {
	var past bool
	cmd := c.command("list [service]", "restore.list", atMost(1), func(cmd *cobra.Command, args []string) error {
		query := url.Values{}
		if len(args) == 1 {
			query.Set("service", args[0])
		}
		if past {
			query.Set("past", "true")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[continuity.Restore](cmd.Context(), node, "/restores", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("kept-restore", "state", "kept-set", "kept-reaches", "kept-address", "why"), none: c.t("cli.restore.list.none")}
			for i := range all {
				r := &all[i]
				why := r.Why
				if r.Trying.Code != "" {
					why = watch.Say(c.lang, r.Trying)
				}
				for j := range r.Sets {
					s, reached, address := &r.Sets[j], clock(r.Sets[j].Choice.Reaches), ""
					if s.Copy != nil {
						reached, address = clock(s.Copy.Reached), s.Copy.Address
					}
					t.add(r.ID, c.t("keeping.restore."+r.State), s.Set, reached, address, why)
				}
			}
			c.table(t)
		})
	})
	cmd.Flags().BoolVar(&past, "past", false, c.t("cli.flag.restore-past"))
	return cmd
}

// restoreActCommand is what a person does with a restore.
func (c *cli) restoreActCommand(what string) *cobra.Command {
	var why string
	cmd := c.command(what+" <restore>", "restore"+"."+what, exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		path := "/restores/" + url.PathEscape(args[0])
		_, version, err := controlapi.Get[continuity.Restore](cmd.Context(), node, path, nil)
		if err != nil {
			return err
		}
		var body any = map[string]any{
			"approve": controlapi.RestoreNote{Note: why}, "switch": controlapi.RestoreDespite{Despite: why},
			"skip": controlapi.RestoreWhy{Why: why}, "undo": controlapi.RestoreWhy{Why: why},
		}[what]
		r, _, err := controlapi.Put[continuity.Restore](cmd.Context(), node, path+"/"+what, version, body)
		if err != nil {
			return err
		}
		return c.show(r, func() { c.say("cli.restore.act", "id", r.ID, "state_text", c.t("keeping.restore."+r.State)) })
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.restore-why"))
	return cmd
}
