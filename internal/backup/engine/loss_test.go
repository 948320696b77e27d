package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// A restore that fails leaves nothing in the folder that was asked for: a part of the data
// looks like the whole.
func TestFailedRestoreLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.write("one", "1")
	w.capture(backup.TypeFull)
	w.write("two", "2")
	m := w.capture(backup.TypeDelta)
	candidates, _, err := w.engine.Candidates(t.Context(), w.set, time.Time{})
	if err != nil || len(candidates) == 0 {
		t.Fatal(candidates, err)
	}
	for _, dir := range []string{w.near, w.far} {
		if err := os.Remove(filepath.Join(dir, m.Path())); err != nil {
			t.Fatal(err)
		}
	}
	into := filepath.Join(t.TempDir(), "into")
	if _, err := w.engine.Restore(t.Context(), w.set, Want{Candidate: candidates[0], Dir: into}, nil); err == nil {
		t.Fatal("a restore went well though a piece is gone")
	}
	if left, err := os.ReadDir(into); err != nil || len(left) > 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

// What is lost of a backup is told of where its file still lies, and a set stays of one kind.
func TestLostManifestAndAnotherKind(t *testing.T) {
	w := newWorld(t)
	w.write("one", "1")
	m := w.capture(backup.TypeFull)
	other := w.set
	other.Kind = "sqlite"
	if _, err := w.engine.Capture(t.Context(), other, backup.TypeFull, nil); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("backups of another kind were put to a set's: %v", err)
	}
	if err := os.Remove(filepath.Join(w.near, m.Path()+backup.ManifestSuffix)); err != nil {
		t.Fatal(err)
	}
	for _, l := range w.engine.List(t.Context(), w.set) {
		if want := l.Target == "near"; (len(l.Lone) == 1) != want {
			t.Errorf("without a manifest on %s: %v", l.Target, l.Lone)
		}
	}
}
