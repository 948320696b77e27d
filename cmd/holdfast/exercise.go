package main

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) exerciseCommand() *cobra.Command {
	cmd := c.onNode(c.group("exercise", "exercise"))
	cmd.AddCommand(c.exerciseStartCommand(), c.exerciseJumpCommand(), c.exerciseShowCommand(), c.exerciseEndCommand())
	return cmd
}

// inExercise marks a row of what belongs to an exercise.
func (c *cli) inExercise(exercise, text string) string {
	if exercise == "" {
		return text
	}
	return c.t("notify.exercise") + text
}

func exercisePath(id string) string { return "/exercises/" + url.PathEscape(id) }

// setExercise sets a clock, and shows it.
func (c *cli) setExercise(ctx context.Context, node *controlapi.Client, id string, version int64, to controlapi.ExerciseClock) error {
	x, _, err := controlapi.Put[controlapi.ExerciseShown](ctx, node, exercisePath(id), version, to)
	if err != nil {
		return err
	}
	return c.show(x, func() { c.exerciseLine(&x) })
}

func (c *cli) exerciseLine(x *controlapi.ExerciseShown) {
	if !x.Ended.IsZero() {
		c.say("cli.exercise.ended", "id", x.ID, "now", shownClock(x.Now))
		return
	}
	c.say("cli.exercise.line", "id", x.ID, "now", shownClock(x.Now), "speed", x.Speed)
}

// shownClock is what an exercise's clock shows, with the offset: an exercise is of no
// service, and has no zone.
func shownClock(at time.Time) string { return at.Local().Format("2006-01-02 15:04:05 UTC-07:00") }

func (c *cli) exerciseStartCommand() *cobra.Command {
	var at string
	var speed float64
	cmd := c.command("start <exercise>", "exercise.start", exactly(1), func(cmd *cobra.Command, args []string) (err error) {
		to := controlapi.ExerciseClock{Speed: speed}
		if at != "" {
			if to.Shown, err = laterMoment(at); err != nil {
				return err
			}
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		return c.setExercise(cmd.Context(), node, args[0], continuity.VersionNew, to)
	})
	cmd.Flags().StringVar(&at, "at", "", c.t("cli.flag.exercise-at"))
	cmd.Flags().Float64Var(&speed, "speed", 1, c.t("cli.flag.exercise-speed"))
	return cmd
}

func (c *cli) exerciseJumpCommand() *cobra.Command {
	var to, by string
	var speed float64
	cmd := c.command("jump <exercise> --by 24h", "exercise.jump", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		x, version, err := controlapi.Get[controlapi.ExerciseShown](cmd.Context(), node, exercisePath(args[0]), nil)
		if err != nil {
			return err
		}
		clock := controlapi.ExerciseClock{Speed: x.Speed}
		var ahead time.Duration
		if by != "" {
			if ahead, err = length(by); err != nil {
				return err
			}
			if ahead <= 0 {
				return invalid("cli.invalid.exercise-back", "value", by)
			}
		}
		switch {
		case to != "" && by == "":
			if clock.Shown, err = laterMoment(strings.TrimSpace(to)); err != nil {
				return err
			}
		case by != "" && to == "":
			clock.Shown = x.Now.Add(ahead)
		case by != "" || to != "" || !cmd.Flags().Changed("speed"):
			return invalid("cli.invalid.exercise-jump")
		}
		if cmd.Flags().Changed("speed") {
			clock.Speed = speed
		}
		return c.setExercise(cmd.Context(), node, args[0], version, clock)
	})
	cmd.Flags().StringVar(&to, "to", "", c.t("cli.flag.exercise-to"))
	cmd.Flags().StringVar(&by, "by", "", c.t("cli.flag.exercise-by"))
	cmd.Flags().Float64Var(&speed, "speed", 1, c.t("cli.flag.exercise-speed"))
	return cmd
}

func (c *cli) exerciseShowCommand() *cobra.Command {
	return c.command("show [exercise]", "exercise.show", atMost(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		var all []controlapi.ExerciseShown
		if len(args) == 1 {
			x, _, err := controlapi.Get[controlapi.ExerciseShown](cmd.Context(), node, exercisePath(args[0]), nil)
			if err != nil {
				return err
			}
			all = append(all, x)
		} else if all, err = controlapi.List[controlapi.ExerciseShown](cmd.Context(), node, "/exercises", nil, 0); err != nil {
			return err
		}
		return c.show(all, func() {
			for i := range all {
				c.exerciseLine(&all[i])
			}
			if len(all) == 0 {
				c.say("cli.exercise.none")
			}
		})
	})
}

func (c *cli) exerciseEndCommand() *cobra.Command {
	var service, failed string
	cmd := c.command("end <exercise>", "exercise.end", exactly(1), func(cmd *cobra.Command, args []string) error {
		if (service == "") != (strings.TrimSpace(failed) == "") {
			return invalid("exercise.invalid.failed")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		_, version, err := controlapi.Get[controlapi.ExerciseShown](cmd.Context(), node, exercisePath(args[0]), nil)
		if err != nil {
			return err
		}
		verb, body := "/end", any(struct{}{})
		if failed != "" {
			verb, body = "/failure", controlapi.ExerciseFailure{Service: service, Why: failed}
		}
		x, _, err := controlapi.Put[controlapi.ExerciseShown](cmd.Context(), node, exercisePath(args[0])+verb, version, body)
		if err != nil {
			return err
		}
		return c.show(x, func() { c.exerciseLine(&x) })
	})
	cmd.Flags().StringVar(&failed, "failed", "", c.t("cli.flag.exercise-failed"))
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.exercise-service"))
	return cmd
}
