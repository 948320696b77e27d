package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

// erased is what takes the place of what is erased.
var erased = bytes.Repeat([]byte{0xee}, 700)

func blank(s journal.Stored) ([]byte, error) { return erased[:len(s.Payload)], nil }

// TestRule10_3_PowerCutWhileErasing cuts the power at every operation of an
// erasure: what was chosen is as before or gone, all else stands, and doing it
// again finishes it.
func TestRule10_3_PowerCutWhileErasing(t *testing.T) {
	for _, loss := range []journaltest.Loss{journaltest.DropAll, journaltest.Random, journaltest.KeepAll} {
		for at, done := 1, false; !done; at++ {
			if at > 500 {
				t.Fatal("no end")
			}
			synctest.Test(t, func(t *testing.T) {
				where := fmt.Sprintf("%v, operation %d", loss, at)
				w := newWorld(t, 11)
				if err := w.open(); err != nil {
					t.Fatal(err)
				}
				for range 8 {
					if err := w.append(journaltest.Batch(w.next, 3, 700)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				var chosen []continuity.Position
				var which []int
				for i := 1; i < len(w.at); i += 7 {
					chosen, which = append(chosen, w.at[i]), append(which, i)
				}
				chosen, which = append(chosen, w.at[len(w.at)-1]), append(which, len(w.at)-1) // in the active segment
				w.fs.CrashAt(at)
				err := w.log.Erase(chosen, blank)
				done = err == nil && !w.fs.Crashed()
				if done && at < 20 {
					t.Fatalf("%s: nothing was erased", where)
				}
				_ = w.log.Close()
				w.fs.Crash(loss)
				o := w.options()
				log, _, err := journal.Open(o)
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				w.log = log
				for _, i := range which {
					s, err := log.Read(w.at[i])
					if err != nil {
						t.Fatalf("%s: entry %d: %v", where, i, err)
					}
					if gone := bytes.Equal(s.Payload, erased); !gone && !bytes.Equal(s.Payload, w.entries[i].Payload) || done && !gone {
						t.Fatalf("%s: entry %d is neither as it was nor gone", where, i)
					}
				}
				if err := log.Erase(chosen, blank); err != nil {
					t.Fatalf("%s: again: %v", where, err)
				}
				for _, i := range which {
					w.entries[i].Payload = erased
				}
				if err := w.check(); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if err := w.append(journaltest.Batch(w.next, 2, 100)); err != nil {
					t.Fatalf("%s: append: %v", where, err)
				}
				if err := log.Close(); err != nil {
					t.Fatal(err)
				}
				if err := w.open(); err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if report, err := journal.Verify(w.fs.Process()); err != nil || report.Damaged() {
					t.Fatalf("%s: %+v %v", where, report, err)
				}
			})
		}
	}
}

// TestRule10_3_TheOldDataKeyIsDestroyed reads the file that a copy replaced.
func TestRule10_3_TheOldDataKeyIsDestroyed(t *testing.T) {
	dir := t.TempDir()
	log, _, err := journal.Open(journal.Options{Dir: dir, SegmentBytes: tinySegment, Ring: ring(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	at, err := log.Append(journaltest.Batch(0, 2, 100))
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(filepath.Join(dir, "00000001.segment"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := log.Erase(at[:1], blank); err != nil {
		t.Fatal(err)
	}
	header := make([]byte, 4096)
	if _, err := old.ReadAt(header, 0); err != nil || !bytes.Equal(header, make([]byte, 4096)) {
		t.Fatal("the old segment's data key can still be unwrapped", err)
	}
	if s, err := log.Read(at[0]); err != nil || !bytes.Equal(s.Payload, erased[:100]) {
		t.Fatal("not erased", err)
	}
}
