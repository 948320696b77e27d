package main

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

// incidentEdit changes an incident as it stands now, whatever the engine wrote
// meanwhile.
func (c *cli) incidentEdit(cmd *cobra.Command, id, what string, body any) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	i, _, err := controlapi.Put[continuity.Incident](cmd.Context(), node, "/incidents/"+url.PathEscape(id)+"/"+what, continuity.VersionAny, body)
	if err != nil {
		return err
	}
	if (what == "state" || what == "close") && len(i.Holding) > 0 && !i.Stands() {
		c.warn("cli.incident.holding", "id", i.ID, "routes", strings.Join(i.Holding, ", "))
	}
	return c.show(i, func() { c.incidentTable([]continuity.Incident{i}) })
}

// incidentAdd writes something down below an incident.
func incidentAdd[T any](c *cli, cmd *cobra.Command, id, what string, body any, key func(*T) string) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	v, err := controlapi.Post[T](cmd.Context(), node, "/incidents/"+url.PathEscape(id)+"/"+what, body)
	if err != nil {
		return err
	}
	return c.show(v, func() { c.say("cli.incident.added", "id", key(&v)) })
}

func (c *cli) whyFlag(cmd *cobra.Command, why *string) *cobra.Command {
	cmd.Flags().StringVar(why, "why", "", c.t("cli.flag.incident-why"))
	return cmd
}

// reasoned refuses a command that goes without its reason.
func reasoned(why string) error {
	if strings.TrimSpace(why) == "" {
		return invalid("incident.invalid.why")
	}
	return nil
}

func atLeast(n, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n || len(args) > most {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		return nil
	}
}

func (c *cli) incidentGradeCommand() *cobra.Command {
	var scope, why string
	var hits []string
	cmd := c.command("grade <incident> [SEV-N] --why REASON", "incident.grade", atLeast(1, 2), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		body := map[string]any{"why": why}
		if len(args) == 2 {
			body["grade"] = args[1]
		}
		if scope != "" {
			body["scope"] = scope
		}
		if hits != nil {
			body["hits"] = hits
		}
		return c.incidentEdit(cmd, args[0], "grade", body)
	})
	cmd.Flags().StringVar(&scope, "scope", "", c.t("cli.flag.incident-scope"))
	cmd.Flags().StringSliceVar(&hits, "hits", nil, c.t("cli.flag.incident-hits"))
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentStateCommand() *cobra.Command {
	var why, restored, despite string
	cmd := c.command("state <incident> <state>", "incident.state", exactly(2), func(cmd *cobra.Command, args []string) error {
		return c.incidentState(cmd, args[0], args[1], why, restored, despite)
	})
	cmd.Flags().StringVar(&restored, "restored", "", c.t("cli.flag.incident-restored"))
	cmd.Flags().StringVar(&despite, "despite", "", c.t("cli.flag.incident-despite"))
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentResolveCommand() *cobra.Command {
	var why, restored, despite string
	cmd := c.command("resolve <incident>", "incident.resolve", exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.incidentState(cmd, args[0], continuity.Resolved, why, restored, despite)
	})
	cmd.Flags().StringVar(&restored, "restored", "", c.t("cli.flag.incident-restored"))
	cmd.Flags().StringVar(&despite, "despite", "", c.t("cli.flag.incident-despite"))
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentState(cmd *cobra.Command, id, state, why, restored, despite string) error {
	body := map[string]any{"state": state, "why": why, "despite": despite}
	if restored != "" {
		at, err := momentOrAgo(restored, time.Now())
		if err != nil {
			return invalid("cli.invalid.moment", "value", restored)
		}
		body["restored"] = at.UTC()
	}
	return c.incidentEdit(cmd, id, "state", body)
}

func (c *cli) incidentPhaseCommand() *cobra.Command {
	var why string
	cmd := c.command("phase <incident> <phase>", "incident.phase", exactly(2), func(cmd *cobra.Command, args []string) error {
		return c.incidentEdit(cmd, args[0], "phase", map[string]any{"phase": args[1], "why": why})
	})
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentExpectCommand() *cobra.Command {
	var next, why string
	cmd := c.command("expect <incident> [TIME]", "incident.expect", atLeast(1, 2), func(cmd *cobra.Command, args []string) error {
		body := map[string]any{"why": why}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		for name, text := range map[string]string{"expected": strings.Join(args[1:], ""), "next_update": next} {
			if text == "" {
				continue
			}
			at, err := inOrAt(text, incidentClock(cmd.Context(), node, args[0]))
			if err != nil {
				return err
			}
			body[name] = at
		}
		return c.incidentEdit(cmd, args[0], "expected", body)
	})
	cmd.Flags().StringVar(&next, "next", "", c.t("cli.flag.incident-next"))
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentTakeCommand() *cobra.Command {
	var who, why string
	cmd := c.command("take <incident> <role>", "incident.take", exactly(2), func(cmd *cobra.Command, args []string) error {
		return c.incidentEdit(cmd, args[0], "roles/"+url.PathEscape(args[1]), map[string]any{"person": who, "why": why})
	})
	cmd.Flags().StringVar(&who, "who", "", c.t("cli.flag.incident-who"))
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentHandOverCommand() *cobra.Command {
	var why string
	cmd := c.command("hand-over <incident> <person> --why REASON", "incident.hand-over", exactly(2), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		return c.incidentEdit(cmd, args[0], "command", map[string]any{"to": args[1], "why": why})
	})
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentTaskCommand() *cobra.Command {
	var owner, due, done, dropped, why string
	cmd := c.command("task <incident> [TEXT]", "incident.task", atLeast(1, 2), func(cmd *cobra.Command, args []string) error {
		if done != "" || dropped != "" {
			return c.endTask(cmd, args[0], done, dropped, why)
		}
		if len(args) < 2 {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		body := map[string]any{"text": args[1], "owner": owner}
		if due != "" {
			node, err := c.connectControl()
			if err != nil {
				return err
			}
			at, err := inOrAt(due, incidentClock(cmd.Context(), node, args[0]))
			if err != nil {
				return err
			}
			body["due"] = at
		}
		return incidentAdd(c, cmd, args[0], "tasks", body, func(t *continuity.Task) string { return t.ID })
	})
	f := cmd.Flags()
	f.StringVar(&owner, "owner", "", c.t("cli.flag.incident-owner"))
	f.StringVar(&due, "due", "", c.t("cli.flag.incident-due"))
	f.StringVar(&done, "done", "", c.t("cli.flag.incident-done"))
	f.StringVar(&dropped, "drop", "", c.t("cli.flag.incident-drop"))
	return c.whyFlag(cmd, &why)
}

// endTask ends a task, which may be named by its number alone.
func (c *cli) endTask(cmd *cobra.Command, of, done, dropped, why string) error {
	body, id := map[string]any{"state": continuity.TaskDone, "reason": why}, done
	if dropped != "" {
		if err := reasoned(why); err != nil {
			return err
		}
		body["state"], id = continuity.TaskDropped, dropped
	}
	if !strings.HasPrefix(id, of+".") {
		id = of + ".task-" + strings.TrimPrefix(id, "task-")
	}
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	t, _, err := controlapi.Put[continuity.Task](cmd.Context(), node, "/incident-tasks/"+url.PathEscape(id)+"/state", continuity.VersionAny, body)
	if err != nil {
		return err
	}
	return c.show(t, func() { c.say("cli.incident.task.ended", "id", t.ID, "state", c.term("incident.task.", t.State)) })
}

func (c *cli) incidentDecideCommand() *cobra.Command {
	var why string
	cmd := c.command("decide <incident> <text> --why REASON", "incident.decide", exactly(2), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		return incidentAdd(c, cmd, args[0], "decisions", map[string]any{"text": args[1], "why": why}, func(d *continuity.Decision) string { return d.ID })
	})
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentSituationCommand() *cobra.Command {
	var actions, needs, department string
	cmd := c.command("situation <incident> <conditions>", "incident.situation", exactly(2), func(cmd *cobra.Command, args []string) error {
		body := map[string]any{"conditions": args[1], "actions": actions, "needs": needs, "department": department}
		return incidentAdd(c, cmd, args[0], "situations", body, func(s *continuity.Situation) string { return s.ID })
	})
	f := cmd.Flags()
	f.StringVar(&actions, "actions", "", c.t("cli.flag.incident-actions"))
	f.StringVar(&needs, "needs", "", c.t("cli.flag.incident-needs"))
	f.StringVar(&department, "department", "", c.t("cli.flag.incident-department"))
	return cmd
}

func (c *cli) incidentUseCommand() *cobra.Command {
	var count int
	var text string
	cmd := c.command("use <incident> <resource>", "incident.use", exactly(2), func(cmd *cobra.Command, args []string) error {
		return incidentAdd(c, cmd, args[0], "resources", map[string]any{"resource": args[1], "count": count, "text": text}, func(u *continuity.Used) string { return u.ID })
	})
	cmd.Flags().IntVar(&count, "count", 1, c.t("cli.flag.incident-count"))
	cmd.Flags().StringVar(&text, "for", "", c.t("cli.flag.incident-for"))
	return cmd
}

func (c *cli) incidentNoteCommand() *cobra.Command {
	return c.command("note <incident> <text>", "incident.note", exactly(2), func(cmd *cobra.Command, args []string) error {
		return incidentAdd(c, cmd, args[0], "notes", map[string]any{"text": args[1]}, func(n *continuity.Note) string { return n.ID })
	})
}

func (c *cli) incidentMergeCommand() *cobra.Command {
	var why string
	cmd := c.command("merge <incident> <into> --why REASON", "incident.merge", exactly(2), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		return c.mergeIncident(cmd, args[0], args[1], why)
	})
	return c.whyFlag(cmd, &why)
}

// mergeIncident says, too, what becomes of the grade of the one that goes on.
func (c *cli) mergeIncident(cmd *cobra.Command, id, into, why string) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	look := func() (i continuity.Incident, err error) {
		i, _, err = controlapi.Get[continuity.Incident](cmd.Context(), node, "/incidents/"+url.PathEscape(into), nil)
		return i, err
	}
	before, err := look()
	if err != nil {
		return err
	}
	i, _, err := controlapi.Put[continuity.Incident](cmd.Context(), node, "/incidents/"+url.PathEscape(id)+"/merge", continuity.VersionAny, map[string]any{"into": into, "why": why})
	if err != nil {
		return err
	}
	after, err := look()
	if err != nil {
		return err
	}
	return c.show(i, func() {
		c.incidentTable([]continuity.Incident{after})
		c.say("cli.incident.merge.done", "id", i.ID, "into", after.ID, "from", before.Grade, "grade", after.Grade, "other", i.Grade)
	})
}

func (c *cli) incidentSplitCommand() *cobra.Command {
	var b controlapi.IncidentSplit
	var title string
	cmd := c.command("split <incident> --why REASON", "incident.split", exactly(1), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(b.Why); err != nil {
			return err
		}
		b.Title = oneText(title)
		return c.incidentEdit(cmd, args[0], "split", b)
	})
	f := cmd.Flags()
	f.StringVar(&b.Scenario, "scenario", "", c.t("cli.flag.incident-scenario"))
	f.StringVar(&title, "title", "", c.t("cli.flag.incident-title"))
	f.StringVar(&b.Grade, "grade", "", c.t("cli.flag.incident-grade"))
	f.StringSliceVar(&b.Hits, "hits", nil, c.t("cli.flag.incident-hits"))
	return c.whyFlag(cmd, &b.Why)
}

func (c *cli) incidentReopenCommand() *cobra.Command {
	var why string
	cmd := c.command("reopen <incident> --why REASON", "incident.reopen", exactly(1), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		return c.incidentEdit(cmd, args[0], "reopen", map[string]any{"why": why})
	})
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentCloseCommand() *cobra.Command {
	var causes []string
	var summary, despite string
	cmd := c.command("close <incident> --cause KIND", "incident.close", exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.incidentEdit(cmd, args[0], "close", map[string]any{"causes": causes, "summary": summary, "despite": despite})
	})
	cmd.Flags().StringSliceVar(&causes, "cause", []string{}, c.t("cli.flag.incident-cause"))
	cmd.Flags().StringVar(&summary, "summary", "", c.t("cli.flag.incident-summary"))
	cmd.Flags().StringVar(&despite, "despite", "", c.t("cli.flag.incident-close-despite"))
	return cmd
}

func (c *cli) incidentReviewCommand() *cobra.Command {
	var note string
	cmd := c.command("review <incident>", "incident.review", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		i, _, err := controlapi.Put[continuity.Incident](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0])+"/review", continuity.VersionAny, map[string]any{"note": note})
		if err != nil {
			return err
		}
		return c.show(i, func() { c.say("cli.incident.review.done", "id", i.ID, "note", clean(note)) })
	})
	cmd.Flags().StringVar(&note, "note", "", c.t("cli.flag.incident-note"))
	return cmd
}

func (c *cli) incidentPersonalCommand() *cobra.Command {
	var since, why string
	cmd := c.command("personal-data <incident> --why REASON", "incident.personal-data", exactly(1), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		body := map[string]any{"why": why}
		if since != "" {
			node, err := c.connectControl()
			if err != nil {
				return err
			}
			now, err := incidentClock(cmd.Context(), node, args[0])()
			if err != nil {
				return err
			}
			at, err := momentOrAgo(since, now)
			if err != nil {
				return invalid("cli.invalid.moment", "value", since)
			}
			body["since"] = at.UTC()
		}
		return c.incidentEdit(cmd, args[0], "personal-data", body)
	})
	cmd.Flags().StringVar(&since, "since", "", c.t("cli.flag.incident-since"))
	return c.whyFlag(cmd, &why)
}
