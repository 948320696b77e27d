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
				for i := range s.Progress {
					why = append(why, c.progressOf(&s.Progress[i]))
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
	cmd.AddCommand(c.restoreChoicesCommand(), c.restoreBeginCommand(), c.restoreListCommand(), c.restoreShowCommand(), c.restoreAskCommand())
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
		page, _, err := controlapi.Get[controlapi.Page[continuity.RestoreChoice]](cmd.Context(), node, "/restore-choices", query) // all at once
		if err != nil {
			return err
		}
		found := page.Items
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
		all, err := controlapi.List[keeping.RestoreShown](cmd.Context(), node, "/restores", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("kept-restore", "kept-into", "state", "kept-set", "kept-reaches", "kept-address", "why"), none: c.t("cli.restore.list.none")}
			for i := range all {
				r := &all[i]
				why := c.restoreNote(r)
				for j := range r.Sets {
					s, reached, address := &r.Sets[j], clock(r.Sets[j].Choice.Reaches), ""
					if s.Copy != nil {
						reached, address = clock(s.Copy.Reached), s.Copy.Address
					}
					t.add(r.ID, c.t("cli.restore.into."+r.Into), c.t("keeping.restore."+r.State), s.Set, reached, address, why)
				}
			}
			c.table(t)
		})
	})
	cmd.Flags().BoolVar(&past, "past", false, c.t("cli.flag.restore-past"))
	return cmd
}

// progressOf is how far something got, in words.
func (c *cli) progressOf(p *keeping.Progress) string {
	left := ""
	if p.Left > 0 {
		left = c.span(p.Left)
	}
	total := ""
	if p.Total > 0 {
		total = c.bytes(p.Total)
	}
	return c.t("cli.kept.progress", "phase", c.t("backup.phase."+p.Phase), "done", c.bytes(p.Done), "total", total, "rate", c.bytes(int64(p.Rate)), "left", left)
}

// restoreNote is what there is to know of a restore at the moment.
func (c *cli) restoreNote(r *keeping.RestoreShown) string {
	switch {
	case r.Trying.Code != "":
		return watch.Say(c.lang, r.Trying)
	case len(r.Progress) > 0:
		return c.progressOf(&r.Progress[0])
	case r.Upgrade != "" && r.State == continuity.RestoreReady: // which nobody can approve
		return c.t("cli.restore.note.upgrade", "id", r.ID, "upgrade", r.Upgrade)
	case r.Into == continuity.IntoOver && r.State == continuity.RestoreReady && r.Approved == nil:
		return c.t("cli.restore.note.approve", "id", r.ID)
	case r.Into == continuity.IntoOver && r.State == continuity.RestoreReady:
		return c.t("cli.restore.note.switch", "id", r.ID)
	case r.WentOn() && r.Undoing != nil:
		return c.t("cli.restore.note.undoing", "name", clean(c.actor(r.Undoing.By)), "id", r.ID)
	case r.Aside() && r.Dropping != nil:
		return c.t("cli.restore.note.dropping", "name", clean(c.actor(r.Dropping.By)))
	case r.Aside() && !r.AsideUntil.IsZero():
		return c.t("cli.restore.note.aside-until", "at", clock(r.AsideUntil))
	case r.Aside():
		return c.t("cli.restore.note.aside", "id", r.ID)
	case r.Age > 0:
		return c.t("cli.restore.note.age", "age", c.span(r.Age))
	}
	return r.Why
}

func (c *cli) restoreShowCommand() *cobra.Command {
	return c.command("show <restore>", "restore.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		r, _, err := controlapi.Get[keeping.RestoreShown](cmd.Context(), node, "/restores/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(r, func() { c.showRestore(&r) })
	})
}

func (c *cli) showRestore(r *keeping.RestoreShown) {
	line := func(id string, args ...any) { c.say("cli.restore.show."+id, args...) }
	line("head", "id", r.ID, "state_text", c.t("keeping.restore."+r.State), "since", clock(r.Since), "by", clean(c.actor(r.By)), "why", clean(r.Why))
	line("moment", "moment", orClock(r.Moment), "fault", orClock(r.Fault))
	for i := range r.Sets {
		s := &r.Sets[i]
		if s.Copy == nil {
			line("set", "set", s.Set, "backup", orDash(s.Choice.Backup), "target", orDash(s.Choice.Target), "reached", orClock(s.Choice.Reaches), "good", "-", "address", "-")
			continue
		}
		good := c.t("cli.restore.show.good")
		if !s.Copy.Good {
			good = clean(strings.Join(s.Copy.Differ, ", "))
		}
		line("set", "set", s.Set, "backup", orDash(s.Choice.Backup), "target", orDash(s.Choice.Target), "reached", orClock(s.Copy.Reached), "good", good, "address", orDash(s.Copy.Address))
	}
	if a := r.Approved; a != nil {
		line("approved", "name", clean(c.actor(a.By)), "at", clock(a.At))
	}
	for _, route := range r.Routes {
		line("route", "route", route.Route, "again", route.Again, "undecided", route.Undecided)
	}
	if r.RTO > 0 || r.RPO > 0 {
		line("measured", "rto", c.span(r.RTO.Seconds()), "rpo", c.span(r.RPO.Seconds()))
	}
	if r.Analysis != "" {
		line("analysis", "id", r.Analysis)
	}
	if note := c.restoreNote(r); note != r.Why {
		line("note", "note", note)
	}
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
		return c.show(r, func() {
			c.say("cli.restore.act", "id", r.ID, "state_text", c.t("keeping.restore."+r.State))
			if note := c.restoreNote(&keeping.RestoreShown{Restore: r}); note != r.Why {
				c.say("cli.restore.show.note", "note", note)
			}
		})
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.restore-why"))
	return cmd
}
