package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
	"holdfast/internal/plan"
	"holdfast/internal/plan/bia"
	"holdfast/internal/plan/paper"
	"holdfast/internal/problem"
	"holdfast/internal/yamldoc"
)

func (c *cli) planInitCommand() *cobra.Command {
	var given []string
	var dir, sheet string
	cmd := c.command("init [--bia FILE.xlsx] [--answer NAME=VALUE]...", "plan-init", exactly(0), func(*cobra.Command, []string) error {
		begun := plan.Beginning{}
		if sheet != "" {
			var err error
			if begun, err = c.readSheet(sheet); err != nil {
				return err
			}
		}
		return c.planInit(begun, given, dir)
	})
	cmd.Flags().StringArrayVar(&given, "answer", nil, c.t("cli.flag.answer"))
	cmd.Flags().StringVar(&dir, "to", "plans", c.t("cli.flag.plans-dir"))
	cmd.Flags().StringVar(&sheet, "bia", "", c.t("cli.flag.bia"))
	return cmd
}

// readSheet takes a business impact analysis, all of it or nothing.
func (c *cli) readSheet(name string) (plan.Beginning, error) {
	file, err := os.Open(name) // #nosec G304 -- named by whoever runs it
	if err != nil {
		return plan.Beginning{}, unread(name, err)
	}
	defer func() { _ = file.Close() }()
	rows, problems, err := bia.Read(file)
	if err != nil {
		return plan.Beginning{}, unread(name, err)
	}
	begun := plan.Beginning{}
	if len(problems) == 0 {
		begun, problems = paper.Import(rows, c.lang)
	}
	if len(problems) == 0 {
		return begun, nil
	}
	c.reported = true
	if c.json {
		said := []map[string]string{}
		for _, p := range problems {
			said = append(said, map[string]string{"sheet": p.Sheet, "cell": p.Cell, "id": p.ID, "message": p.Message(c.lang)})
		}
		err = c.show(said, nil)
	} else {
		for _, p := range problems {
			fmt.Fprintln(c.err, p.Message(c.lang))
		}
	}
	return begun, errors.Join(err, continuity.E(continuity.CodeConfig, nil))
}

func (c *cli) planInit(begun plan.Beginning, given []string, dir string) error {
	asked := plan.Questions()
	if begun.Impact != nil {
		asked = slices.DeleteFunc(asked, func(q plan.Question) bool { return q.Sheet })
	}
	answers, err := c.answers(given, asked, dir)
	if err != nil {
		return err
	}
	file := planNamed(dir, answers["id"])
	begun.Answers, begun.Day = answers, time.Now().Format(time.DateOnly)
	text := plan.Begin(begun)
	r := &planReport{texts: map[string][]byte{file: text}}
	if _, r.problems = plan.Parse(plan.Source{Name: file, Text: text}, nil, nil); yamldoc.Failed(r.problems) {
		c.reported = true
		return errors.Join(c.tell(r), continuity.E(continuity.CodeConfig, nil))
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return invalid("cli.invalid.write", "file", dir, "cause", err.Error())
	}
	if err := durable.Replace(file, text); err != nil {
		return invalid("cli.invalid.write", "file", file, "cause", err.Error())
	}
	if begun.Impact != nil {
		c.say("cli.plan.init.taken", "n", len(begun.Impact))
	}
	c.say("cli.plan.init.done", "file", file)
	return nil
}

func planNamed(dir, id string) string { return filepath.Join(dir, id+".yaml") }

// planTime is an answer as a plan writes it: a time is said in many ways.
func planTime(q plan.Question, answer string) string {
	if d, ok := bia.Spoken(answer); ok && q.Time() {
		return plan.Written(d)
	}
	return answer
}

// refuses returns what is wrong with an answer, beside what others say already;
// nil: nothing is.
func (c *cli) refuses(dir string, q plan.Question, answer string, answers map[string]string) error {
	p := q.Wrong(answer, answers)
	switch {
	case p != nil:
		return invalid("cli.invalid.answer", "what", p.What(c.lang), "hint", p.Hint(c.lang))
	case q.ID == "id" && exists(planNamed(dir, answer)):
		return invalid("cli.invalid.plan-exists", "file", planNamed(dir, answer))
	}
	return nil
}

// answers takes what was given, and asks for the rest: at a terminal again and
// again, else a line of the input for each. What would be in the way of the plan
// is said at the question, not when all have been answered.
func (c *cli) answers(given []string, asked []plan.Question, dir string) (map[string]string, error) {
	answers := map[string]string{}
	known := map[string]plan.Question{}
	for _, q := range asked {
		known[q.ID] = q
	}
	for _, g := range given {
		name, value, _ := strings.Cut(g, "=")
		q, ok := known[name]
		if !ok {
			return nil, invalid("cli.invalid.question", "name", name)
		}
		value = planTime(q, value)
		if err := c.refuses(dir, q, value, answers); err != nil {
			return nil, err
		}
		answers[name] = value
	}
	lines := bufio.NewReader(c.in)
	for _, q := range asked {
		if _, ok := answers[q.ID]; ok {
			continue
		}
		answer, err := c.ask(lines, q, func(answer string) error { return c.refuses(dir, q, answer, answers) })
		if err != nil {
			return nil, err
		}
		answers[q.ID] = answer
	}
	return answers, nil
}

func (c *cli) ask(lines *bufio.Reader, q plan.Question, refuses func(string) error) (string, error) {
	for {
		fmt.Fprint(c.err, c.t("cli.plan.init.ask."+q.ID))
		if q.Default != "" {
			fmt.Fprintf(c.err, " [%s]", q.Default)
		}
		fmt.Fprint(c.err, " ")
		line, err := lines.ReadString('\n')
		answer := strings.TrimSpace(line)
		if answer == "" && q.Default != "" {
			answer = q.Default
		}
		answer = planTime(q, answer)
		wrong := refuses(answer)
		if wrong == nil {
			return answer, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if err != nil || !terminal(c.in) {
			return "", wrong
		}
		fmt.Fprintln(c.err, problem.Of(wrong, c.lang).Title)
	}
}
