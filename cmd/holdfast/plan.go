package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

func (c *cli) planCommand() *cobra.Command {
	cmd := c.group("plan", "plan")
	cmd.AddCommand(c.planCardsCommand(), c.planCheckCommand(), c.planDiffCommand(), c.planFmtCommand(), c.planInitCommand(), c.planSchemaCommand())
	cmd.AddCommand(c.planCommands()...)
	return cmd
}

// planFiles are the files that are meant: those named, or all of plans/.
func planFiles(args []string) ([]string, error) {
	if len(args) > 0 {
		return args, nil
	}
	files, err := filepath.Glob("plans/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, invalid("cli.invalid.no-plans")
	}
	return files, nil
}

func planSource(path string) (plan.Source, error) {
	text, err := yamldoc.ReadFile(path)
	if err != nil {
		return plan.Source{}, unread(path, err)
	}
	return plan.Source{Name: path, Text: text}, nil
}

// unread says why nothing is read of a file that somebody named.
func unread(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return invalid("cli.invalid.no-file", "file", path)
	}
	return invalid("cli.invalid.unreadable", "file", path)
}

var (
	schemaLine = regexp.MustCompile(`(?m)^schema:[ \t]*["']?holdfast/([a-z-]+)@`)
	schemas    = []string{"plan", "plan-tech", "people", "flow", "control", "relay"}
)

// meant refuses a file of another kind, and says which command takes it.
func meant(kind string, s plan.Source) error {
	m := schemaLine.FindSubmatch(s.Text)
	if m == nil || string(m[1]) == kind || !slices.Contains(schemas, string(m[1])) {
		return nil
	}
	return invalid("cli.invalid.other-kind", "file", s.Name, "kind", string(m[1]))
}

// planFilesOf reads the files that a plan names, as far as they are there: they
// stand beside it.
func planFilesOf(p *plan.Plan) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range p.FileNames() {
		path := filepath.Join(filepath.Dir(p.File), name)
		if !filepath.IsLocal(name) || !exists(path) {
			continue // named by who needs it
		}
		s, err := planSource(path)
		if err != nil {
			return nil, err
		}
		files[name] = string(s.Text)
	}
	return files, nil
}

// planReport gathers the problems of several files with their texts.
type planReport struct {
	texts    map[string][]byte
	problems []yamldoc.Problem
	people   *plan.People // nil: nobody said who there is
}

func (r *planReport) read(path string) (plan.Source, error) {
	s, err := planSource(path)
	r.texts[path] = s.Text
	return s, err
}

// readPlan reads what the business decided.
func (r *planReport) readPlan(path string) (plan.Source, error) {
	s, err := r.read(path)
	if err == nil {
		err = meant("plan", s)
	}
	return s, err
}

func (c *cli) tell(r *planReport) error {
	if c.json {
		return yamldoc.WriteJSON(c.out, c.lang, r.problems)
	}
	for _, p := range r.problems {
		if err := yamldoc.Render(c.err, c.lang, r.texts[p.File], []yamldoc.Problem{p}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) planCheckCommand() *cobra.Command {
	var peopleFile string
	cmd := c.command("check [FILE...]", "plan-check", nil, func(_ *cobra.Command, args []string) error {
		files, err := planFiles(args)
		if err != nil {
			return err
		}
		r := &planReport{texts: map[string][]byte{}}
		plans, err := r.parse(files, peopleFile)
		if err != nil {
			return err
		}
		if err := c.tell(r); err != nil {
			return err
		}
		if yamldoc.Failed(r.problems) {
			c.reported = true
			return continuity.E(continuity.CodeConfig, nil)
		}
		if !c.json {
			for _, p := range plans {
				c.say("cli.plan.check.good", "file", p.File, "scenarios", len(p.Scenarios), "runbooks", len(p.Runbooks))
			}
		}
		return nil
	})
	cmd.Flags().StringVar(&peopleFile, "people", "", c.t("cli.flag.people"))
	return cmd
}

// parse reads the plans among the files, each with its technical file and the
// people beside it.
func (r *planReport) parse(files []string, peopleFile string) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	read := map[string]bool{}
	people := func(path string) error {
		if path == "" || read[path] {
			return nil
		}
		read[path] = true
		s, err := r.read(path)
		if err == nil {
			err = meant("people", s)
		}
		if err != nil {
			return err
		}
		s, p, problems := plan.PeopleFile(s)
		r.texts[path] = s.Text
		r.problems = append(r.problems, problems...)
		r.people = p
		return nil
	}
	if err := people(peopleFile); err != nil {
		return nil, err
	}
	for _, file := range files {
		if beside := filepath.Join(filepath.Dir(file), "people.yaml"); peopleFile == "" && exists(beside) {
			if err := people(beside); err != nil {
				return nil, err
			}
		}
	}
	if peopleFile == "" && !slices.ContainsFunc(files, func(file string) bool { return !strings.HasSuffix(file, "people.yaml") }) && !yamldoc.Failed(r.problems) {
		return nil, invalid("cli.invalid.other-kind", "file", files[0], "kind", "people")
	}
	for _, file := range files {
		if strings.HasSuffix(file, "people.yaml") || strings.HasSuffix(file, ".tech.yaml") && slices.Contains(files, strings.TrimSuffix(file, ".tech.yaml")+".yaml") {
			continue
		}
		file = strings.TrimSuffix(strings.TrimSuffix(file, ".yaml"), ".tech") + ".yaml"
		business, err := r.readPlan(file)
		if err != nil {
			return nil, err
		}
		var tech *plan.Source
		if name := plan.TechName(file); exists(name) {
			s, err := r.read(name)
			if err != nil {
				return nil, err
			}
			tech = &s
		}
		p, problems := plan.Parse(business, tech, r.people)
		r.problems = append(r.problems, problems...)
		if p != nil {
			if p.Files, err = planFilesOf(p); err != nil {
				return nil, err
			}
			r.problems = append(r.problems, binding.Check(p)...)
			plans = append(plans, p)
		}
	}
	r.problems = append(r.problems, plan.CheckPlans(plans)...)
	return plans, nil
}

func (c *cli) planFmtCommand() *cobra.Command {
	var fix bool
	cmd := c.command("fmt [FILE...] [--fix]", "plan-fmt", nil, func(_ *cobra.Command, args []string) error {
		files, err := planFiles(args)
		if err != nil {
			return err
		}
		r := &planReport{texts: map[string][]byte{}}
		changed := false
		for _, file := range files {
			s, err := r.read(file)
			if err != nil {
				return err
			}
			text, problems := plan.Format(s)
			r.problems = append(r.problems, problems...)
			if bytes.Equal(text, s.Text) {
				continue
			}
			changed = true
			if !fix {
				c.say("cli.plan.fmt.would", "file", file, "n", len(problems))
				continue
			}
			if err := rewrite(file, text); err != nil {
				return err
			}
			c.say("cli.plan.fmt.done", "file", file, "n", len(problems))
		}
		if fix {
			return nil
		}
		if err := c.tell(r); err != nil {
			return err
		}
		if changed {
			return findings{}
		}
		return nil
	})
	cmd.Flags().BoolVar(&fix, "fix", false, c.t("cli.flag.fix"))
	return cmd
}

// rewrite puts a new text in a file's place: whole or not at all.
func rewrite(path string, text []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

func (c *cli) planSchemaCommand() *cobra.Command {
	return c.command("schema [plan|tech|people]", "plan-schema", atMost(1), func(_ *cobra.Command, args []string) error {
		kind := plan.KindPlan
		if len(args) == 1 {
			kind = args[0]
		}
		if !slices.Contains(plan.Kinds(), kind) {
			return invalid("cli.invalid.kind-of-plan", "value", kind, "words", strings.Join(plan.Kinds(), ", "))
		}
		_, err := c.out.Write(plan.Schema(c.lang, kind))
		return err
	})
}
