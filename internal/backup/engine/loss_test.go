package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

// helpless is a driver on a machine that can't restore.
type helpless struct {
	backup.Driver
	err error
}

func (h helpless) Restore(context.Context, backup.Restore) (backup.Instance, error) {
	return nil, continuity.E(continuity.CodeBackupRestore, h.err, "cause", h.err.Error())
}

// What is wrong with this machine is never signed as a proof that a backup is bad.
func TestThisMachineRefutesNoBackup(t *testing.T) {
	w := newWorld(t)
	w.write("one", "1")
	w.capture(backup.TypeFull)
	for _, err := range []error{backup.Here(errors.New("a server can't get there")), &fs.PathError{Op: "open", Path: "scratch", Err: syscall.EACCES}, syscall.EROFS, exec.ErrNotFound} {
		set := w.set
		set.Driver = helpless{set.Driver, err}
		if p, got := w.engine.Verify(t.Context(), set, "near", "", nil); !errors.Is(got, err) || p.Piece != "" {
			t.Errorf("%v: %v, %+v", err, got, p)
		}
	}
	if l := w.list("near"); len(l.Proofs) > 0 || backup.StateOf(l.Chains[0], l.Proofs) != backup.Unproven {
		t.Errorf("a proof was signed: %+v", l.Proofs)
	}
}
