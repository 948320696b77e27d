package spool_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backup/spool"
	"holdfast/internal/continuity"
)

func open(t *testing.T, dir string) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func draft(t *testing.T, s *spool.Spool, content string) *spool.Draft {
	t.Helper()
	d, err := s.Draft()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, content); err != nil {
		t.Fatal(err)
	}
	return d
}

func base(t *testing.T, s *spool.Spool, id string) string {
	t.Helper()
	f, err := s.Base(id)
	if errors.Is(err, backup.ErrNeedsFull) {
		return "needs full"
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOnlyWhatIsCommittedCounts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if got := base(t, s, "one"); got != "needs full" {
		t.Errorf("an empty spool knows %q", got)
	}
	if err := draft(t, s, "1").Done(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again: nothing changes
		if err := s.Commit("one"); err != nil {
			t.Fatal(err)
		}
	}
	if err := draft(t, s, "2").Done(); err != nil { // its piece never gets anywhere
		t.Fatal(err)
	}
	d := draft(t, s, "3") // nor is this one written to its end
	if got := base(t, open(t, dir), "one"); got != "1" {
		t.Errorf("the committed one is %q", got)
	}
	other := open(t, dir)
	if err := other.Commit("two"); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("committing what another process wrote: %v", err)
	}
	d.Drop()
	if err := s.Commit("three"); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("committing nothing: %v", err)
	}
	if err := draft(t, s, "4").Done(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit("four"); err != nil {
		t.Fatal(err)
	}
	if one, four := base(t, s, "one"), base(t, s, "four"); one != "needs full" || four != "4" {
		t.Errorf("after the next commit: %q and %q", one, four)
	}
	if again := open(t, dir); again.System() != s.System() || s.System() == open(t, t.TempDir()).System() {
		t.Error("a spool is not known by its system")
	}
	for _, id := range []string{"", "../one", "a/b"} {
		if got := base(t, s, id); got != "needs full" {
			t.Errorf("id %q: %q", id, got)
		}
	}
}

func TestAFullDiskIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("a small file system can't be mounted: %v; run the tests as root", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	s := open(t, dir)
	if err := draft(t, s, "1").Done(); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit("one"); err != nil {
		t.Fatal(err)
	}
	d, err := s.Draft()
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 1<<14); err == nil; {
		_, err = d.Write(block)
	}
	var told *continuity.Error
	if !errors.As(err, &told) || told.Code != continuity.CodeBackupSpool || told.Args["full"] != true {
		t.Errorf("told %v", err)
	}
	d.Drop()
	if got := base(t, s, "one"); got != "1" {
		t.Errorf("what was committed is %q", got)
	}
}
