package ledger_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/ledger"
)

var route = continuity.Route{
	ID: "orders", Settle: 2 * time.Second,
	Hold: continuity.Hold{State: continuity.HoldOn, Count: 1000, Bytes: 1 << 20, Age: time.Hour},
}

func open(t *testing.T, log journal.Log, cps ledger.Checkpoints) *ledger.Ledger {
	t.Helper()
	l, _, err := ledger.Open(ledger.Options{Log: log, Checkpoints: cps, Routes: []continuity.Route{route}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func receipt(n int) (r continuity.Receipt) {
	binary.BigEndian.PutUint64(r[:], uint64(n)*0x9e3779b97f4a7c15+1)
	binary.BigEndian.PutUint64(r[8:], uint64(n)*0xc2b2ae3d27d4eb4f+7)
	return r
}

func record(n int, key continuity.KeyTag) *continuity.Record {
	return &continuity.Record{
		Receipt: receipt(n), Route: "orders", Key: key, KeyText: fmt.Sprint("K", key), Caller: "public",
		IdempotencyKey: fmt.Sprint("idem-", n), Method: "POST", Target: "/api/orders", Host: "shop",
		Header: []continuity.Field{{Name: "Content-Type", Value: "application/json"}}, Body: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

func accept(t *testing.T, l *ledger.Ledger, r *continuity.Record) ledger.Status {
	t.Helper()
	st, kept, err := l.Accept(r, false)
	if err != nil || !kept {
		t.Fatalf("accept: kept %v, %v", kept, err)
	}
	return st
}

func claim(t *testing.T, l *ledger.Ledger) ledger.Status {
	t.Helper()
	st, ok := l.Claim("orders")
	if !ok {
		t.Fatal("nothing to claim")
	}
	return st
}

func deliver(t *testing.T, l *ledger.Ledger, st ledger.Status) {
	t.Helper()
	if _, err := l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201}})
}

func finish(t *testing.T, l *ledger.Ledger, o continuity.Outcome) ledger.Status {
	t.Helper()
	st, err := l.Finish(o)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// same checks that the journal restores what the live ledger knows: from its
// beginning, if that is still there, and behind each of its two checkpoints.
func same(t *testing.T, l *ledger.Ledger, log *memLog, cps *memCheckpoints) {
	t.Helper()
	want := l.Describe()
	sameBase(t, l, log, cps)
	check := func(name string, c ledger.Checkpoints) {
		t.Helper()
		s, _, err := ledger.Restore(log, c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := s.Describe(); got != want {
			t.Fatalf("%s restores another state\n got: %s\nwant: %s", name, got, want)
		}
	}
	if log.Start() == 10 {
		check("the log alone", nil)
	}
	if cps == nil {
		return
	}
	check("the newest checkpoint", cps)
	if cps.older.data != nil {
		check("the older checkpoint", &memCheckpoints{newest: cps.older})
	}
}

func TestRule2_1_LedgerBalancesThroughEveryEnd(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	ends := []continuity.State{continuity.Delivered, continuity.Refused, continuity.Dead}
	for i, to := range ends {
		accept(t, l, record(i, continuity.KeyTag(i+1)))
		st := claim(t, l)
		if _, err := l.Attempt(st.Receipt); err != nil {
			t.Fatal(err)
		}
		finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: to})
		if c := l.Counters("orders"); !c.Balanced() {
			t.Fatalf("after %s: %+v", to, c)
		}
	}
	lost := record(10, 20)
	lost.Lost = true
	st := accept(t, l, lost)
	finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered})
	c := l.Counters("orders")
	if !c.Balanced() || c.DeliveredAtOnce != 1 || c.DeliveredAfterDoubt != 1 || c.Refused != 1 || c.Dead != 1 || c.Pending() != 0 || c.PendingBytes != 0 {
		t.Fatalf("counters %+v", c)
	}
	same(t, l, log, nil)
}

func TestRule3_1_OneAtATimeInJournalOrder(t *testing.T) {
	l := open(t, newMemLog(), nil)
	for i := range 5 {
		accept(t, l, record(i, 7))
	}
	for i := range 5 {
		st := claim(t, l)
		if st.Receipt != receipt(i) {
			t.Fatalf("claimed %s as number %d", st.Receipt.Short(), i)
		}
		if _, ok := l.Claim("orders"); ok {
			t.Fatal("two of one key at once")
		}
		deliver(t, l, st)
	}
}

func TestRule3_2_LiveRequestJoinsItsKeyInTheGate(t *testing.T) {
	l := open(t, newMemLog(), nil)
	if _, kept, err := l.Accept(record(1, 7), true); kept || err != nil {
		t.Fatalf("kept %v, %v though the key was not in the gate", kept, err)
	}
	accept(t, l, record(1, 7))
	if _, kept, err := l.Accept(record(2, 7), true); !kept || err != nil {
		t.Fatalf("kept %v, %v though the key was in the gate", kept, err)
	}
}

func TestRule3_2_RecordOnItsWayToDiskIsInTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		goOn := log.stall()
		go func() { _, _, _ = l.Accept(record(1, 7), false) }()
		synctest.Wait()
		if !l.Gated(7) || l.GateEmpty("orders") {
			t.Fatal("passed by a record that is being written")
		}
		behind := make(chan bool)
		go func() {
			_, kept, _ := l.Accept(record(2, 7), true)
			behind <- kept
		}()
		synctest.Wait()
		goOn()
		if !<-behind {
			t.Fatal("not kept behind it")
		}
		if st := claim(t, l); st.Receipt != receipt(1) {
			t.Fatal("out of order")
		}
		_ = l.Close()
	})
}

// A route is blank until its first record is on its way, and never again.
func TestRule5_3_BlankRoutesKeptNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		if !l.Blank("orders") {
			t.Error("a new journal's route is not blank")
		}
		goOn := log.stall()
		go func() { _, _, _ = l.Accept(record(1, 7), false) }()
		synctest.Wait()
		if l.Blank("orders") || !l.Blank("other") {
			t.Error("a record on its way is overlooked, or taken for another route's")
		}
		goOn()
		synctest.Wait()
		_ = l.Close()
		l = open(t, log, nil)
		if l.Blank("orders") {
			t.Error("blank after a restart")
		}
		_ = l.Close()
	})
}

func TestRule3_3_KeyLeavesWithItsLastRecord(t *testing.T) {
	l := open(t, newMemLog(), nil)
	accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	deliver(t, l, claim(t, l))
	if !l.Gated(7) || l.GateEmpty("orders") {
		t.Fatal("left early")
	}
	last := claim(t, l)
	if _, err := l.Attempt(last.Receipt); err != nil {
		t.Fatal(err)
	}
	if !l.Gated(7) || l.GateEmpty("orders") {
		t.Fatal("left while its last record was being sent")
	}
	finish(t, l, continuity.Outcome{Receipt: last.Receipt, To: continuity.Delivered})
	if l.Gated(7) || !l.GateEmpty("orders") {
		t.Fatal("still in the gate")
	}
}

func TestRule3_3_ParkedKeyStopsNoOther(t *testing.T) {
	l := open(t, newMemLog(), nil)
	accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	accept(t, l, record(3, 8))
	finish(t, l, continuity.Outcome{Receipt: claim(t, l).Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison})
	if st := claim(t, l); st.Receipt != receipt(3) {
		t.Fatalf("claimed %s", st.Receipt.Short())
	}
	if _, ok := l.Claim("orders"); ok {
		t.Fatal("went past a parked record of its key")
	}
}

func TestRule3_6_NothingScansTheBacklog(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	const others = 300
	for i := range others {
		accept(t, l, record(1000+i, 7)) // all behind one bad key
		accept(t, l, record(i, continuity.KeyTag(100+i)))
	}
	finish(t, l, continuity.Outcome{Receipt: claim(t, l).Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison})
	log.reads = 0
	for range others {
		st := claim(t, l)
		if _, err := l.Record(st.Position); err != nil {
			t.Fatal(err)
		}
		deliver(t, l, st)
	}
	if log.reads != others {
		t.Fatalf("%d reads of the journal for %d deliveries", log.reads, others)
	}
}

// A live request can be lost while its key has been kept already: what was kept
// before it waits, too, whether or not one of it is being sent.
func TestRule4_4_ALostRequestDelaysWhatWasKeptBeforeIt(t *testing.T) {
	for _, sending := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log := newMemLog()
			l := open(t, log, nil)
			accept(t, l, record(1, 7))
			accept(t, l, record(2, 7))
			if sending {
				if _, err := l.Attempt(claim(t, l).Receipt); err != nil {
					t.Fatal(err)
				}
			}
			lost := record(3, 7)
			lost.Lost = true
			accept(t, l, lost)
			first := 1
			if sending {
				finish(t, l, continuity.Outcome{Receipt: receipt(1), To: continuity.Delivered})
				first = 2
			}
			if st, ok := l.Claim("orders"); ok {
				t.Fatalf("sending %v: %s was handed out within settle", sending, st.Receipt.Short())
			}
			due, ok := l.NextDue("orders")
			if !ok || due < route.Settle {
				t.Fatalf("sending %v: due in %v", sending, due)
			}
			time.Sleep(due)
			if st := claim(t, l); st.Receipt != receipt(first) {
				t.Fatal("out of order")
			}
			same(t, l, log, nil)
			_ = l.Close()
		})
	}
}

func TestRule4_4_NothingOfTheKeyWithinSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, newMemLog(), nil)
		lost := record(1, 7)
		lost.Lost = true
		accept(t, l, lost)
		accept(t, l, record(2, 7))
		if _, ok := l.Claim("orders"); ok {
			t.Fatal("claimed within settle")
		}
		due, ok := l.NextDue("orders")
		if !ok || due < route.Settle {
			t.Fatalf("due in %v", due)
		}
		time.Sleep(due)
		if st := claim(t, l); st.Receipt != lost.Receipt || st.State != continuity.InDoubt || st.Attempts != 1 {
			t.Fatalf("claimed %+v", st)
		}
		_ = l.Close()
	})
}
