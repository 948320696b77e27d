package main

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/yamldoc"
)

// planProblems are problems that came as JSON.
func planProblems(arg any) (problems []yamldoc.Problem) {
	text, err := json.Marshal(arg)
	if err != nil || json.Unmarshal(text, &problems) != nil {
		return nil
	}
	return problems
}

// versionArg is the number behind a service; 0 where there is none.
func versionArg(args []string) (int64, error) {
	if len(args) < 2 {
		return 0, nil
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil || n < 1 {
		return 0, invalid("cli.invalid.plan-version", "value", args[1])
	}
	return n, nil
}

func (c *cli) planApproveCommand() *cobra.Command {
	var part, note string
	cmd := c.command("approve SERVICE VERSION [--part plan|tech]", "plan-approve", exactly(2), func(cmd *cobra.Command, args []string) error {
		number, err := versionArg(args)
		if err != nil {
			return err
		}
		if part != "" && part != continuity.PartPlan && part != continuity.PartTech {
			return invalid("cli.invalid.plan-part", "value", part)
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		parts := []string{part}
		if part == "" {
			if parts, err = c.unapproved(cmd.Context(), node, args[0], number); err != nil {
				return err
			}
		}
		v, left, err := approve(cmd.Context(), node, args[0], number, parts, note)
		if err != nil {
			return err
		}
		return c.show(v, func() {
			c.say("cli.plan-approve.done", "service", args[0], "version", number)
			lacks := v.Lacks()
			for _, p := range left {
				if slices.Contains(lacks, p) {
					c.say("cli.plan-approve.left", "part", c.t("cli.plan.part."+p))
				}
			}
			if len(lacks) == 0 {
				c.say("cli.plan-approve.ready", "service", args[0], "version", number)
			}
		})
	})
	cmd.Flags().StringVar(&part, "part", "", c.t("cli.flag.plan-part"))
	cmd.Flags().StringVar(&note, "note", "", c.t("cli.flag.plan-note"))
	return cmd
}

// unapproved are the parts that a version changes and nobody has approved.
func (c *cli) unapproved(ctx context.Context, node *controlapi.Client, service string, number int64) ([]string, error) {
	versions, err := planVersions(ctx, node, service)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(versions, func(v planDraft) bool { return v.Number == number })
	if i < 0 {
		return nil, continuity.E(continuity.CodeNotFound, nil, "plan", service, "number", number)
	}
	if parts := versions[i].PlanVersion.Lacks(); len(parts) > 0 {
		return parts, nil
	}
	return versions[i].Parts, nil // the node says what is wrong with that
}

// approve approves each part that the caller may, and returns those that are left
// to others.
func approve(ctx context.Context, node *controlapi.Client, service string, number int64, parts []string, note string) (v continuity.PlanVersion, left []string, err error) {
	var refused error
	for _, part := range parts {
		verb := "approve"
		if part == continuity.PartTech {
			verb = "approve-tech"
		}
		path := planPath(service, "versions", strconv.FormatInt(number, 10), verb)
		next, err := controlapi.Post[continuity.PlanVersion](ctx, node, path, controlapi.PlanWord{Note: note})
		switch {
		case continuity.CodeOf(err) == continuity.CodeScope:
			refused, left = err, append(left, part)
		case err != nil:
			return v, nil, err
		default:
			v = next
		}
	}
	if len(left) == len(parts) {
		return v, nil, refused
	}
	return v, left, nil
}

func (c *cli) planReviewCommand() *cobra.Command {
	var note string
	cmd := c.command("review SERVICE [VERSION]", "plan-review", nil, func(cmd *cobra.Command, args []string) error {
		if len(args) < 1 || len(args) > 2 {
			return invalid("cli.invalid.args", "usage", cmd.UseLine())
		}
		number, err := versionArg(args)
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		path := planPath(args[0], "versions", strconv.FormatInt(number, 10), "review")
		v, err := controlapi.Post[continuity.PlanVersion](cmd.Context(), node, path, controlapi.PlanWord{Note: note})
		if err != nil {
			return err
		}
		shown, _, err := controlapi.Get[controlapi.PlanShown](cmd.Context(), node, planPath(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(v, func() {
			id := "cli.plan-review.draft"
			if v.State == continuity.PlanApplied {
				id = "cli.plan-review.done"
			}
			c.say(id, "service", args[0], "version", v.Number, "due", day(shown.ReviewDue))
		})
	})
	cmd.Flags().StringVar(&note, "note", "", c.t("cli.flag.plan-note"))
	return cmd
}
