package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
	"holdfast/internal/yamldoc"
)

// planCommands speak to a control node.
func (c *cli) planCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, cmd := range []*cobra.Command{
		c.planApplyCommand(), c.planApproveCommand(), c.planReviewCommand(),
		c.planListCommand(), c.planShowCommand(), c.planHistoryCommand(), c.planExportCommand(),
	} {
		commands = append(commands, c.onNode(cmd))
	}
	return commands
}

type planApply struct {
	base, why  string
	version    int64
	draft, try bool
}

func (c *cli) planApplyCommand() *cobra.Command {
	var a planApply
	cmd := c.command("apply FILE... | apply SERVICE --version N", "plan-apply", nil, func(cmd *cobra.Command, args []string) error {
		if a.version != 0 {
			if len(args) != 1 || a.draft || a.try || a.base != "" {
				return invalid("cli.invalid.args", "usage", cmd.UseLine())
			}
			return c.planApplyVersion(cmd.Context(), args[0], a)
		}
		files, err := planFiles(args)
		if err != nil {
			return err
		}
		if a.base != "" && len(files) > 1 && len(args) != 1 {
			return invalid("cli.invalid.plan-base-one")
		}
		return c.planApplyFiles(cmd.Context(), files, a)
	})
	f := cmd.Flags()
	f.StringVar(&a.base, "base", "", c.t("cli.flag.plan-base"))
	f.StringVar(&a.why, "why", "", c.t("cli.flag.why"))
	f.Int64Var(&a.version, "version", 0, c.t("cli.flag.plan-apply-version"))
	f.BoolVar(&a.draft, "draft", false, c.t("cli.flag.plan-draft"))
	f.BoolVar(&a.try, "dry-run", false, c.t("cli.flag.plan-dry-run"))
	return cmd
}

// written is a plan as its files say it.
type written struct {
	service string
	file    string // X.yaml
	texts   continuity.PlanTexts
	report  *planReport
}

// planWritten reads a plan's files. What is wrong with them is the node's to say,
// but for what no node could read.
func planWritten(file string) (*written, error) {
	w := &written{file: strings.TrimSuffix(strings.TrimSuffix(file, ".yaml"), ".tech") + ".yaml", report: &planReport{texts: map[string][]byte{}}}
	if w.file != file && !exists(w.file) && !strings.HasSuffix(file, ".yaml") {
		return nil, invalid("cli.invalid.plan-file", "value", file, "file", w.file)
	}
	business, err := w.report.readPlan(w.file)
	if err != nil {
		return nil, err
	}
	var tech *plan.Source
	if name := plan.TechName(w.file); exists(name) {
		s, err := w.report.read(name)
		if err != nil {
			return nil, err
		}
		tech, w.texts.Tech = &s, string(s.Text)
	}
	p, problems := plan.Read(business, tech, nil)
	if p == nil || p.ID == "" {
		w.report.problems = problems
		return w, continuity.E(continuity.CodeConfig, nil)
	}
	w.service, w.texts.Plan = p.ID, string(business.Text)
	files, err := planFilesOf(p)
	if len(files) > 0 {
		w.texts.Files = files
	}
	for name, text := range files {
		w.report.texts[filepath.Join(filepath.Dir(w.file), name)] = []byte(text)
	}
	return w, err
}

// planFrom is planWritten with its problems told.
func (c *cli) planFrom(file string) (*written, error) {
	w, err := planWritten(file)
	if err != nil && w != nil && len(w.report.problems) > 0 {
		c.reported = true
		err = errors.Join(c.tell(w.report), err)
	}
	return w, err
}

func (c *cli) planApplyFiles(ctx context.Context, files []string, a planApply) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	var all []*written
	seen := map[string]bool{}
	for _, file := range files {
		if filepath.Base(file) == "people.yaml" {
			continue
		}
		w, err := c.planFrom(file)
		if err != nil {
			return err
		}
		if !seen[w.file] {
			seen[w.file] = true
			all = append(all, w)
		}
	}
	results := []controlapi.PlanResult{}
	for _, w := range all {
		result, err := c.submit(ctx, node, w, a)
		if err != nil {
			return err
		}
		results = append(results, result)
		if !c.json {
			if err := c.planOutcome(w, result, a); err != nil {
				return err
			}
		}
	}
	if c.json {
		return c.show(results, nil)
	}
	return nil
}

// submit applies a plan, and notes what became of its files.
func (c *cli) submit(ctx context.Context, node *controlapi.Client, w *written, a planApply) (result controlapi.PlanResult, err error) {
	dir := filepath.Dir(w.file)
	base, unread := readPlanBase(dir, w.service)
	if a.base == "" && unread != nil {
		return result, unread
	}
	s, err := w.submission(a, base)
	if err != nil {
		return result, err
	}
	path := planPath(w.service, "versions")
	result, err = controlapi.Post[controlapi.PlanResult](ctx, node, path, s)
	if conflict, ok := planbook.ConflictOf(err); ok && a.base == "" {
		d, own := base.draft(conflict.Version) // holds by now
		if conflict.Version == 0 {
			base, own = planBase{}, true // of another node: on this one is nothing that could be written over
		}
		if own {
			s.Base, s.Hash = d.Version, d.Hash
			result, err = controlapi.Post[controlapi.PlanResult](ctx, node, path, s)
		}
	}
	if err != nil {
		return result, errors.Join(c.refused(w, err), err)
	}
	if a.try {
		return result, nil
	}
	return result, writePlanBase(dir, base.after(result.Version))
}

// submission says which version the files were written from: as --base tells, or
// the file beside them, or none.
func (w *written) submission(a planApply, b planBase) (controlapi.PlanSubmission, error) {
	s := controlapi.PlanSubmission{PlanTexts: controlapi.PlanTexts(w.texts), File: w.file, Reason: a.why, Draft: a.draft, DryRun: a.try}
	switch a.base {
	case "":
		s.Base, s.Hash = b.Version, b.Hash
		return s, nil
	case "current":
		s.Base = planbook.Whatever
		return s, nil
	}
	n, err := strconv.ParseInt(a.base, 10, 64)
	if err != nil || n < 0 {
		return s, invalid("cli.invalid.plan-base-number", "value", a.base)
	}
	s.Base = n
	return s, nil
}

func planPath(service string, more ...string) string {
	return "/plans/" + strings.Join(append([]string{url.PathEscape(service)}, more...), "/")
}

// planOutcome says what became of a submission, or would.
func (c *cli) planOutcome(w *written, r controlapi.PlanResult, a planApply) error {
	for _, p := range r.Warnings {
		if err := yamldoc.Render(c.err, c.lang, w.report.texts[p.File], []yamldoc.Problem{p.Problem}); err != nil {
			return err
		}
	}
	v := r.Version
	switch {
	case r.Unchanged:
		c.say("cli.plan-apply.unchanged", "service", v.Service, "version", v.Number)
		return nil
	case a.try:
		c.say("cli.plan-apply.would", "service", v.Service, "base", v.Base)
	case v.State == continuity.PlanApplied:
		c.say("cli.plan-apply.holds", "service", v.Service, "version", v.Number, "base", v.Base)
	default:
		c.say("cli.plan-apply.draft", "service", v.Service, "version", v.Number, "base", v.Base)
	}
	c.planChanges(r.Changes)
	if len(r.Lacks) > 0 {
		c.say("cli.plan-apply.lacks", "parts", c.parts(r.Lacks), "service", v.Service, "version", v.Number)
	}
	return nil
}

// planChanges says what changed, a line each.
func (c *cli) planChanges(changes []planbook.PlanChange) {
	for _, ch := range changes {
		where := strings.Join(ch.Where, " › ")
		if ch.Part == continuity.PartTech {
			where = strings.TrimSuffix(c.t("cli.plan.part.tech")+" › "+where, " › ")
		} else if where == "" {
			where = c.t("cli.plan.part.plan")
		}
		fmt.Fprint(c.out, "  ")
		c.say("cli.plan.diff."+string(ch.Kind), "where", clean(where), "from", clean(ch.From), "to", clean(ch.To))
	}
}

func (c *cli) parts(parts []string) string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = c.t("cli.plan.part." + p)
	}
	return strings.Join(names, ", ")
}

// refused tells what is behind a refusal that has more to say than a sentence:
// mistakes with the lines they are in, or what somebody else changed.
func (c *cli) refused(w *written, err error) error {
	if c.json {
		return nil // the problem document has it
	}
	if conflict, ok := planbook.ConflictOf(err); ok {
		if conflict.Version != 0 {
			c.planConflict(conflict)
		}
		return nil
	}
	var e *continuity.Error
	if !errors.As(err, &e) || e.Code != continuity.CodeConfig {
		return nil
	}
	for _, p := range planProblems(e.Args["problems"]) {
		c.told = true
		var text []byte
		if w != nil {
			text = w.report.texts[p.File]
		}
		if err := yamldoc.Render(c.err, c.lang, text, []yamldoc.Problem{p}); err != nil {
			return err
		}
	}
	return nil
}

// planConflict shows what changed since the files were taken from the node.
func (c *cli) planConflict(conflict planbook.Conflict) {
	c.say("cli.plan.conflict.holds", "service", conflict.Plan, "version", conflict.Version, "who", conflict.Author.ID, "when", clock(conflict.Applied), "why", clean(conflict.Reason))
	for _, group := range []struct {
		id      string
		changes []planbook.PlanChange
	}{{"theirs", conflict.Theirs}, {"lost", conflict.Lost}, {"both", conflict.Both}} {
		if len(group.changes) > 0 {
			c.say("cli.plan.conflict." + group.id)
			c.planChanges(group.changes)
		}
	}
	c.say("cli.plan.conflict.advice", "service", conflict.Plan, "version", conflict.Version)
}

func (c *cli) planApplyVersion(ctx context.Context, service string, a planApply) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	path := planPath(service, "versions", strconv.FormatInt(a.version, 10), "apply")
	r, err := controlapi.Post[controlapi.PlanResult](ctx, node, path, controlapi.PlanWord{Note: a.why})
	if err != nil {
		return errors.Join(c.refused(nil, err), err)
	}
	return c.show(r, func() {
		c.say("cli.plan-apply.holds", "service", service, "version", r.Version.Number, "base", r.Version.Base)
		c.planChanges(r.Changes)
	})
}
