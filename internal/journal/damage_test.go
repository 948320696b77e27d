package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

// sample makes a journal that has lived: recycled files, several openings,
// synced and retired notes. It is closed at the end, so that everything in it
// is proven.
func sample(t *testing.T, seed uint64) (fs *journaltest.CrashFS, entries []journal.Entry, at []continuity.Position) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		for range 4 {
			if err := w.open(); err != nil {
				t.Fatal(err)
			}
			for i := range uint64(12) {
				if err := w.append(journaltest.Batch(w.next, 1+int(i%4), 700)); err != nil {
					t.Fatal(err)
				}
				if i%5 == 0 {
					time.Sleep(time.Second) // in the bubble: the synced note
				}
			}
			if w.below = w.at[len(w.at)/2]; w.log.Retire(w.below) != nil {
				t.Fatal("not retired")
			}
			synctest.Wait()
			if err := w.log.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		if err := w.append(journaltest.Batch(w.next, 3, 300)); err != nil {
			t.Fatal(err)
		}
		first := slices.IndexFunc(w.at, func(p continuity.Position) bool { return p >= w.log.Start() })
		entries, at = w.entries[first:], w.at[first:]
		if err := w.log.Close(); err != nil {
			t.Fatal(err)
		}
		fs = w.fs
	})
	return fs, entries, at
}

// outcome is what opening and reading everything says: an error, or the
// entries.
func outcome(t *testing.T, fs *journaltest.CrashFS) (stored []journal.Stored, err error) {
	log, _, err := journal.Open(journal.Options{FS: fs.Process(), SegmentBytes: tinySegment, Ring: ring(t)})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	for s, err := range log.All(0) {
		if err != nil {
			return stored, err
		}
		stored = append(stored, s)
	}
	return stored, nil
}

// checkFound fails the test unless opening and verifying agree, and either find
// damage or everything is there.
func checkFound(t *testing.T, what string, fs *journaltest.CrashFS, entries []journal.Entry, at []continuity.Position) (found bool) {
	t.Helper()
	report, err := journal.Verify(fs.Clone().Process())
	if err != nil {
		t.Fatalf("%s: Verify: %v", what, err)
	}
	stored, err := outcome(t, fs)
	if err != nil && !errors.Is(err, journal.ErrDamaged) {
		t.Fatalf("%s: %v", what, err)
	}
	if report.Damaged() != (err != nil) {
		t.Fatalf("%s: opening said %v, Verify found %+v", what, err, report.Findings)
	}
	if err == nil {
		Same(t, what, stored, entries, at)
	}
	return err != nil
}

// Same is journaltest.Same that says what was done.
func Same(t *testing.T, what string, stored []journal.Stored, entries []journal.Entry, at []continuity.Position) {
	t.Helper()
	if len(stored) != len(entries) {
		t.Fatalf("%s: %d entries of %d, and no error", what, len(stored), len(entries))
	}
	journaltest.Same(t, stored, entries, at)
}

func TestEveryFlippedBitIsFoundOrHarmless(t *testing.T) {
	t.Parallel()
	fs, entries, at := sample(t, 1)
	if checkFound(t, "nothing", fs.Clone(), entries, at) {
		t.Fatal("damage in a whole journal")
	}
	names, _ := fs.List()
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 1000 {
		name := names[r.IntN(len(names))]
		size := fs.Size(name)
		if size == 0 {
			continue
		}
		off, bit := r.Int64N(size), uint(r.IntN(8)) // #nosec G115 -- small
		damaged := fs.Clone()
		damaged.Flip(name, off, bit)
		if checkFound(t, fmt.Sprintf("bit %d of %s at %d flipped", bit, name, off), damaged, entries, at) {
			found++
		}
	}
	if found < 100 {
		t.Fatalf("damage in %d of 1000 cases only", found)
	}
}

func TestEveryTruncationIsFoundOrHarmless(t *testing.T) {
	t.Parallel()
	fs, entries, at := sample(t, 2)
	names, _ := fs.List()
	r := rand.New(rand.NewPCG(2, 2))
	found := 0
	for range 1000 {
		name := names[r.IntN(len(names))]
		if fs.Size(name) == 0 {
			continue
		}
		size := r.Int64N(fs.Size(name))
		damaged := fs.Clone()
		damaged.Cut(name, size)
		if checkFound(t, fmt.Sprintf("%s cut to %d", name, size), damaged, entries, at) {
			found++
		}
	}
	if found < 100 {
		t.Fatalf("damage in %d of 1000 cases only", found)
	}
}

// The newest segment is the one whose loss nothing in the journal can tell, if
// the one prepared after it is lost too; a checkpoint can.
func TestEveryMissingSegmentIsFound(t *testing.T) {
	t.Parallel()
	fs, entries, at := sample(t, 3)
	report, err := journal.Verify(fs.Clone().Process())
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, seg := range report.Segments {
		damaged := fs.Clone()
		if err := damaged.Remove(seg.File); err != nil {
			t.Fatal(err)
		}
		found := checkFound(t, seg.File+" removed", damaged, entries, at)
		if wanted := seg.State == journal.SegmentKept; found != wanted {
			t.Fatalf("%s, %s, removed: found is %v", seg.File, seg.State, found)
		} else if wanted {
			kept++
		}
	}
	if kept < 2 {
		t.Fatalf("%d segments in use only", kept)
	}
	for _, seg := range report.Segments {
		if seg.State == journal.SegmentKept || seg.State == journal.SegmentPrepared {
			if err := fs.Remove(seg.File); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := outcome(t, fs); !errors.Is(err, journal.ErrDamaged) {
		t.Fatalf("all segments removed: %v", err)
	}
}

// A batch that power was cut in is a tear; the same hole is damage once a later
// batch, or a synced note, was written.
func TestTearBecomesDamageWhenProven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fs := journaltest.NewCrashFS(1)
		log := openOn(t, fs)
		first := appendTo(t, log, journaltest.Batch(0, 1, 200))
		last := appendTo(t, log, journaltest.Batch(1, 2, 200))
		torn := fs.Clone()
		time.Sleep(99 * time.Millisecond)
		synctest.Wait()
		ops := fs.Ops()
		time.Sleep(2 * time.Millisecond) // the synced note
		synctest.Wait()
		if fs.Ops() != ops+2 {
			t.Fatalf("%d operations after 100 ms, want a write and a sync", fs.Ops()-ops)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if fs.Ops() != ops+2 {
			t.Fatal("an idle journal writes again and again")
		}
		name := func(p continuity.Position) (string, int64) {
			return fmt.Sprintf("%08x.segment", uint64(p>>32)), int64(p & 0xffffffff) // #nosec G115 -- an offset
		}
		file, off := name(last[0])
		proven := fs.Clone()
		proven.Flip(file, off+20, 1)
		var damage *journal.Damage
		if _, err := outcome(t, proven); !errors.As(err, &damage) || damage.File != file || damage.Offset != off {
			t.Fatalf("a proven frame that is not whole: %v", err)
		}

		torn.Flip(file, off+20, 1)
		report, err := journal.Verify(torn.Clone().Process())
		if err != nil || report.Damaged() || len(report.Findings) != 1 || report.Findings[0].What != journal.FoundTorn {
			t.Fatalf("a tear: %+v, %v", report.Findings, err)
		}
		again, rec, err := journal.Open(journal.Options{FS: torn.Process(), SegmentBytes: tinySegment, Ring: ring(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if rec.Torn == nil || rec.Torn.At != last[0] || rec.Torn.Bytes == 0 || rec.Created {
			t.Fatalf("recovered %+v, torn %+v", rec, rec.Torn)
		}
		journaltest.Same(t, journaltest.Collect(t, again, 0), journaltest.Batch(0, 1, 200), first)
	})
}

func TestInspectShowsEveryFrame(t *testing.T) {
	t.Parallel()
	fs, entries, at := sample(t, 4)
	var seen []continuity.Position
	notes := map[string]int{}
	for f, err := range journal.Inspect(fs.Process(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Note {
			notes[f.Kind]++
			continue
		}
		if want := len(entries[len(seen)].Payload); f.Payload != int64(want) {
			t.Fatalf("payload of %d bytes, want %d", f.Payload, want)
		}
		seen = append(seen, f.Position)
	}
	if !slices.Equal(seen, at) {
		t.Fatalf("%d entries, want %d", len(seen), len(at))
	}
	if notes["opened"] < 2 || notes["synced"] < 2 {
		t.Fatalf("notes %v", notes)
	}
	damaged := fs.Clone()                                                                       // the third entry
	damaged.Flip(fmt.Sprintf("%08x.segment", uint64(at[2]>>32)), int64(at[2]&0xffffffff)+20, 1) // #nosec G115 -- an offset
	n := 0
	for f, err := range journal.Inspect(damaged.Process(), at[0]) {
		if err != nil {
			break
		}
		if !f.Note {
			n++
		}
	}
	if n != 2 {
		t.Fatalf("%d entries before the damage, want 2", n)
	}
	report, err := journal.Verify(damaged.Process())
	if err != nil || len(report.Findings) != 1 || report.Findings[0].At+continuity.Position(report.Findings[0].Bytes) != at[3] { // #nosec G115 -- small
		t.Fatalf("%+v, %v", report.Findings, err)
	}
	for f, err := range journal.Inspect(damaged.Process(), at[3]) {
		if err != nil || f.Position < at[3] {
			t.Fatalf("behind the damage: %+v, %v", f, err)
		}
	}
	n = 0
	for f := range journal.Inspect(fs.Process(), at[5]) {
		if f.Position < at[5] {
			t.Fatal("a frame before the position asked for")
		}
		n++
	}
	if n < len(at)-5 {
		t.Fatalf("%d frames from the sixth entry on", n)
	}
	report, err = journal.Verify(fs.Process())
	if err != nil || report.Damaged() || report.Entries != int64(len(at)) || report.InUse {
		t.Fatalf("%+v, %v", report, err)
	}
	if last := at[len(at)-1]; report.Start > at[0] || report.End <= last {
		t.Fatalf("from %x to %x, last entry %x", uint64(report.Start), uint64(report.End), uint64(last))
	}
}

// What a process does while its journal is verified is never taken for damage.
func TestVerifyWhileAProcessWrites(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	appendTo(t, log, journaltest.Batch(0, 1, 100))
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for n := uint64(0); ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			at, err := log.Append(journaltest.Batch(n, 3, 900))
			if err == nil && n%6 == 0 {
				err = log.Retire(at[0])
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 200 {
		report, err := journal.Verify(fs.Process())
		if err != nil || report.Damaged() || !report.InUse {
			t.Errorf("%+v, %v", report.Findings, err)
			break
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestVerifyBesideTheProcessThatUsesIt(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	appendTo(t, log, journaltest.Batch(0, 3, 200))
	report, err := journal.Verify(fs.Process())
	if err != nil || !report.InUse || report.Damaged() || report.Entries != 3 {
		t.Fatalf("%+v, %v", report, err)
	}
	if _, _, err := journal.Open(journal.Options{FS: fs.Process(), SegmentBytes: tinySegment, Ring: ring(t)}); !errors.Is(err, journal.ErrLocked) {
		t.Fatalf("a second Open: %v", err)
	}
	if _, err := journal.Verify(journaltest.NewCrashFS(1).Process()); err == nil || !strings.Contains(err.Error(), "no journal") {
		t.Fatalf("Verify of nothing: %v", err)
	}
}
