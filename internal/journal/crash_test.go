package journal_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

var (
	crashWorkloads = flag.Int("crash.workloads", 6, "random workloads of the crash tests")
	crashSeeds     = flag.Int("crash.seeds", 1, "losses tried for each operation and level")
	crashFirst     = flag.Uint64("crash.first", 1, "seed of the first workload")
)

const (
	tinySegment = 12 << 10
	tinyLargest = tinySegment - 4096 - 32 - 96 - 32
)

// world is a journal on a file system that crashes, and what is known to be in
// it.
type world struct {
	t    testing.TB
	fs   *journaltest.CrashFS
	log  *journal.Files
	next uint64 // number of the next entry

	entries []journal.Entry // acknowledged, or seen after a crash
	at      []continuity.Position
	flying  []journal.Entry     // appended, without an answer
	below   continuity.Position // retirement was asked for
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, fs: journaltest.NewCrashFS(seed)}
	t.Cleanup(func() {
		if w.log != nil {
			_ = w.log.Close() // its background work must end with the test
		}
	})
	return w
}

func (w *world) options() journal.Options {
	return journal.Options{FS: w.fs.Process(), SegmentBytes: tinySegment, Ring: ring(w.t)}
}

// open opens the journal and checks what is in it.
func (w *world) open() error {
	log, rec, err := journal.Open(w.options())
	if err != nil {
		return err
	}
	w.log = log
	if rec.End != log.End() {
		return fmt.Errorf("recovered end %x, end %x", uint64(rec.End), uint64(log.End()))
	}
	return w.check()
}

// check compares the log with what is known: every acknowledged entry that was
// not retired, then a prefix of the batch without an answer, and nothing else.
func (w *world) check() error {
	start := w.log.Start()
	if start>>32 > max(1, w.below>>32) {
		return fmt.Errorf("start is %x, retired below %x", uint64(start), uint64(w.below))
	}
	i := 0
	for i < len(w.at) && w.at[i] < start {
		if w.at[i] >= w.below {
			return fmt.Errorf("entry at %x is below the start %x, retired below %x", uint64(w.at[i]), uint64(start), uint64(w.below))
		}
		i++
	}
	for s, err := range w.log.All(0) {
		if err != nil {
			return err
		}
		if i == len(w.entries) {
			if len(w.flying) == 0 {
				return fmt.Errorf("an entry at %x that was never appended", uint64(s.Position))
			}
			w.entries, w.at = append(w.entries, w.flying[0]), append(w.at, s.Position)
			w.flying = w.flying[1:]
		}
		if s.Position != w.at[i] || s.Kind != w.entries[i].Kind || !bytes.Equal(s.Payload, w.entries[i].Payload) {
			return fmt.Errorf("entry %d at %x differs, appended at %x", i, uint64(s.Position), uint64(w.at[i]))
		}
		i++
	}
	if i < len(w.entries) {
		return fmt.Errorf("entry %d of %d at %x is lost", i, len(w.entries), uint64(w.at[i]))
	}
	w.flying = nil
	return nil
}

// step does one random thing. It returns an error that is not the file
// system's.
func (w *world) step(r *rand.Rand) error {
	switch k := r.IntN(20); {
	case k < 12:
		return w.append(journaltest.Batch(w.next, 1+r.IntN(4), r.IntN(900)))
	case k < 13:
		return w.append(journaltest.Batch(w.next, 3, tinyLargest-r.IntN(2000))) // over several segments
	case k < 16:
		<-time.After(150 * time.Millisecond) // in the bubble: the synced note
	case k < 18 && len(w.at) > 0:
		below := w.at[len(w.at)/2+r.IntN(len(w.at)-len(w.at)/2)]
		w.below = max(w.below, below)
		return ignore(w.log.Retire(below))
	case k < 19:
		return ignore(w.log.Reserve(int64(r.IntN(3 * tinySegment))))
	default:
		if err := ignore(w.log.Close()); err != nil || w.fs.Crashed() {
			return err
		}
		return ignore(w.open())
	}
	return nil
}

func (w *world) append(batch []journal.Entry) error {
	w.next += uint64(len(batch))
	w.flying = batch
	at, err := w.log.Append(batch)
	if err == nil {
		w.entries, w.at = append(w.entries, batch...), append(w.at, at...)
	}
	if err == nil || errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrLatched) {
		w.flying = nil
		if errors.Is(err, journal.ErrLatched) {
			return nil
		}
	}
	return ignore(err)
}

// ignore passes on what the crash does not explain.
func ignore(err error) error {
	if errors.Is(err, journaltest.ErrCrashed) || errors.Is(err, journal.ErrLatched) {
		return nil
	}
	return err
}

// work does steps until the file system crashes. Background work ends between
// steps, so that a seed always gives the same operations.
func (w *world) work(r *rand.Rand, steps int) error {
	for range steps {
		err := w.step(r)
		synctest.Wait()
		if err != nil {
			return err
		}
		if w.fs.Crashed() {
			return nil
		}
	}
	return nil
}

// crash cuts the power and opens the journal again.
func (w *world) crash(loss journaltest.Loss) error {
	w.fs.Crash(loss)
	if w.log != nil {
		_ = w.log.Close() // ends its background work; its files are dead
	}
	return w.open()
}

// run is one life: work, crash at an operation, check, work on, crash again.
func (w *world) run(seed uint64, crashAt int, loss journaltest.Loss) error {
	r := rand.New(rand.NewPCG(seed, 1))
	w.fs.CrashAt(crashAt)
	if err := w.open(); ignore(err) != nil {
		return err
	}
	if w.log != nil && !w.fs.Crashed() {
		if err := w.work(r, 12); err != nil {
			return err
		}
	}
	if err := w.crash(loss); err != nil {
		return fmt.Errorf("after the crash: %w", err)
	}
	w.fs.CrashAt(1 + int(r.Uint32N(40)))
	if err := w.work(r, 4); err != nil {
		return err
	}
	if err := w.crash(journaltest.Loss(r.IntN(3))); err != nil {
		return fmt.Errorf("after the second crash: %w", err)
	}
	if err := w.append(journaltest.Batch(w.next, 2, 100)); err != nil {
		return err
	}
	err := w.check()
	return errors.Join(err, w.log.Close())
}

// operations counts those of a workload that does not crash.
func operations(t *testing.T, seed uint64) (n int) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed)
		if err := w.open(); err != nil {
			t.Fatal(err)
		}
		if err := w.work(rand.New(rand.NewPCG(seed, 1)), 12); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		n = w.fs.Ops()
		if err := w.crash(journaltest.DropAll); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		_ = w.log.Close()
	})
	return n
}

func TestPowerCutAtEveryOperation(t *testing.T) {
	t.Parallel()
	for i := range *crashWorkloads {
		seed := *crashFirst + uint64(i) // #nosec G115 -- small
		n := operations(t, seed)
		for crashAt := 1; crashAt <= n; crashAt++ {
			for loss := journaltest.DropAll; loss <= journaltest.KeepAll; loss++ {
				for k := range *crashSeeds {
					if loss != journaltest.Random && k > 0 {
						break
					}
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, seed<<16+uint64(k)) // #nosec G115 -- small
						if err := w.run(seed, crashAt, loss); err != nil {
							t.Fatalf("workload %d, crash at operation %d of %d, %v, loss %d: %v", seed, crashAt, n, loss, k, err)
						}
					})
				}
			}
		}
	}
}
