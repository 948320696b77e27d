package mysql

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
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

// A spool whose disk is full is said to be that, nothing behind what did not come is handed
// on, and with more room it goes on without a gap.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	db, dsn := source(t)
	folder := filepath.Join(t.TempDir(), "spool")
	grow := small(t, folder, "1m")
	d := open(t, Options{DSN: dsn, Spool: folder, Follows: true})
	p := take(t, d)
	run(t, db, "INSERT INTO `order` (id, amount, note) SELECT seq, 1, RANDOM_BYTES(1000) FROM seq_1_to_3000")
	f := &collector{t: t, came: make(chan struct{}, 1)}
	err := d.Follow(soon(t), p.To, f.publish)
	var told *continuity.Error
	if !errors.As(err, &told) || told.Code != continuity.CodeBackupSpool || told.Args["full"] != true || told.Args["folder"] != folder {
		t.Errorf("got %v", err)
	}
	grow("20m")
	all, from := append([]backup.Piece{p}, f.pieces()...), p.To
	if n := len(all); n > 1 {
		from = all[n-1].To
	}
	g := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, g, from)
	run(t, db, "INSERT INTO customer VALUES (1, 'the last')")
	all = append(all, g.until(where(t, db))...)
	stop()
	if faults := d.Check(manifests(all)); len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
	_, back := restore(t, backup.Restore{Pieces: all})
	if got := value(t, back, "SELECT CONCAT(COUNT(*), ' ', (SELECT COUNT(*) FROM customer)) FROM `order`"); got != "3000 1" {
		t.Errorf("came back: %s", got)
	}
}

// A scratch whose disk is full is not the backup's fault, whether the server does not fit
// in, the dump, or the log; nothing goes on running, and with more room it works.
func TestFullScratch(t *testing.T) {
	t.Parallel()
	db, dsn := source(t)
	d := open(t, Options{DSN: dsn, Spool: t.TempDir(), Follows: true})
	run(t, db, "INSERT INTO `order` (id, amount, note) SELECT seq, 1, CONCAT(RANDOM_BYTES(1000), RANDOM_BYTES(1000)) FROM seq_1_to_20000")
	p := take(t, d)
	f := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, f, p.To)
	run(t, db, "INSERT INTO `order` (id, amount, note) SELECT seq, 1, CONCAT(RANDOM_BYTES(1000), RANDOM_BYTES(1000)) FROM seq_20001_to_40000")
	all := append([]backup.Piece{p}, f.until(where(t, db))...)
	stop()
	for _, size := range []string{"3m", "60m", "170m", "240m"} {
		dir := t.TempDir()
		small(t, dir, size)
		_, err := open(t, Options{}).Restore(soon(t), backup.Restore{Pieces: all, Dir: dir})
		if continuity.CodeOf(err) != continuity.CodeBackupRestore || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: got %v", size, err)
		}
		if pids := running(t, dir); len(pids) > 0 {
			t.Errorf("%s: still running: %v", size, pids)
		}
		if len(err.Error()) > 2000 || strings.Contains(err.Error(), "INSERT") {
			t.Errorf("%s: the error tells of rows: %v", size, err)
		}
	}
	dir := t.TempDir()
	small(t, dir, "600m")
	i, err := open(t, Options{}).Restore(t.Context(), backup.Restore{Pieces: all, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

// running are the processes that a folder is named to.
func running(t *testing.T, dir string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(dir)) {
			pids = append(pids, name)
		}
	}
	return pids
}
