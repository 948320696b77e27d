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

// still is a driver whose log has no change that tells a time.
type still struct{ backup.Driver }

type stillInstance struct{ backup.Instance }

func (s still) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	i, err := s.Driver.Restore(ctx, r)
	return stillInstance{i}, err
}

func (stillInstance) Reached() (backup.Position, time.Time) { return backup.Position{}, time.Time{} }

// A restore says up to when, also where nothing was changed in the log; and a proof says
// which of the pieces is damaged, not which one was to be proven.
func TestRestoreSaysUpToWhenAndProofsWhichPiece(t *testing.T) {
	w := newWorld(t)
	w.write("one", "1")
	full := w.capture(backup.TypeFull)
	w.set.Driver = still{w.set.Driver}
	if p := w.verify("near", ""); !p.Good || !p.Moment.Equal(full.Taken) {
		t.Errorf("the moment of a restore is %v, not %v", p.Moment, full.Taken)
	}
	w.set.Driver = w.driver()
	w.write("two", "2")
	delta := w.capture(backup.TypeDelta)
	name := filepath.Join(w.near, full.Path())
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-5] ^= 1
	if err := os.WriteFile(name, raw, 0o600); err != nil { // #nosec G703 -- a test's own
		t.Fatal(err)
	}
	if p := w.verify("near", ""); p.Good || p.Piece != delta.ID || p.Broken != full.ID {
		t.Errorf("piece %s is told to be broken, not %s, proving %s", p.Broken, full.ID, p.Piece)
	}
}
