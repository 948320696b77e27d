package journal_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

// Append returns only after the batch's last write has been synced.
func TestRule1_1_AppendReturnsAfterSync(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	for i := range uint64(40) {
		at := appendTo(t, log, journaltest.Batch(i, 3, 300))
		cut := fs.Clone()
		cut.Crash(journaltest.DropAll)
		stored, err := outcome(t, cut)
		if err != nil || len(stored) == 0 || stored[len(stored)-1].Position != at[2] {
			t.Fatalf("batch %d is not on disk when Append returns: %v", i, err)
		}
	}
}

// After a failed sync nothing is synced, written or accepted again.
func TestRule1_2_FailedSyncIsNeverRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := journaltest.NewCrashFS(1)
		log := openOn(t, fs)
		appendTo(t, log, journaltest.Batch(0, 1, 100))
		synctest.Wait()
		syncs := 0
		fs.Inject(func(op journaltest.Op) error {
			if op.Kind == journaltest.OpSync {
				if syncs++; syncs == 1 {
					return syscall.EIO
				}
			}
			return nil
		})
		if _, err := log.Append(journaltest.Batch(1, 1, 100)); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Append: %v", err)
		}
		for range 3 {
			if _, err := log.Append(journaltest.Batch(2, 1, 100)); !errors.Is(err, journal.ErrLatched) {
				t.Fatalf("Append: %v", err)
			}
			time.Sleep(time.Minute) // in the bubble: no note, no segment
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if syncs != 1 {
			t.Fatalf("%d syncs, the first failed", syncs)
		}
	})
}

// A whole entry on disk is there after a crash, answered or not.
func TestRule1_3_WholeEntryCounts(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	at := appendTo(t, log, journaltest.Batch(0, 2, 100))
	fs.CrashAt(2) // the write is done, its sync is not
	if _, err := log.Append(journaltest.Batch(2, 2, 100)); err == nil {
		t.Fatal("no crash")
	}
	fs.Crash(journaltest.KeepAll)
	stored, err := outcome(t, fs)
	if err != nil || len(stored) != 4 || stored[1].Position != at[1] {
		t.Fatalf("%d entries, %v", len(stored), err)
	}
	if want := journaltest.Batch(2, 2, 100); !bytes.Equal(stored[3].Payload, want[1].Payload) {
		t.Fatal("another entry")
	}
}

// Each use of a segment has a new data key, and after recovery writing goes on
// in a new segment.
func TestRule10_2_EachUseOfASegmentHasANewKey(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	used := map[string]string{} // wrapped key: segment
	header := func(name string) []byte {
		file, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		if _, err := file.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		return b
	}
	var last continuity.Position
	for round := range uint64(6) {
		log := openOn(t, fs)
		for i := range uint64(20) {
			at := appendTo(t, log, journaltest.Batch(i, 2, 600))
			if i == 0 && at[0]>>32 <= last>>32 {
				t.Fatalf("round %d goes on at %x, the one before ended at %x", round, uint64(at[0]), uint64(last))
			}
			last = at[1]
		}
		for f, err := range journal.Inspect(fs.Process(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			if f.Kind != "opened" {
				continue
			}
			key := string(header(f.File)[52:112])
			if other, ok := used[key]; ok && other != f.File {
				t.Fatalf("%s has the key of %s", f.File, other)
			}
			used[key] = f.File
		}
		if round%2 == 0 {
			if err := log.Retire(log.End()); err != nil {
				t.Fatal(err)
			}
			if err := log.Close(); err != nil {
				t.Fatal(err)
			}
		}
		fs.Crash(journaltest.Random)
	}
	if len(used) < 12 {
		t.Fatalf("%d uses of segments only", len(used))
	}
}

// Retention ends by destroying the data key: when Retire returns, no file has
// it any more.
func TestRule10_3_RetireDestroysTheDataKey(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	for i := range uint64(20) {
		appendTo(t, log, journaltest.Batch(i, 2, 600))
	}
	keys := wrappedKeys(t, fs)
	before := len(keys)
	if err := log.Retire(log.End()); err != nil {
		t.Fatal(err)
	}
	fs.Crash(journaltest.DropAll) // what is on disk
	left := wrappedKeys(t, fs)
	gone := 0
	for key := range keys {
		if !left[key] {
			gone++
		}
	}
	if gone < before-2 { // the last segment, and the one prepared
		t.Fatalf("%d of %d data keys destroyed", gone, before)
	}
}

// wrappedKeys returns what stands in the place of a wrapped key in every file
// that can be a segment, except zeros.
func wrappedKeys(t *testing.T, fs *journaltest.CrashFS) map[string]bool {
	t.Helper()
	names, err := fs.List()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, name := range names {
		if !strings.HasSuffix(name, ".segment") {
			continue
		}
		file, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 60)
		if _, err := file.ReadAt(b, 52); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, make([]byte, 60)) {
			keys[string(b)] = true
		}
	}
	return keys
}

// What stands in a segment can't be read without its key, nor found in it.
func TestRule10_2_PayloadsAreSealed(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	secret := []byte("13800138000 pays with a card")
	at, err := log.Append([]journal.Entry{{Kind: 1, Payload: secret}})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Checkpoints().Save(log.End(), func(w io.Writer) error {
		_, err := w.Write(secret)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	names, _ := fs.List()
	for _, name := range names {
		file, err := fs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, fs.Size(name))
		if len(b) == 0 {
			continue
		}
		if _, err := file.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, secret[:8]) {
			t.Fatalf("the payload stands in %s", name)
		}
	}
	if got, err := log.Read(at[0]); err != nil || !bytes.Equal(got.Payload, secret) {
		t.Fatalf("%q, %v", got.Payload, err)
	}
}
