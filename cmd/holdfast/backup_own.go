package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"holdfast/internal/backup"
	"holdfast/internal/backup/node"
	"holdfast/internal/continuity"
	"holdfast/internal/control"
	"holdfast/internal/journal"
)

// ownState is the state of the control node that the settings name.
func (c *cli) ownState(scratch string) control.OwnState {
	return control.OwnState{Scratch: scratch, Exports: c.exportFromDatabase}
}

// hasState fails where a state is to be backed up that would only be made, and be empty.
func (c *cli) hasState(s *sourceFlags) error {
	if s.kind != "node" || s.path != "" {
		return nil
	}
	settings, err := c.controlSettings()
	if err == nil && settings.Database == nil && !exists(settings.DatabaseFile()) {
		err = invalid("backup.invalid.no-state", "file", settings.DatabaseFile())
	}
	return err
}

// journals reads relays' journals for backups of them, and needs no keys.
type journals struct{}

// Files implements node.Journal. Of the segment that is being written only whole frames
// count, and of those behind it nothing does.
func (journals) Files(_ context.Context, dir string) ([]node.File, error) {
	r, err := sound(dir)
	if err != nil {
		return nil, err
	}
	identity, err := os.Stat(filepath.Join(dir, journal.IdentityFile))
	if err != nil {
		return nil, err
	}
	files := []node.File{{Name: journal.IdentityFile, Size: identity.Size(), Bytes: identity.Size()}}
	for _, s := range r.Segments {
		if s.State == journal.SegmentKept {
			files = append(files, node.File{Name: s.File, Size: s.Bytes, Bytes: int64(s.End & (1<<32 - 1))})
		}
	}
	return files, nil
}

// Check implements node.Journal.
func (journals) Check(_ context.Context, dir string) ([]backup.Figure, error) {
	r, err := sound(dir)
	if err != nil {
		return nil, err
	}
	return []backup.Figure{
		{Of: "journal", Measure: "rows", Value: strconv.FormatInt(r.Entries, 10)},
		{Of: "journal", Measure: "end", Value: fmt.Sprintf("%016x", uint64(r.End))},
	}, nil
}

// sound reads a journal to its end.
func sound(dir string) (journal.Report, error) {
	r, err := journal.Verify(journal.Dir(dir))
	if err == nil && r.Damaged() {
		err = continuity.E(continuity.CodeDamaged, nil)
	}
	return r, err
}
