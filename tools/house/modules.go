package main

import (
	"io/fs"
	"strings"

	"golang.org/x/mod/modfile"
)

// decisions is where each module that the project requires has its line.
const decisions = "docs/adr/0007-dependencies.md"

// undecided returns a fault for each module that go.mod requires directly and
// the decisions don't name.
func undecided(tree fs.FS) ([]string, error) {
	text, err := fs.ReadFile(tree, "go.mod")
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, err
	}
	decided, err := fs.ReadFile(tree, decisions)
	if err != nil {
		return nil, err
	}
	var faults []string
	for _, r := range mod.Require {
		name := strings.TrimPrefix(r.Mod.Path, "github.com/")
		if before, version, ok := cutLast(name, "/v"); ok && strings.Trim(version, "0123456789") == "" {
			name = before
		}
		if !r.Indirect && !strings.Contains(string(decided), "| "+name+" |") {
			faults = append(faults, "go.mod requires "+r.Mod.Path+": add a line to "+decisions+" with what it is for and its licence")
		}
	}
	return faults, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
