package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
)

// planDiffCommand compares two files without a node, a file with what a node has,
// or two versions of a node.
func (c *cli) planDiffCommand() *cobra.Command {
	var version, from, to int64
	cmd := c.command("diff BEFORE AFTER | diff FILE [--version N] | diff SERVICE [--from N] [--to N]", "plan-diff", nil, func(cmd *cobra.Command, args []string) error {
		file := len(args) > 0 && strings.HasSuffix(args[0], ".yaml")
		switch {
		case len(args) == 2 && version == 0 && from == 0 && to == 0:
			return c.planDiffFiles(args[0], args[1])
		case len(args) == 1 && file && from == 0 && to == 0:
			return c.planDiffNode(cmd.Context(), args[0], version)
		case len(args) == 1 && !file && version == 0:
			return c.planDiffVersions(cmd.Context(), args[0], from, to)
		}
		return invalid("cli.invalid.args", "usage", cmd.UseLine())
	})
	cmd.Flags().Int64Var(&version, "version", 0, c.t("cli.flag.plan-version"))
	cmd.Flags().Int64Var(&from, "from", 0, c.t("cli.flag.plan-from"))
	cmd.Flags().Int64Var(&to, "to", 0, c.t("cli.flag.plan-version"))
	return c.onNode(cmd)
}

func (c *cli) planDiffFiles(first, second string) error {
	r := &planReport{texts: map[string][]byte{}}
	before, err := r.read(first)
	if err != nil {
		return err
	}
	after, err := r.read(second)
	if err != nil {
		return err
	}
	if plan.KindOf(before) != plan.KindOf(after) {
		return invalid("cli.invalid.kinds-of-plan", "before", first, "after", second)
	}
	changes, problems := plan.Diff(before, after)
	if len(problems) > 0 {
		r.problems = problems
		c.reported = true
		return errors.Join(c.tell(r), continuity.E(continuity.CodeConfig, nil))
	}
	if changes == nil {
		changes = []plan.Change{}
	}
	return c.show(changes, func() {
		if len(changes) == 0 {
			c.say("cli.plan.diff.none")
		}
		for _, ch := range changes {
			c.say("cli.plan.diff."+string(ch.Kind), "where", strings.Join(ch.Where, " › "), "from", ch.From, "to", ch.To)
		}
	})
}

// planDiffNode says what applying a plan's files would change.
func (c *cli) planDiffNode(ctx context.Context, file string, version int64) error {
	w, err := c.planFrom(file)
	if err != nil {
		return err
	}
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	f, err := planFilesAt(ctx, node, w.service, version)
	if err != nil {
		return err
	}
	return c.planCompared(w.service, planbook.Diff(w.service, continuity.PlanTexts(f.PlanTexts), w.texts), f.Version, 0)
}

func (c *cli) planDiffVersions(ctx context.Context, service string, from, to int64) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	query := url.Values{"from": {fmt.Sprint(from)}, "to": {fmt.Sprint(to)}}
	d, _, err := controlapi.Get[planbook.PlanComparison](ctx, node, planPath(service, "diff"), query)
	if err != nil {
		return err
	}
	return c.planCompared(service, d.Changes, d.From, d.To)
}

// planCompared shows differences; to 0: the files.
func (c *cli) planCompared(service string, changes []planbook.PlanChange, from, to int64) error {
	return c.show(changes, func() {
		switch {
		case from == 0:
			c.say("cli.plan-diff.first", "service", service, "to", to)
		case len(changes) == 0:
			c.say("cli.plan.diff.none")
		default:
			c.say("cli.plan-diff.head", "service", service, "from", from, "to", to)
			c.planChanges(changes)
		}
	})
}
