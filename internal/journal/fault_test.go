package journal_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

// A disk that lies about syncs must make the crash test fail: else that test
// would not notice a journal that forgets one.
func TestPowerCutTestSeesALyingDisk(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]journaltest.OpKind{"sync": journaltest.OpSync, "directory sync": journaltest.OpSyncDir} {
		t.Run(name, func(t *testing.T) {
			const cycles = 50
			for i := range uint64(cycles) {
				var err error
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, i)
					w.fs.Lie(kind)
					err = w.run(i, 20+int(i), journaltest.Loss(i%2)) // #nosec G115 -- small
					if w.log != nil {
						_ = w.log.Close()
					}
				})
				if err != nil {
					return
				}
			}
			t.Fatalf("not seen in %d cycles", cycles)
		})
	}
}

// faulty runs a workload in which one operation fails, then ends the process
// without a power cut, opens again, and only then cuts the power: what was read
// after the first opening must still be there.
func (w *world) faulty(seed uint64, n int, errno error, loss journaltest.Loss) (fired bool, err error) {
	r := rand.New(rand.NewPCG(seed, 1))
	w.fs.Inject(func(op journaltest.Op) error {
		if op.N == n {
			fired = true
			return errno
		}
		return nil
	})
	tolerate := func(err error) error {
		if errors.Is(err, errno) || errors.Is(err, journal.ErrLatched) || errors.Is(err, journal.ErrFull) {
			return nil
		}
		return err
	}
	err = w.open()
	for range 12 {
		if err != nil || w.log == nil {
			break
		}
		latched := w.log.Latched() != nil
		before := len(w.entries)
		err = w.step(r)
		synctest.Wait()
		if latched && len(w.entries) > before {
			return fired, errors.New("a latched journal accepted an entry")
		}
	}
	if tolerate(err) != nil {
		return fired, err
	}
	w.fs.Kill()
	if w.log != nil {
		_ = w.log.Close()
	}
	if err := w.open(); err != nil {
		return fired, fmt.Errorf("after the fault: %w", err)
	}
	if r.IntN(2) == 0 {
		if err := w.append(journaltest.Batch(w.next, 2, 500)); err != nil {
			return fired, fmt.Errorf("after the fault: %w", err)
		}
	}
	if err := w.crash(loss); err != nil {
		return fired, fmt.Errorf("after the power cut: %w", err)
	}
	return fired, w.log.Close()
}

func TestFaultAtEveryOperation(t *testing.T) {
	t.Parallel()
	for i := range *crashWorkloads {
		seed := *crashFirst + uint64(i) // #nosec G115 -- small
		for n, fired := 1, true; fired; n++ {
			for loss := journaltest.DropAll; loss <= journaltest.KeepAll; loss++ {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, seed)
					var err error
					if fired, err = w.faulty(seed, n, syscall.EIO, loss); err != nil {
						t.Fatalf("workload %d, fault at operation %d, %v: %v", seed, n, loss, err)
					}
				})
			}
		}
	}
}

func TestFailedWriteOrSyncLatches(t *testing.T) {
	t.Parallel()
	for _, kind := range []journaltest.OpKind{journaltest.OpWrite, journaltest.OpSync} {
		for _, errno := range []error{syscall.EIO, syscall.ENOSPC} {
			fs := journaltest.NewCrashFS(1)
			log := openOn(t, fs)
			at := appendTo(t, log, journaltest.Batch(0, 1, 100))
			fs.Inject(func(op journaltest.Op) error {
				if op.Kind == kind {
					return errno
				}
				return nil
			})
			_, err := log.Append(journaltest.Batch(1, 1, 100))
			if !errors.Is(err, errno) || errors.Is(err, journal.ErrLatched) || errors.Is(err, journal.ErrFull) {
				t.Fatalf("the Append that fails: %v", err)
			}
			fs.Inject(nil) // the disk is well again
			ops := fs.Ops()
			for range 3 {
				if _, err := log.Append(journaltest.Batch(2, 1, 100)); !errors.Is(err, journal.ErrLatched) {
					t.Fatalf("a later Append: %v", err)
				}
			}
			if err := log.Retire(log.End()); !errors.Is(err, journal.ErrLatched) {
				t.Fatalf("a later Retire: %v", err)
			}
			if err := log.Reserve(1); !errors.Is(err, journal.ErrLatched) {
				t.Fatalf("a later Reserve: %v", err)
			}
			if log.Latched() == nil || fs.Ops() != ops {
				t.Fatalf("latched by %v, %d operations after it", log.Latched(), fs.Ops()-ops)
			}
			journaltest.Same(t, journaltest.Collect(t, log, 0), journaltest.Batch(0, 1, 100), at)
			if err := log.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			if fs.Ops() != ops {
				t.Fatal("closing a latched journal wrote")
			}
		}
	}
}

func TestFullDiskDoesNotLatchAndEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fs.SetCapacity(5 * tinySegment)
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.log.Close() }()
		if err := w.log.Reserve(tinyLargest / 2); err != nil {
			t.Fatal(err)
		}
		refused := 0
		for i := 0; refused < 3; i++ {
			if i > 1000 {
				t.Fatal("never full")
			}
			batch := journaltest.Batch(w.next, 1+i%9, 800)
			w.next += uint64(len(batch))
			at, err := w.log.Append(batch)
			if err == nil {
				w.entries, w.at = append(w.entries, batch...), append(w.at, at...)
			} else if refused++; !errors.Is(err, journal.ErrFull) {
				t.Fatalf("Append to a full disk: %v", err)
			}
			synctest.Wait()
		}
		if err := w.log.Reserve(tinyLargest / 2); !errors.Is(err, journal.ErrFull) {
			t.Fatalf("Reserve on a full disk: %v", err)
		}
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
		if err := w.crash(journaltest.Random); err != nil { // nothing of what was refused comes back
			t.Fatal(err)
		}
		if _, err := w.log.Append(journaltest.Batch(w.next, 1, 100)); !errors.Is(err, journal.ErrFull) {
			t.Fatalf("Append to a full disk after a restart: %v", err)
		}
		w.fs.SetCapacity(8 * tinySegment)
		time.Sleep(2 * time.Second) // in the bubble
		if err := w.append(journaltest.Batch(w.next, 4, 800)); err != nil {
			t.Fatalf("the disk has room again: %v", err)
		}
		if err := w.check(); err != nil {
			t.Fatal(err)
		}
	})
}

// A full disk is given room by retiring: its note always finds a place.
func TestRetireMakesRoomOnAFullDisk(t *testing.T) {
	t.Parallel()
	for n := range 60 { // ends the last segment with every rest there can be
		w := newWorld(t, 1)
		w.fs.SetCapacity(4*tinySegment + 1024)
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		for {
			at, err := w.log.Append(journaltest.Batch(w.next, 1, 200+n))
			if errors.Is(err, journal.ErrFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			w.next, w.at = w.next+1, append(w.at, at...)
		}
		if err := w.log.Retire(w.log.End()); err != nil {
			t.Fatalf("payloads of %d bytes: Retire on a full disk: %v", 200+n, err)
		}
		appendTo(t, w.log, journaltest.Batch(w.next, 5, 800))
		if err := w.log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What was reserved can be appended when the disk has nothing left, also after
// a restart, which gives up the rest of a segment.
func TestReservedRoomIsThere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			w := newWorld(t, seed)
			if err := w.open(); err != nil {
				t.Fatal(err)
			}
			for range 1 + r.IntN(20) {
				if err := w.append(journaltest.Batch(w.next, 1, r.IntN(900))); err != nil {
					t.Fatal(err)
				}
			}
			n := 1 + r.Int64N(5*tinySegment)
			if err := w.log.Reserve(n); err != nil {
				t.Fatal(err)
			}
			w.fs.SetCapacity(0)
			if r.IntN(2) == 0 {
				if err := w.crash(journaltest.DropAll); err != nil {
					t.Fatal(err)
				}
				w.fs.SetCapacity(0)
			}
			for {
				size := r.IntN(200) // below a 32nd of a segment, as Reserve asks
				if n -= journal.Size(size); n < 0 {
					break
				}
				if err := w.append(journaltest.Batch(w.next, 1, size)); err != nil {
					t.Fatalf("seed %d: %d bytes before the end of the reserve: %v", seed, n, err)
				}
				if r.IntN(4) == 0 {
					time.Sleep(time.Second) // in the bubble: the synced note
				}
			}
			if err := w.check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			_ = w.log.Close()
		})
	}
}

func TestMaxBytesBoundsTheFiles(t *testing.T) {
	t.Parallel()
	const bound = 6 * tinySegment
	dir := journaltest.NewCrashFS(1)
	log, _, err := journal.Open(journal.Options{FS: dir.Process(), SegmentBytes: tinySegment, MaxBytes: bound, Ring: ring(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for {
		_, err := log.Append(journaltest.Batch(0, 1, 900))
		if errors.Is(err, journal.ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	free, used := log.Room()
	if used != bound || free > 900 {
		t.Fatalf("%d bytes used of %d, %d free", used, bound, free)
	}
	for _, o := range []journal.Options{
		{MaxBytes: 3 * tinySegment, SegmentBytes: tinySegment},
		{SegmentBytes: 4096}, {SegmentBytes: 4 << 30},
	} {
		o.FS, o.Ring = journaltest.NewCrashFS(1).Process(), ring(t)
		if _, _, err := journal.Open(o); err == nil {
			t.Fatalf("opened with %+v", o)
		}
	}
}

// A process that starts again and again gives back what it does not use.
func TestRestartsDoNotFillTheDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		const restarts = 50
		for i := range restarts {
			if err := w.open(); err != nil {
				t.Fatal(err)
			}
			if err := w.append(journaltest.Batch(w.next, 1, 100)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			_, used := w.log.Room()
			if most := int64(3*tinySegment + i*2*4096); used > most {
				t.Fatalf("%d bytes used after %d restarts, want at most %d", used, i, most)
			}
			w.fs.Kill()
			_ = w.log.Close()
		}
		w.fs.SetCapacity(0)
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		if err := w.append(journaltest.Batch(w.next, 1, 100)); err != nil {
			t.Fatal(err)
		}
		if len(w.at) != restarts+1 {
			t.Fatalf("%d entries", len(w.at))
		}
		report, err := journal.Verify(w.fs.Process())
		if err != nil || report.Damaged() {
			t.Fatalf("%+v, %v", report.Findings, err)
		}
		w.below = w.log.End()
		if err := w.log.Retire(w.below); err != nil {
			t.Fatal(err)
		}
		if err := w.log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
	})
}

// A disk that is full up to the last segment is enough to start again and
// again, and to write a little each time: what the process before has left over
// makes the room.
func TestRule1_2_RestartsOnAFullDiskFindRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const segment, restarts = 64 << 10, 6
		dir := journaltest.NewCrashFS(1)
		dir.SetCapacity(2*segment + (restarts+1)*2*4096)
		for i := range restarts {
			fs := dir.Process()
			log, _, err := journal.Open(journal.Options{FS: fs, SegmentBytes: segment, Ring: ring(t)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Append(journaltest.Batch(uint64(i), 1, 100)); err != nil {
				t.Errorf("start %d: %v", i+1, err)
			}
			if i%2 == 0 {
				time.Sleep(2 * time.Second) // in the bubble: time to give back
			}
			dir.Kill()
			_ = log.Close()
		}
		report, err := journal.Verify(dir.Process())
		if err != nil || report.Damaged() {
			t.Fatalf("%+v, %v", report.Findings, err)
		}
	})
}

func TestFreeFilesAreRemovedAfterABacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = w.log.Close() }()
		for range 400 {
			if err := w.append(journaltest.Batch(w.next, 1, 900)); err != nil {
				t.Fatal(err)
			}
		}
		_, before := w.log.Room()
		if err := w.log.Retire(w.log.End()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		_, after := w.log.Room()
		if after >= before/2 || after < 2*tinySegment {
			t.Fatalf("%d bytes used, %d before the backlog was retired", after, before)
		}
		var sum int64
		names, _ := w.fs.List()
		for _, name := range names {
			if name != "JOURNAL" {
				sum += w.fs.Size(name)
			}
		}
		if sum != after {
			t.Fatalf("%d bytes of files, %d counted", sum, after)
		}
	})
}

func TestWrongKeyOpensNothing(t *testing.T) {
	t.Parallel()
	fs := journaltest.NewCrashFS(1)
	log := openOn(t, fs)
	appendTo(t, log, journaltest.Batch(0, 1, 100))
	secret, err := log.Secret("test", 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	ops := fs.Ops()
	for _, r := range []*journal.Options{{}, {Ring: otherRing(t)}} {
		if _, _, err := journal.Open(journal.Options{FS: fs.Process(), SegmentBytes: tinySegment, Ring: r.Ring}); !errors.Is(err, journal.ErrNoKey) {
			t.Fatalf("opened with another key: %v", err)
		}
	}
	if fs.Ops() != ops {
		t.Fatal("opening with a wrong key changed something")
	}
	log = openOn(t, fs)
	if again, err := log.Secret("test", 32); err != nil || string(again) != string(secret) {
		t.Fatal("the secret changed")
	}
	if other, err := log.Secret("test 2", 32); err != nil || string(other) == string(secret) {
		t.Fatal("two purposes share a secret")
	}
}

func TestIdentityFileIsWrittenAgain(t *testing.T) {
	t.Parallel()
	dir, entries, at := sample(t, 5)
	if err := dir.Remove("JOURNAL"); err != nil {
		t.Fatal(err)
	}
	stored, err := outcome(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	journaltest.Same(t, stored, entries, at)
	if _, err := dir.Open("JOURNAL"); errors.Is(err, fs.ErrNotExist) {
		t.Fatal("the identity file is still missing")
	}
}
