package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

func (c *cli) peopleCommand() *cobra.Command {
	cmd := c.onNode(c.group("people", "people"))
	cmd.AddCommand(c.peopleImportCommand(), c.peopleListCommand(), c.peopleShowCommand(), c.peopleLeftCommand(), c.peopleRemoveCommand())
	return cmd
}

func personPath(id string) string { return "/people/" + url.PathEscape(id) }

// readPeople reads a file of people and shows what is wrong with it.
func (c *cli) readPeople(file string) ([]continuity.Person, error) {
	text, err := yamldoc.ReadFile(file)
	if err != nil {
		return nil, unread(file, err)
	}
	source := plan.Source{Name: file, Text: text}
	if err := meant("people", source); err != nil {
		return nil, err
	}
	source, people, problems := plan.PeopleFile(source)
	if len(problems) > 0 && (people == nil || !c.json) {
		if err := c.tell(&planReport{texts: map[string][]byte{file: source.Text}, problems: problems}); err != nil {
			return nil, err
		}
	}
	if people == nil {
		c.reported = true
		return nil, continuity.E(continuity.CodeConfig, nil)
	}
	return people.Persons(), nil
}

func (c *cli) peopleImportCommand() *cobra.Command {
	var dry bool
	var why *string
	cmd := c.command("import FILE", "people.import", exactly(1), func(cmd *cobra.Command, args []string) error {
		people, err := c.readPeople(args[0])
		if err != nil {
			return err
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		change, err := controlapi.Post[continuity.PeopleChange](cmd.Context(), node, "/people/import", map[string]any{
			"people": people, "dry_run": dry, "reason": *why,
		})
		if err != nil {
			return err
		}
		return c.show(change, func() { c.peopleChange(change) })
	})
	cmd.Flags().BoolVar(&dry, "dry-run", false, c.t("cli.flag.people-dry"))
	why = c.why(cmd)
	return cmd
}

func (c *cli) peopleChange(change continuity.PeopleChange) {
	t := table{head: c.heads("change", "person", "what")}
	for _, id := range change.Added {
		t.add(c.t("cli.people.added"), id)
	}
	for _, p := range change.Changed {
		t.add(c.t("cli.people.changed"), p.ID, strings.Join(p.Fields, ", "))
	}
	for _, id := range change.Missing {
		t.add(c.t("cli.people.missing"), id)
	}
	for _, m := range change.Named {
		t.add(c.t("cli.people.gone"), m.Person, mentioned(m))
	}
	for i := range t.rows {
		for len(t.rows[i]) < len(t.head) {
			t.rows[i] = append(t.rows[i], "")
		}
	}
	c.table(t)
	id := "cli.people.would"
	if change.Done {
		id = "cli.people.done"
	}
	c.warnOnly(id, "added", len(change.Added), "changed", len(change.Changed), "unchanged", change.Unchanged, "missing", len(change.Missing))
	if len(change.Named) > 0 {
		c.warn("cli.people.named", "count", len(change.Named))
	}
}

// mentioned is a place in a plan as compilers write it.
func mentioned(m continuity.Mention) string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Where)
}

// calledBy is a person's name in the language of the reader.
func (c *cli) calledBy(p continuity.Person) string {
	if name := p.Names[string(c.lang)]; name != "" {
		return name
	}
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		if name := p.Names[string(lang)]; name != "" {
			return name
		}
	}
	return ""
}

func (c *cli) people(list ...continuity.Person) {
	t := table{head: c.heads("person", "name", "department", "left", "addresses"), none: c.t("cli.people.list.none")}
	for _, p := range list {
		var ways []string
		for _, a := range p.Addresses {
			way := a.Kind + " " + a.Value
			if a.For == continuity.ForPage {
				way = c.t("cli.people.page-only", "address", way)
			}
			ways = append(ways, way)
		}
		left := ""
		if !p.Left.IsZero() {
			left = p.Left.Format(time.DateOnly)
		}
		t.add(p.ID, c.calledBy(p), p.Department, left, strings.Join(ways, ", "))
	}
	c.table(t)
}

func (c *cli) peopleListCommand() *cobra.Command {
	return c.command("list", "people.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		list, err := controlapi.List[continuity.Person](cmd.Context(), node, "/people", nil, 0)
		if err != nil {
			return err
		}
		return c.show(list, func() { c.people(list...) })
	})
}

// reached says how somebody wants to be told.
func (c *cli) reached(p continuity.Person) {
	if p.Language == "" && len(p.Quiet) == 0 {
		return
	}
	language := c.t("cli.people.any-language")
	if p.Language != "" {
		language = c.t("cli.people.language." + p.Language)
	}
	var quiet []string
	for _, q := range p.Quiet {
		quiet = append(quiet, strings.TrimSpace(strings.Join(q.Days, " ")+" "+q.From+"-"+q.To))
	}
	c.say("cli.people.told", "id", p.ID, "language", language, "quiet", strings.Join(quiet, "; "), "zone", p.Zone)
}

// showPerson shows somebody, and where plans name them.
func (c *cli) showPerson(p controlapi.NamedPerson) error {
	return c.show(p, func() {
		c.people(p.Person)
		c.reached(p.Person)
		for _, m := range p.Named {
			fmt.Fprintln(c.out, clean(mentioned(m)))
		}
		if p.Gone && len(p.Named) > 0 {
			c.warn("cli.people.named", "count", len(p.Named))
		}
	})
}

func (c *cli) peopleShowCommand() *cobra.Command {
	return c.command("show ID", "people.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		p, _, err := controlapi.Get[controlapi.NamedPerson](cmd.Context(), node, personPath(args[0]), nil)
		if err != nil {
			return err
		}
		return c.showPerson(p)
	})
}

func (c *cli) peopleLeftCommand() *cobra.Command {
	var day string
	var stays bool
	var why *string
	cmd := c.command("left ID", "people.left", exactly(1), func(cmd *cobra.Command, args []string) error {
		body := map[string]any{"stays": stays, "reason": *why}
		if day != "" {
			at, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return invalid("cli.invalid.when", "value", day)
			}
			body["at"] = at
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		p, err := controlapi.Post[controlapi.NamedPerson](cmd.Context(), node, personPath(args[0])+"/left", body)
		if err != nil {
			return err
		}
		return c.showPerson(p)
	})
	cmd.Flags().StringVar(&day, "on", "", c.t("cli.flag.left-on"))
	cmd.Flags().BoolVar(&stays, "stays", false, c.t("cli.flag.left-stays"))
	why = c.why(cmd)
	return cmd
}

func (c *cli) peopleRemoveCommand() *cobra.Command {
	var yes bool
	var why *string
	cmd := c.command("remove ID", "people.remove", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		if err := c.confirm(yes, "cli.confirm.people-remove", "id", args[0]); err != nil {
			return err
		}
		return controlapi.Remove(cmd.Context(), node, personPath(args[0]), continuity.VersionAny, *why)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, c.t("cli.flag.yes"))
	why = c.why(cmd)
	return cmd
}
