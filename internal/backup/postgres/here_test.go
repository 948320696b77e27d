package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/backup"
)

// That a program is missing, or a server can't get to its folder, is of this machine.
func TestFaultsOfThisMachine(t *testing.T) {
	if _, err := program(1, "postgres"); !errors.Is(err, backup.ErrHere) {
		t.Error(err)
	}
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.MkdirAll(filepath.Join(closed, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	own, err := findOwner()
	if err != nil {
		t.Fatal(err)
	}
	if own.name == "" { // we are not root, and get to no folder that has no way in for us
		if err := os.Chmod(closed, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(closed, 0o700) }) // #nosec G302 -- so that it can be removed
	}
	if err := own.reaches(filepath.Join(closed, "in"), "/bin/true"); !errors.Is(err, backup.ErrHere) {
		t.Error(err)
	}
	// A node asks before anything is captured. It is asked only as root.
	if user := Shut(filepath.Join(closed, "in", "scratch")); user != own.name {
		t.Errorf("%q can't get there, not %q", user, own.name)
	}
	way, err := os.MkdirTemp("", "pgway")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(way) })
	if err := os.Chmod(way, 0o711); err != nil { // #nosec G302 -- others pass through
		t.Fatal(err)
	}
	if user := Shut(filepath.Join(way, "scratch")); user != "" {
		t.Errorf("%q can't get where everybody can", user)
	}
}
