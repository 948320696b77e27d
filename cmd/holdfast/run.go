package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/runbook"
)

func (c *cli) runCommand() *cobra.Command {
	cmd := c.onNode(c.group("run", "run"))
	cmd.AddCommand(
		c.runStartCommand(), c.runListCommand(), c.runShowCommand(), c.runTickCommand(), c.runAnswerCommand(), c.runUndoCommand(),
		c.runWordsCommand("done", "note", false), c.runWordsCommand("approve", "note", false),
		c.runWordsCommand("skip", "why", true), c.runWordsCommand("reject", "why", true),
		c.runRetryCommand(), c.runStopCommand(),
	)
	return cmd
}

func (c *cli) runStartCommand() *cobra.Command {
	var b controlapi.RunBegin
	var dry bool
	cmd := c.command("start <service> <runbook>", "run.start", exactly(2), func(cmd *cobra.Command, args []string) error {
		b.Service, b.Runbook = args[0], args[1]
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		if dry {
			p, err := controlapi.Post[runbook.RunPreview](cmd.Context(), node, "/run-previews", b)
			if err != nil {
				return err
			}
			if err := c.show(p, func() { c.showRunPreview(&p) }); err != nil || p.Lacks == 0 {
				return err
			}
			return findings{}
		}
		run, err := controlapi.Post[continuity.Run](cmd.Context(), node, "/runs", b)
		if err != nil {
			return err
		}
		c.warnMute(cmd.Context(), node)
		return c.show(run, func() { c.say("cli.run.start.done", "id", run.ID) })
	})
	f := cmd.Flags()
	f.StringVar(&b.About, "about", "", c.t("cli.flag.run-about"))
	f.StringSliceVar(&b.Steps, "steps", nil, c.t("cli.flag.run-steps"))
	f.StringVar(&b.Exercise, "exercise", "", c.t("cli.flag.run-exercise"))
	f.StringVar(&b.Why, "why", "", c.t("cli.flag.run-why"))
	f.BoolVar(&dry, "dry-run", false, c.t("cli.flag.run-dry"))
	return cmd
}

func (c *cli) showRunPreview(p *runbook.RunPreview) {
	t := table{head: c.heads("step", "assignee", "does", "back", "lacks")}
	for i := range p.Steps {
		s := &p.Steps[i]
		does := clean(runbook.Say(c.lang, &p.Script.Steps[i]))
		if text := runbook.Why(c.lang, s.What); text != "" {
			does = clean(text)
		}
		back, lacks := "", s.Needs
		if s.Reversible {
			back = "+"
		}
		if s.Lacks != nil {
			lacks = clean(runbook.Why(c.lang, *s.Lacks))
		}
		t.add(s.ID, p.Script.Steps[i].Owner, does, back, lacks)
	}
	c.table(t)
	if p.Lacks > 0 {
		c.say("cli.run.start.lacks", "count", p.Lacks)
	} else {
		c.say("cli.run.start.well")
	}
}

func (c *cli) runListCommand() *cobra.Command {
	var service, about string
	var past bool
	cmd := c.command("list", "run.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}, "about": {about}}
		if past {
			query.Set("past", "true")
		}
		all, err := controlapi.List[continuity.Run](cmd.Context(), node, "/runs", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("run", "runbook", "state", "about", "since", "actor"), none: c.t("cli.run.list.none")}
			for i := range all {
				r := &all[i]
				t.add(r.ID, c.inExercise(r.Exercise, r.Runbook), c.term("runbook.run.", r.State), r.About, clock(r.Started), clean(c.actor(r.By)))
			}
			c.table(t)
		})
	})
	f := cmd.Flags()
	f.StringVar(&service, "service", "", c.t("cli.flag.run-service"))
	f.StringVar(&about, "about", "", c.t("cli.flag.run-about"))
	f.BoolVar(&past, "past", false, c.t("cli.flag.run-past"))
	return cmd
}

func (c *cli) runShowCommand() *cobra.Command {
	return c.command("show <run>", "run.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		d, _, err := controlapi.Get[runbook.RunDetail](cmd.Context(), node, "/runs/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(d, func() { c.showRun(&d) })
	})
}

func (c *cli) showRun(d *runbook.RunDetail) {
	c.say("cli.run.show.head", "id", d.ID, "runbook", d.Runbook, "plan", d.Plan, "state", c.term("runbook.run.", d.State), "by", clean(c.actor(d.By)), "at", clock(d.Started))
	if strings.HasPrefix(d.Reason, "runbook.") || d.Reason == "exercise.over" {
		fmt.Fprintln(c.out, c.t(d.Reason))
	} else if d.Reason != "" {
		fmt.Fprintln(c.out, clean(d.Reason))
	}
	t := table{head: c.heads("step", "state", "assignee", "done-by", "due", "does", "why")}
	var lists, typed []string
	for i := range d.Steps {
		st := &d.Steps[i]
		step := runbook.Step{ID: st.ID}
		if d.Script != nil && i < len(d.Script.Steps) {
			step = d.Script.Steps[i]
		}
		why := clean(runbook.Why(c.lang, st.Reason))
		if st.Note != "" {
			why = strings.TrimSpace(why + " " + clean(st.Note))
		}
		due := ""
		if !st.Due.IsZero() {
			due = clock(st.Due)
		}
		by := ""
		if st.By != nil {
			by = clean(st.By.ID)
		}
		t.add(st.ID, c.term("runbook.state.", st.State), step.Owner, by, due, clean(runbook.Say(c.lang, &step)), why)
		lists = append(lists, c.openItems(&step, st)...)
		if step.Typed != "" && (st.State == continuity.StepReady || st.State == continuity.StepAsking) {
			typed = append(typed, st.ID+": "+clean(step.Typed))
		}
	}
	c.table(t)
	if len(lists) > 0 {
		fmt.Fprintln(c.out)
		c.say("cli.run.show.items")
		for _, line := range lists {
			fmt.Fprintln(c.out, "  "+line)
		}
	}
	if len(typed) > 0 {
		fmt.Fprintln(c.out)
		c.say("cli.run.show.typed")
		for _, line := range typed {
			fmt.Fprintln(c.out, "  "+line)
		}
	}
	if stays := notTakenBack(&d.Run); len(stays) > 0 {
		c.say("cli.run.show.stays", "steps", strings.Join(stays, ", "))
	}
	for i := range d.Steps {
		if lines := lastLines(d.Steps[i].Output); len(lines) > 0 {
			fmt.Fprintln(c.out)
			c.say("cli.run.show.output", "step", d.Steps[i].ID)
			for _, line := range lines {
				fmt.Fprintln(c.out, "  "+clean(line))
			}
		}
	}
}

// notTakenBack are the steps of a run that was taken back which were done all the same:
// nothing takes them back.
func notTakenBack(r *continuity.Run) (stays []string) {
	if r.State != continuity.RunUndone {
		return nil
	}
	for i := range r.Steps {
		if r.Steps[i].State == continuity.StepDone {
			stays = append(stays, r.Steps[i].ID)
		}
	}
	return stays
}

// mostLines is how many lines of a step's output are shown; --json has all that was kept.
const mostLines = 5

// lastLines are the last ones of what a step's command wrote, or of what the system that
// it asked answered.
func lastLines(output json.RawMessage) []string {
	var o struct{ Output, Body string }
	if output == nil || json.Unmarshal(output, &o) != nil {
		return nil // of a step that writes nothing
	}
	text := strings.TrimSpace(cmp.Or(o.Output, o.Body))
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(len(lines)-mostLines, 0):]
}

// openItems are the lines of a step's list while it is gone through.
func (c *cli) openItems(step *runbook.Step, st *continuity.StepRun) (lines []string) {
	if st.State != continuity.StepProving && st.State != continuity.StepReady {
		return nil
	}
	items := step.Items
	if st.Back {
		items = step.Back
	}
	for _, item := range items {
		mark := "[ ]"
		for _, ticked := range st.Ticked {
			if ticked == item.ID {
				mark = "[x]"
			}
		}
		lines = append(lines, mark+" "+st.ID+" "+item.ID+": "+c.said(item.Say))
	}
	return lines
}

// runAct does something with a step of a run, or with the run where step is empty. The
// engine changes runs all the time: what a person wants goes by the step's state, and
// not by the version that they saw.
func (c *cli) runAct(cmd *cobra.Command, id, step, verb string, body any) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	path := "/runs/" + url.PathEscape(id)
	if step != "" {
		path += "/steps/" + url.PathEscape(step)
	}
	run, _, err := controlapi.Put[continuity.Run](cmd.Context(), node, path+"/"+verb, continuity.VersionAny, body)
	if err != nil {
		return err
	}
	return c.show(run, func() {
		for i := range run.Steps {
			if run.Steps[i].ID == step {
				c.say("cli.run.changed", "id", run.ID, "state", c.term("runbook.run.", run.State), "step", step, "is", c.term("runbook.state.", run.Steps[i].State))
				return
			}
		}
		c.say("cli.run.is", "id", run.ID, "state", c.term("runbook.run.", run.State))
	})
}

// runWordsCommand is a verb with a person's words.
func (c *cli) runWordsCommand(verb, flag string, must bool) *cobra.Command {
	var words, typed string
	cmd := c.command(verb+" <run> <step>", "run."+verb, exactly(2), func(cmd *cobra.Command, args []string) error {
		if must {
			if strings.TrimSpace(words) == "" {
				return invalid("runbook.invalid.why")
			}
			return c.runAct(cmd, args[0], args[1], verb, controlapi.RunWhy{Why: words})
		}
		return c.runAct(cmd, args[0], args[1], verb, controlapi.RunNote{Note: words, Typed: typed})
	})
	cmd.Flags().StringVar(&words, flag, "", c.t("cli.flag.run-"+flag))
	if !must {
		cmd.Flags().StringVar(&typed, "type", "", c.t("cli.flag.run-type"))
	}
	return cmd
}

func (c *cli) runTickCommand() *cobra.Command {
	return c.command("tick <run> <step> <item>...", "run.tick", atLeast(3, 1000), func(cmd *cobra.Command, args []string) error {
		return c.runAct(cmd, args[0], args[1], "tick", controlapi.RunTicks{Items: args[2:]})
	})
}

func (c *cli) runAnswerCommand() *cobra.Command {
	var note string
	cmd := c.command("answer <run> <step> done|again|skip", "run.answer", exactly(3), func(cmd *cobra.Command, args []string) error {
		return c.runAct(cmd, args[0], args[1], "answer", controlapi.RunAnswer{Answer: args[2], Note: note})
	})
	cmd.Flags().StringVar(&note, "note", "", c.t("cli.flag.run-note"))
	return cmd
}

func (c *cli) runRetryCommand() *cobra.Command {
	return c.command("retry <run> <step>", "run.retry", exactly(2), func(cmd *cobra.Command, args []string) error {
		return c.runAct(cmd, args[0], args[1], "retry", struct{}{})
	})
}

func (c *cli) runUndoCommand() *cobra.Command {
	return c.command("undo <run> [step]", "run.undo", atLeast(1, 2), func(cmd *cobra.Command, args []string) error {
		step := ""
		if len(args) == 2 {
			step = args[1]
		}
		return c.runAct(cmd, args[0], step, "undo", struct{}{})
	})
}

func (c *cli) runStopCommand() *cobra.Command {
	var why string
	cmd := c.command("stop <run> --why REASON", "run.stop", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(why) == "" {
			return invalid("runbook.invalid.why")
		}
		return c.runAct(cmd, args[0], "", "stop", controlapi.RunWhy{Why: why})
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.run-why"))
	return cmd
}
