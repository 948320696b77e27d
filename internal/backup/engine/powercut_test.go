package engine

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/backup"
)

// TestRestoredOutlivesAPowerCut looks at what the disk itself has, and not the system's
// memory, once a restore into a folder has ended.
func TestRestoredOutlivesAPowerCut(t *testing.T) {
	w := newWorld(t)
	w.write("a", "x")
	w.capture(backup.TypeFull)
	dir := t.TempDir()
	disk, after := filepath.Join(dir, "disk"), filepath.Join(dir, "after")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatal(name, args, err, string(out))
		}
	}
	mount := func(disk string) string {
		t.Helper()
		at := disk + ".mounted"
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		run("mount", "-o", "loop", disk, at)
		t.Cleanup(func() {
			if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
				t.Error(err, string(out))
			}
		})
		return at
	}
	run("truncate", "-s", "16M", disk)
	run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk)
	into := filepath.Join(mount(disk), "restored")
	candidates, _, err := w.engine.Candidates(t.Context(), w.set, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	restored, err := w.engine.Restore(t.Context(), w.set, Want{Candidate: candidates[0], Dir: into}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := restored.Close(true); err != nil {
		t.Fatal(err)
	}
	run("cp", disk, after) // as a power cut leaves it
	raw, err := os.ReadFile(filepath.Join(mount(after), "restored", "data", "a"))
	if err != nil || string(raw) != "x" {
		t.Errorf("%q %v", raw, err)
	}
}
