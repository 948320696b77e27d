package main

import (
	"bufio"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/backup/engine"
)

// twoPeople are who puts data in the place of an original, or removes what was there:
// whoever does it, and somebody else. Without a node nobody proves who they are.
type twoPeople struct {
	By       string `json:"by,omitempty"`
	Approved string `json:"approved_by,omitempty"`
}

// differ refuses who agrees with themselves.
func (p twoPeople) differ() error {
	if strings.EqualFold(p.By, p.Approved) {
		return invalid("backup.invalid.same-person", "name", p.By)
	}
	return nil
}

// agreed has two people agree. On a terminal the first types which set it is about and
// the second what will be there, as a yes comes too quickly; a script names both.
func (c *cli) agreed(r *restoring, set engine.Set, word, id string, pairs ...any) (twoPeople, error) {
	p := twoPeople{strings.TrimSpace(r.by), strings.TrimSpace(r.approved)}
	if r.yes {
		if p.By == "" || p.Approved == "" {
			return p, invalid("backup.invalid.two-people")
		}
		return p, p.differ()
	}
	if !terminal(c.in) || !terminal(c.err) {
		return p, invalid("cli.invalid.confirm")
	}
	lines := bufio.NewReader(c.in)
	ask := func(id string, pairs ...any) (string, error) {
		fmt.Fprint(c.err, c.t(id, pairs...)+" ")
		line, err := lines.ReadString('\n')
		if line = strings.TrimSpace(line); line == "" {
			return "", errors.Join(invalid("cli.invalid.declined"), err)
		}
		return line, nil
	}
	named := func(name *string, id string) (err error) {
		if *name == "" {
			*name, err = ask(id)
		}
		return err
	}
	typed := func(word, id string, pairs ...any) error {
		line, err := ask(id, slices.Concat(pairs, []any{"word", word})...)
		if err == nil && line != word {
			err = invalid("cli.invalid.declined")
		}
		return err
	}
	if err := named(&p.By, "backup.ask.by"); err != nil {
		return p, err
	}
	if err := typed(set.ID, id, pairs...); err != nil {
		return p, err
	}
	if err := named(&p.Approved, "backup.ask.approved"); err != nil {
		return p, err
	}
	if err := p.differ(); err != nil {
		return p, err
	}
	return p, typed(word, "backup.ask.second", "name", p.Approved, "set", set.Folder())
}
