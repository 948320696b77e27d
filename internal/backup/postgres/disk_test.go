package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

// small makes a folder a disk of its own; grow makes it a greater one.
func small(t *testing.T, dir, size string) (grow func(size string)) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Fatalf("a small file system can't be mounted: %v; run the tests as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return func(size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "mode=0700,size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

// A spool whose disk is full is said to be that, nothing of what did not come is handed
// on, and with more room it goes on without a gap.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	grow := small(t, s.driver.Spool, "9m")
	full := func(err error) {
		t.Helper()
		var told *continuity.Error
		if !errors.As(err, &told) || told.Code != continuity.CodeBackupSpool || told.Args["full"] != true || told.Args["folder"] != s.driver.Spool {
			t.Errorf("got %v", err)
		}
	}
	_, err := s.driver.Full(t.Context(), &bytes.Buffer{}, queries, nil)
	full(err)
	if left, _ := filepath.Glob(filepath.Join(s.driver.Spool, "*")); len(left) > 0 {
		t.Errorf("left in the spool: %v", left)
	}
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_replication_slots"); n != 0 {
		t.Errorf("%d slots are left on the source", n)
	}

	grow("120m")
	s.full(t, "aaaaaaaaaa")
	r := newRemote()
	stop := s.follow(t, r, backup.Position{})
	await(t, "the log", func() bool { return len(r.all()) > 0 })
	_ = stop()
	base, _ := s.full(t, "bbbbbbbbbb")
	// What is fetched anew goes into room for one segment, and no other.
	if err := os.RemoveAll(filepath.Join(s.driver.Spool, "wal")); err != nil {
		t.Fatal(err)
	}
	grow("17m")
	pgtest.Exec(t, s.dsn, "CREATE TABLE big AS SELECT g, md5(g::text) FROM generate_series(1, 200000) g; SELECT pg_switch_wal(); INSERT INTO public.x VALUES (7)")
	full(s.driver.Follow(t.Context(), r.last(), r.publish))
	grow("34m") // for two: what was handed on has to go, though no note of it can be written
	stop = s.follow(t, r, r.last())
	await(t, "all of the log", func() bool { return r.covers(t, s) })
	_ = stop()
	i := restored(t, backup.Restore{Pieces: chain(t, base, r.all())})
	if n := ask[int](t, i.Address(), "SELECT (SELECT count(*) FROM big) + (SELECT count(*) FROM public.x WHERE x = 7)"); n != 200001 {
		t.Errorf("%d rows came back", n)
	}
}

// A scratch whose disk is full is not the piece's fault, whether the piece does not fit in
// or the server that plays its log; nothing goes on running, and with more room it works.
func TestFullScratch(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := newRemote()
	s.follow(t, r, backup.Position{})
	await(t, "the log", func() bool { return len(r.all()) > 0 })
	base, _ := s.full(t, "aaaaaaaaaa")
	for n := range 20 { // a record of the log, and megabytes of files
		pgtest.Exec(t, s.dsn, fmt.Sprintf("CREATE DATABASE copy%d STRATEGY file_copy", n))
	}
	await(t, "all of the log", func() bool { return r.covers(t, s) })
	pieces := chain(t, base, r.all())
	for _, size := range []string{"20m", "150m"} {
		dir := folder(t)
		small(t, dir, size)
		_, err := postgres.New(postgres.Options{}).Restore(t.Context(), backup.Restore{Pieces: pieces, Dir: dir})
		if continuity.CodeOf(err) != continuity.CodeBackupRestore || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: got %v", size, err)
		}
		if pids := running(t, dir); len(pids) > 0 {
			t.Errorf("%s: still running: %v", size, pids)
		}
	}
	dir := folder(t)
	small(t, dir, "600m")
	i := restored(t, backup.Restore{Pieces: pieces, Dir: dir})
	if n := ask[int](t, i.Address(), "SELECT count(*) FROM pg_database WHERE datname LIKE 'copy%'"); n != 20 {
		t.Errorf("%d databases came back", n)
	}
}
