package journal_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

func openOn(t testing.TB, fs *journaltest.CrashFS) *journal.Files {
	t.Helper()
	log, _, err := journal.Open(journal.Options{FS: fs.Process(), SegmentBytes: tinySegment, Ring: ring(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func appendTo(t testing.TB, log *journal.Files, batch []journal.Entry) []continuity.Position {
	t.Helper()
	at, err := log.Append(batch)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func save(t testing.TB, c *journal.Checkpoints, at continuity.Position, content []byte) error {
	t.Helper()
	return c.Save(at, func(w io.Writer) error {
		for p := content; len(p) > 0; p = p[min(len(p), 70_000):] {
			if _, err := w.Write(p[:min(len(p), 70_000)]); err != nil {
				return err
			}
		}
		return nil
	})
}

func load(t testing.TB, c *journal.Checkpoints) (at continuity.Position, content []byte, err error) {
	t.Helper()
	err = c.Load(func(p continuity.Position, r io.Reader) (err error) {
		at = p
		content, err = io.ReadAll(r)
		return err
	})
	return at, content, err
}

func wantLoad(t testing.TB, c *journal.Checkpoints, wantAt continuity.Position, want []byte) {
	t.Helper()
	at, content, err := load(t, c)
	if err != nil || at != wantAt || !bytes.Equal(content, want) {
		t.Fatalf("loaded %d bytes at %x, %v; want %d at %x", len(content), uint64(at), err, len(want), uint64(wantAt))
	}
}

func checkpointFiles(t testing.TB, fs *journaltest.CrashFS) (names []string) {
	t.Helper()
	all, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasPrefix(name, "checkpoint-") {
			names = append(names, name)
		}
	}
	return names
}

func TestCheckpointComesBack(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, 3 << 20} {
		fs := journaltest.NewCrashFS(1)
		log := openOn(t, fs)
		c := log.Checkpoints()
		wantLoad(t, c, 0, nil)
		appendTo(t, log, journaltest.Batch(0, 3, 100))
		content := journaltest.Payload(9, size)
		if err := save(t, c, log.End(), content); err != nil {
			t.Fatal(err)
		}
		fs.Crash(journaltest.DropAll)
		log = openOn(t, fs)
		wantLoad(t, log.Checkpoints(), log.End(), content)
	}
}

func TestCheckpointsKeepTwoAndFallBack(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	c := log.Checkpoints()
	var at []continuity.Position
	for i := range uint64(4) {
		appendTo(t, log, journaltest.Batch(i, 1, 100))
		at = append(at, log.End())
		if err := save(t, c, at[i], journaltest.Payload(i, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	names := checkpointFiles(t, fs)
	if len(names) != 2 {
		t.Fatalf("kept %v", names)
	}
	if oldest, err := c.Oldest(); err != nil || oldest != at[2] {
		t.Fatalf("oldest %x, %v", uint64(oldest), err)
	}
	wantLoad(t, c, at[3], journaltest.Payload(3, 1000))
	fs.Flip(names[1], 500, 3)
	wantLoad(t, c, at[2], journaltest.Payload(2, 1000))
	fs.Flip(names[0], 20, 0)
	wantLoad(t, c, 0, nil)
}

func TestCheckpointDamageIsFound(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	appendTo(t, log, journaltest.Batch(0, 1, 100))
	if err := save(t, log.Checkpoints(), log.End(), journaltest.Payload(1, 300<<10)); err != nil {
		t.Fatal(err)
	}
	at := log.End()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	name := checkpointFiles(t, fs)[0]
	size := fs.Size(name)
	for i := range int64(200) {
		damagedFS := fs.Clone()
		what := "flip"
		if off := i * 7919 % size; i%4 == 3 {
			what = "cut"
			damagedFS.Cut(name, off)
		} else {
			damagedFS.Flip(name, off, uint(i%8)) // #nosec G115 -- small
		}
		log := openOn(t, damagedFS)
		if got, content, err := load(t, log.Checkpoints()); err != nil || got != 0 || content != nil {
			t.Fatalf("%s %d: loaded %d bytes at %x, %v; whole at %x", what, i, len(content), uint64(got), err, uint64(at))
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckpointBehindTheEndIsDamage(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	before := fs.Clone() // a backup that is older than the checkpoint
	appendTo(t, log, journaltest.Batch(0, 1, 100))
	if err := save(t, log.Checkpoints(), log.End()+1, nil); !errors.Is(err, journal.ErrPosition) {
		t.Fatalf("Save behind the end: %v", err)
	}
	if err := save(t, log.Checkpoints(), log.End(), []byte("state")); err != nil {
		t.Fatal(err)
	}
	name := checkpointFiles(t, fs)[0]
	copyFile(t, fs.Process(), before.Process(), name)
	log = openOn(t, before)
	if _, _, err := load(t, log.Checkpoints()); !errors.Is(err, journal.ErrDamaged) {
		t.Fatalf("Load of a checkpoint behind the end: %v", err)
	}
}

func copyFile(t testing.TB, from, to journal.FS, name string) {
	t.Helper()
	src, err := from.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	size, _ := src.Size()
	b := make([]byte, size)
	if _, err := src.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	dst, err := to.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dst.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}

func TestCheckpointSurvivesFaultsAndPowerCuts(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	appendTo(t, log, journaltest.Batch(0, 1, 100))
	first := log.End()
	if err := save(t, log.Checkpoints(), first, []byte("first")); err != nil {
		t.Fatal(err)
	}
	appendTo(t, log, journaltest.Batch(1, 1, 100))
	second := log.End()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for k := 1; ; k++ {
		for loss := journaltest.DropAll; loss <= journaltest.KeepAll; loss++ {
			fs := fs.Clone()
			log := openOn(t, fs)
			fs.CrashAt(k)
			err := save(t, log.Checkpoints(), second, journaltest.Payload(1, 400<<10))
			crashed := fs.Crashed()
			fs.Crash(loss)
			log = openOn(t, fs)
			at, content, loadErr := load(t, log.Checkpoints())
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			whole := at == second && bytes.Equal(content, journaltest.Payload(1, 400<<10))
			old := at == first && string(content) == "first"
			if !whole && (err == nil || !old) {
				t.Fatalf("crash at operation %d, %v: Save said %v, loaded %d bytes at %x", k, loss, err, len(content), uint64(at))
			}
			if !crashed && loss == journaltest.KeepAll {
				return
			}
		}
		faulty := fs.Clone()
		log := openOn(t, faulty)
		n := 0
		faulty.Inject(func(journaltest.Op) error {
			if n++; n == k {
				return syscall.EIO
			}
			return nil
		})
		err := save(t, log.Checkpoints(), second, []byte("second"))
		faulty.Kill()
		faulty.Crash(journaltest.DropAll)
		log = openOn(t, faulty)
		at, _, loadErr := load(t, log.Checkpoints())
		if loadErr != nil || err == nil && at != second || at != first && at != second {
			t.Fatalf("fault at operation %d: Save said %v, Load %x, %v", k, err, uint64(at), loadErr)
		}
	}
}
