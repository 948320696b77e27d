package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// TestDiskFull fills the disk of a SQLite file: commits fail by their code and
// change nothing, what was there can be read, and once there is room it goes on.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("mounting a small disk takes root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("holdfast-test", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal("mounting a small disk: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast, dsn := filepath.Join(dir, "ballast"), filepath.Join(dir, "state.db")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf("%q", strings.Repeat("x", 10_000))
	made := 0
	apply := func() error {
		_, err := s.Apply(t.Context(), engine, []continuity.Change{
			mark(fmt.Sprint(made), body), {Kind: "count", ID: "sum", Version: continuity.VersionAny, Body: json.RawMessage(fmt.Sprint(made + 1)), Action: "count.raised"},
		})
		if err == nil {
			made++
		}
		return err
	}
	holds := func() {
		t.Helper()
		if sum, err := s.Get(t.Context(), "count", "sum"); err != nil || string(sum.Body) != fmt.Sprint(made) {
			t.Fatalf("%s of %d, %v", sum.Body, made, err)
		}
		if n, bad, err := s.VerifyEvents(t.Context()); err != nil || bad != 0 || n != int64(2*made) {
			t.Fatal(n, bad, made, err)
		}
	}
	for err == nil && made < 1000 {
		err = apply()
	}
	if continuity.CodeOf(err) != continuity.CodeStateFull {
		t.Fatal(made, err)
	}
	holds()
	for range 5 {
		if err := apply(); continuity.CodeOf(err) != continuity.CodeStateFull {
			t.Fatal(err)
		}
	}
	full := made
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := apply(); err != nil {
			t.Fatal(err)
		}
	}
	holds()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	holds()
	t.Logf("full after %d commits", full)
}
