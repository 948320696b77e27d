package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

// planBase is which version on a node a plan's files were taken from, or became.
// It stands in a small file beside them, .X.base, so that the files themselves
// stay as people wrote them; it belongs under version control with them.
type planBase struct {
	Service string `json:"service"`
	Version int64  `json:"version"`
	Hash    string `json:"hash"`

	// Drafts were made from the files since. Once one of them holds, the files were
	// written from it.
	Drafts []baseDraft `json:"drafts,omitempty"`
}

type baseDraft struct {
	Version int64  `json:"version"`
	Hash    string `json:"hash"`
}

// draft returns the draft that a version is.
func (b planBase) draft(version int64) (baseDraft, bool) {
	i := slices.IndexFunc(b.Drafts, func(d baseDraft) bool { return d.Version == version })
	if i < 0 {
		return baseDraft{}, false
	}
	return b.Drafts[i], true
}

// after returns the base of files that became a version.
func (b planBase) after(v continuity.PlanVersion) planBase {
	if v.State == continuity.PlanApplied {
		return planBase{Service: v.Service, Version: v.Number, Hash: v.Hash}
	}
	next := planBase{Service: v.Service, Version: v.Base, Drafts: append(slices.Clone(b.Drafts), baseDraft{v.Number, v.Hash})}
	if b.Version == v.Base {
		next.Hash = b.Hash
	} else if d, ok := b.draft(v.Base); ok {
		next.Hash = d.Hash
	}
	next.Drafts = slices.DeleteFunc(next.Drafts, func(d baseDraft) bool { return d.Version <= v.Base })
	return next
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
	if err != nil || b.Version < 1 && len(b.Drafts) == 0 || b.Service != service {
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
