package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"holdfast/internal/durable"
)

// planBase is which version on a node a plan's files were taken from, or became.
// It stands in a small file beside them, .X.base, so that the files themselves
// stay as people wrote them; it belongs under version control with them.
type planBase struct {
	Service string `json:"service"`
	Version int64  `json:"version"`
	Hash    string `json:"hash"`
}

func planBaseFile(dir, service string) string { return filepath.Join(dir, "."+service+".base") }

// readPlanBase returns the base of the files in a folder; version 0: none is known.
func readPlanBase(dir, service string) (planBase, error) {
	file := planBaseFile(dir, service)
	text, err := os.ReadFile(file) // #nosec G304 -- beside the files that were named
	if errors.Is(err, fs.ErrNotExist) {
		return planBase{}, nil
	}
	var b planBase
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil || b.Version < 1 || b.Service != service {
		return planBase{}, invalid("cli.invalid.plan-base", "file", file)
	}
	return b, nil
}

func writePlanBase(dir string, b planBase) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return durable.Replace(planBaseFile(dir, b.Service), append(text, '\n'))
}
