package ledger_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
)

var (
	crashWorkloads = flag.Uint64("crash.workloads", 3, "random workloads of the crash test")
	crashFirst     = flag.Uint64("crash.first", 1, "seed of the first workload")
	crashPoints    = flag.Int("crash.points", 40, "operations of each workload at which the power fails; 0: all")
)

// told is what a client, a worker or a person has been told of a record.
type told struct {
	key      continuity.KeyTag
	asked    bool // accepting was asked for
	accepted bool // and acknowledged
	attempts int
	asking   bool             // an event about it has no answer
	ended    continuity.State // 0: not that anybody knows
}

// desk works on a ledger over a disk that loses what was not synced, and keeps
// its own books of what it was told.
type desk struct {
	t     testing.TB
	fs    *journaltest.CrashFS
	log   *journal.Files
	l     *ledger.Ledger
	told  []*told
	below continuity.Position
}

func (d *desk) open() error {
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		return err
	}
	d.log, _, err = journal.Open(journal.Options{FS: d.fs.Process(), SegmentBytes: 12 << 10, Ring: ring})
	if err != nil {
		return err
	}
	d.l, _, err = ledger.Open(ledger.Options{Log: d.log, Checkpoints: d.log.Checkpoints(), Routes: []continuity.Route{route}})
	return err
}

func (d *desk) close() {
	if d.l != nil {
		_ = d.l.Close()
	}
	if d.log != nil {
		_ = d.log.Close()
	}
	d.l, d.log = nil, nil
}

// work does random things until the disk fails or the steps are done.
func (d *desk) work(r *rand.Rand) {
	for range 40 {
		switch r.IntN(10) {
		case 0, 1, 2, 3:
			d.accept(r)
		case 4, 5, 6, 7:
			d.replay(r)
		case 8:
			_ = d.l.Checkpoint()
		case 9:
			time.Sleep(time.Duration(r.IntN(3)) * time.Second)
			if n := len(d.told); n > 4 {
				if st, ok := d.l.Status(receipt(n / 2)); ok {
					d.below = max(d.below, st.Position)
					_ = d.l.Forget(d.t.Context(), st.Position)
				}
			}
		}
		if d.fs.Crashed() {
			return
		}
	}
}

func (d *desk) accept(r *rand.Rand) {
	n := len(d.told)
	b := &told{key: continuity.KeyTag(r.IntN(4) + 1), asked: true}
	d.told = append(d.told, b)
	rec := record(n, b.key)
	rec.Body = make([]byte, r.IntN(900))
	_, kept, err := d.l.Accept(rec, false)
	b.accepted = kept && err == nil
}

func (d *desk) replay(r *rand.Rand) {
	st, ok := d.l.Claim("orders")
	if !ok {
		return
	}
	b := d.find(st.Receipt)
	b.asking = true
	at, err := d.l.Attempt(st.Receipt)
	if err != nil {
		return
	}
	b.asking, b.attempts = false, at.Attempts
	to := []continuity.State{continuity.Delivered, continuity.Delivered, continuity.Refused, continuity.Queued, continuity.InDoubt}[r.IntN(5)]
	b.asking = true
	_, err = d.l.Finish(continuity.Outcome{Receipt: st.Receipt, To: to})
	if err != nil {
		return
	}
	b.asking = false
	if to.Ended() {
		b.ended = to
	}
}

func (d *desk) find(r continuity.Receipt) *told {
	for n, b := range d.told {
		if receipt(n) == r {
			return b
		}
	}
	d.t.Fatal("claimed a record that nobody asked to accept")
	return nil
}

// check holds the recovered ledger against the books.
func (d *desk) check() {
	d.t.Helper()
	if c := d.l.Counters("orders"); !c.Balanced() {
		d.t.Fatalf("unbalanced after recovery: %+v", c)
	}
	order := map[continuity.KeyTag][]continuity.Receipt{}
	for n, b := range d.told {
		st, known := d.l.Status(receipt(n))
		switch {
		case !known && b.accepted && !(b.ended != 0 || b.asking):
			d.t.Fatalf("record %d was acknowledged and is lost", n)
		case !known:
			continue
		case b.ended != 0 && st.State != b.ended:
			d.t.Fatalf("record %d had ended %s and is %s", n, b.ended, st.State)
		case b.ended == 0 && !b.asking && !st.State.Pending():
			d.t.Fatalf("record %d is %s, and nobody asked for it", n, st.State)
		case st.State == continuity.Attempting:
			d.t.Fatalf("record %d is still being attempted after a restart", n)
		case st.State.Pending() && st.Attempts < b.attempts:
			d.t.Fatalf("record %d has forgotten attempt %d", n, b.attempts)
		}
		if st.State.Pending() {
			order[b.key] = append(order[b.key], receipt(n))
			if rec, err := d.l.Record(st.Position); err != nil || rec.Receipt != receipt(n) {
				d.t.Fatalf("record %d cannot be read: %v", n, err)
			}
		}
	}
	time.Sleep(time.Minute) // past every settle
	for {
		st, ok := d.l.Claim("orders")
		if !ok {
			break
		}
		if want := order[st.Key][0]; st.Receipt != want {
			d.t.Fatalf("key %d: %s came before %s", st.Key, st.Receipt.Short(), want.Short())
		}
		order[st.Key] = order[st.Key][1:]
		deliver(&testing.T{}, d.l, st)
		d.find(st.Receipt).ended = continuity.Delivered
	}
	for key, rest := range order {
		if len(rest) > 0 {
			d.t.Fatalf("key %d: %d records never came up", key, len(rest))
		}
	}
	if c := d.l.Counters("orders"); !c.Balanced() || c.Pending() != 0 {
		d.t.Fatalf("after the drain: %+v", c)
	}
}

// Power fails at the operations of random workloads, with every level of loss:
// what anybody was told still holds, in order, and the books balance.
func TestRule1_PowerCutLosesNothingTold(t *testing.T) {
	for seed := *crashFirst; seed < *crashFirst+*crashWorkloads; seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			ops := 0
			synctest.Test(t, func(t *testing.T) { ops = cutPower(t, seed, 1<<40, journaltest.KeepAll) })
			stride := 1
			if *crashPoints > 0 {
				stride = max(1, ops / *crashPoints)
			}
			t.Logf("%d operations, every %d.", ops, stride)
			for at := 1 + int(seed)%stride; at <= ops; at += stride {
				for _, loss := range []journaltest.Loss{journaltest.DropAll, journaltest.Random, journaltest.KeepAll} {
					synctest.Test(t, func(t *testing.T) { cutPower(t, seed, at, loss) })
				}
			}
		})
	}
}

// cutPower works until operation at, cuts the power, and checks what is left.
// It returns the number of operations before the cut.
func cutPower(t *testing.T, seed uint64, at int, loss journaltest.Loss) (ops int) {
	d := &desk{t: t, fs: journaltest.NewCrashFS(seed*1000003 + uint64(at))}
	d.fs.CrashAt(at)
	if d.open() == nil {
		d.work(rand.New(rand.NewPCG(seed, 2)))
	}
	ops = d.fs.Ops()
	d.close()
	d.fs.Crash(loss)
	defer func() {
		if t.Failed() {
			t.Logf("seed %d, operation %d, %s", seed, at, loss)
		}
	}()
	if err := d.open(); err != nil {
		t.Fatalf("recovery: %v", err)
	}
	d.check()
	d.close()
	return ops
}
