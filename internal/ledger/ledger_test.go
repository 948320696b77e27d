package ledger_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

func TestRule1_1_AcceptedMeansInTheLog(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	st := accept(t, l, record(1, 7))
	if st.State != continuity.Queued || st.Position == 0 {
		t.Fatalf("status %+v", st)
	}
	rec, err := l.Record(st.Position)
	if err != nil || string(rec.Body) != `{"n":1}` || rec.Header[0].Value != "application/json" {
		t.Fatalf("record %+v, %v", rec, err)
	}
	same(t, l, log, nil)
}

func TestRule1_2_FailedSyncLatches(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	log.fail = errors.New("input/output error")
	_, kept, err := l.Accept(record(1, 7), false)
	if kept || continuity.CodeOf(err) != continuity.CodeOutcomeUnknown {
		t.Fatalf("kept %v, %v", kept, err)
	}
	log.fail = nil // the disk seems well again, which must not matter
	_, kept, err = l.Accept(record(2, 7), false)
	if kept || continuity.CodeOf(err) != continuity.CodeLatched || l.Latched() == nil {
		t.Fatalf("after the latch: kept %v, %v", kept, err)
	}
	if _, ok := l.Claim("orders"); ok {
		t.Fatal("a latched ledger hands out records")
	}
}

func TestRule1_2_FullDiskDoesNotLatch(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	log.fail = journal.ErrFull
	_, kept, err := l.Accept(record(1, 7), false)
	if kept || continuity.CodeOf(err) != continuity.CodeDiskFull {
		t.Fatalf("kept %v, %v", kept, err)
	}
	if l.Gated(7) {
		t.Fatal("a refused record left its key in the gate")
	}
	accept(t, l, record(1, 7))
}

func TestRule1_2_EntryThatNoLogCanHoldCostsOnlyItself(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	log.largest = 4 << 10
	goOn := log.stall()
	large := record(1, 7)
	large.Body = make([]byte, 4<<10)
	type result struct {
		kept bool
		err  error
	}
	results := make([]chan result, 4) // they share a batch, as the log stalls
	for i := range results {
		results[i] = make(chan result, 1)
		rec := record(10+i, continuity.KeyTag(10+i))
		if i == 2 {
			rec = large
		}
		go func() {
			_, kept, err := l.Accept(rec, false)
			results[i] <- result{kept, err}
		}()
	}
	goOn()
	for i := range results {
		switch got := <-results[i]; {
		case i == 2 && (got.kept || continuity.CodeOf(got.err) != continuity.CodeLimitItem):
			t.Errorf("the large one: kept %v, %v", got.kept, got.err)
		case i != 2 && (!got.kept || got.err != nil):
			t.Errorf("one beside it: kept %v, %v", got.kept, got.err)
		}
	}
	if err := l.Latched(); err != nil {
		t.Fatalf("a client's large body latched the journal: %v", err)
	}
	if l.Gated(7) {
		t.Error("the refused record left its key in the gate")
	}
	st := claim(t, l)
	if _, err := l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	ended := finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered,
		Response: &continuity.Response{Status: 201, Body: make([]byte, 4<<10)}})
	if resp, err := l.Response(ended.Outcome); err != nil || resp == nil || resp.Status != 201 || !resp.Cut {
		t.Errorf("a response that no log can hold: %+v, %v", resp, err)
	}
}

func TestRule7_2_EditsDoNotTakeTheRoomOfThoseKept(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	st := accept(t, l, record(1, 7))
	accept(t, l, record(2, 8))
	next := record(3, 7)
	next.Body = make([]byte, 8<<10)
	log.mu.Lock()
	log.free = 9 << 10 // the edit would fit, and leave too little for the outcomes
	log.mu.Unlock()
	_, err := l.Act(continuity.Act{Receipt: st.Receipt, Version: st.Version, Verb: continuity.VerbEdit, Person: "li", Replacement: next})
	if continuity.CodeOf(err) != continuity.CodeDiskFull {
		t.Fatalf("the edit: %v", err)
	}
	deliver(t, l, claim(t, l))
	deliver(t, l, claim(t, l))
	if c := l.Counters("orders"); c.DeliveredAtOnce != 2 || !c.Balanced() {
		t.Errorf("%+v", c)
	}
}

func TestRule1_2_FullDiskAtStartKeepsTheGateAndEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		accept(t, l, record(1, 7))
		_ = l.Close()
		log.fail = journal.ErrFull // once
		l = open(t, log, nil)
		if !l.Gated(7) || l.Latched() != nil {
			t.Fatal("the gate did not stand")
		}
		if _, ok := l.Claim("orders"); ok {
			t.Fatal("handed out a record before the restart was written")
		}
		if _, _, err := l.Accept(record(2, 8), false); continuity.CodeOf(err) != continuity.CodeDiskFull {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = l.Run(ctx) }()
		time.Sleep(2 * time.Second)
		cancel()
		synctest.Wait()
		accept(t, l, record(2, 8))
		deliver(t, l, claim(t, l))
		same(t, l, log, nil)
		_ = l.Close()
	})
}

func TestRule1_4_AttemptingIsInDoubtAfterRestart(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	st := claim(t, l)
	if _, err := l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	again := open(t, log, nil)
	got, _ := again.Status(st.Receipt)
	if got.State != continuity.InDoubt || got.Reason != continuity.ReasonRestart || got.Attempts != 1 {
		t.Fatalf("status %+v", got)
	}
	if _, ok := again.Claim("orders"); ok {
		t.Fatal("claimed within settle")
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

func TestRule2_4_ExpiryEndsWhatIsKnownUnprocessedAndParksItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		first := accept(t, l, record(1, 7))
		if _, err := l.Attempt(claim(t, l).Receipt); err != nil { // the first may have been processed
			t.Fatal(err)
		}
		finish(t, l, continuity.Outcome{Receipt: first.Receipt, To: continuity.InDoubt, After: 100 * time.Hour})
		fourth := accept(t, l, record(4, 9))
		if st := claim(t, l); st.Receipt == fourth.Receipt { // so may the fourth, though it was put back
			if _, err := l.Attempt(st.Receipt); err != nil {
				t.Fatal(err)
			}
			finish(t, l, continuity.Outcome{Receipt: fourth.Receipt, To: continuity.InDoubt})
			finish(t, l, continuity.Outcome{Receipt: fourth.Receipt, To: continuity.Queued})
		} else {
			t.Fatal("claimed ", st.Receipt.Short())
		}
		second := accept(t, l, record(2, 8))
		time.Sleep(30 * time.Minute)
		third := accept(t, l, record(3, 8))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = l.Run(ctx) }()
		time.Sleep(31 * time.Minute)
		cancel()
		synctest.Wait()
		for _, want := range []struct {
			r      continuity.Receipt
			state  continuity.State
			reason continuity.Reason
		}{
			{first.Receipt, continuity.InDoubt, ""},
			{second.Receipt, continuity.Dead, continuity.ReasonExpired},
			{third.Receipt, continuity.Parked, continuity.ReasonBehindExpired},
			{fourth.Receipt, continuity.Queued, ""},
		} {
			if st, _ := l.Status(want.r); st.State != want.state || st.Reason != want.reason {
				t.Errorf("%s: %s %q, want %s %q", want.r.Short(), st.State, st.Reason, want.state, want.reason)
			}
		}
		same(t, l, log, nil)
		_ = l.Close()
	})
}

func TestRule2_4_AgeStandsStillWhileNoRelayRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		accept(t, l, record(1, 7))
		_ = l.Close()
		time.Sleep(1000 * time.Hour)
		l = open(t, log, nil)
		if age := l.Counters("orders").OldestAge; age > 2*time.Second {
			t.Fatalf("the record aged %v while the relay was off", age)
		}
		_ = l.Close()
	})
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

func TestRule5_2_SameRequestIsRecognised(t *testing.T) {
	l := open(t, newMemLog(), nil)
	r := receipt(1)
	if a, _ := l.Arrive(r); a != ledger.Fresh {
		t.Fatal(a)
	}
	if a, _ := l.Arrive(r); a != ledger.InFlight {
		t.Fatal(a)
	}
	accept(t, l, record(1, 7))
	l.Leave(r)
	if a, st := l.Arrive(r); a != ledger.Known || st.State != continuity.Queued {
		t.Fatal(a, st)
	}
	if _, _, err := l.Accept(record(1, 7), false); continuity.CodeOf(err) != continuity.CodeInFlight {
		t.Fatal(err)
	}
	deliver(t, l, claim(t, l))
	a, st := l.Arrive(r)
	if a != ledger.Known || st.State != continuity.Delivered {
		t.Fatal(a, st)
	}
	if res, err := l.Response(st.Outcome); err != nil || res.Status != 201 {
		t.Fatal(res, err)
	}
}

// A record that was parked for long and then ended is remembered, with its
// request and its response, for the longest age plus a day; then it is gone,
// and so are its segments.
func TestRule5_3_RememberedForMaximumAgePlusADayAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, cps := newMemLog(), &memCheckpoints{}
		l := open(t, log, cps)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = l.Run(ctx) }()
		n := 100
		pass := func(d time.Duration) { // with something going on, as marks are made by events
			for ; d > 0; d -= 15 * time.Minute {
				time.Sleep(15 * time.Minute)
				accept(t, l, record(n, continuity.KeyTag(n)))
				deliver(t, l, claim(t, l))
				n++
			}
		}
		accept(t, l, record(1, 7))
		parked := finish(t, l, continuity.Outcome{Receipt: claim(t, l).Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison})
		pass(100 * time.Hour)
		if _, err := l.Act(continuity.Act{Receipt: parked.Receipt, Version: parked.Version, Verb: continuity.VerbRetry, Person: "p"}); err != nil {
			t.Fatal(err)
		}
		deliver(t, l, claim(t, l))
		pass(24*time.Hour + 50*time.Minute)
		a, st := l.Arrive(parked.Receipt)
		if a != ledger.Known || st.State != continuity.Delivered {
			t.Fatal(a, st)
		}
		if _, err := l.Record(st.Position); err != nil {
			t.Fatal("its request is gone: ", err)
		}
		if _, err := l.Response(st.Outcome); err != nil {
			t.Fatal("its response is gone: ", err)
		}
		pass(3 * time.Hour)
		if _, ok := l.Status(parked.Receipt); ok {
			t.Fatal("remembered for ever")
		}
		if _, err := log.Read(st.Position); err == nil {
			t.Fatal("its segment was never let go")
		}
		cancel()
		synctest.Wait()
		same(t, l, log, cps)
		_ = l.Close()
	})
}

func TestRule5_3_FullIndexRefusesHolds(t *testing.T) {
	l, _, err := ledger.Open(ledger.Options{Log: newMemLog(), Routes: []continuity.Route{route}, MaxRemembered: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accept(t, l, record(1, 7))
	if _, _, err := l.Accept(record(2, 8), false); continuity.CodeOf(err) != continuity.CodeIndexFull {
		t.Fatal(err)
	}
}

func TestRule7_2_LimitsRefuseBeforeAccepting(t *testing.T) {
	small := route
	small.Hold.Count = 2
	log := newMemLog()
	l, _, err := ledger.Open(ledger.Options{Log: log, Routes: []continuity.Route{small}, Limits: continuity.Limits{Count: 100}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accept(t, l, record(1, 1))
	accept(t, l, record(2, 2))
	if _, _, err := l.Accept(record(3, 3), false); continuity.CodeOf(err) != continuity.CodeLimitCount {
		t.Fatal(err)
	}
	small.Hold.Count, small.Hold.Bytes = 10, 100
	l.SetRoutes([]continuity.Route{small}, continuity.Limits{})
	if _, _, err := l.Accept(record(3, 3), false); continuity.CodeOf(err) != continuity.CodeLimitBytes {
		t.Fatal(err)
	}
	small.Hold.Bytes = 0
	l.SetRoutes([]continuity.Route{small}, continuity.Limits{Count: 2})
	if _, _, err := l.Accept(record(3, 3), false); continuity.CodeOf(err) != continuity.CodeLimitCount {
		t.Fatal(err)
	}
	log.mu.Lock()
	log.free = 3*512 + 100 // promised to what is pending
	log.mu.Unlock()
	l.SetRoutes([]continuity.Route{small}, continuity.Limits{})
	if _, _, err := l.Accept(record(3, 3), false); continuity.CodeOf(err) != continuity.CodeDiskFull {
		t.Fatal(err)
	}
	deliver(t, l, claim(t, l)) // an outcome has its room
}

func TestRule9_2_ActsAreOnAStatedVersion(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	parked := finish(t, l, continuity.Outcome{Receipt: claim(t, l).Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison})
	act := continuity.Act{Receipt: parked.Receipt, Version: parked.Version - 1, Verb: continuity.VerbRetry, Person: "li.wei", Why: "fixed"}
	if _, err := l.Act(act); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Fatal(err)
	}
	act.Version = parked.Version
	if st, err := l.Act(act); err != nil || st.State != continuity.Queued {
		t.Fatal(st, err)
	}
	deliver(t, l, claim(t, l))
	if st := claim(t, l); st.Receipt != receipt(2) {
		t.Fatal("the key did not go on")
	}
	same(t, l, log, nil)
}

func TestRule9_3_EditReplacesAtTheEndOfItsKey(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	old := accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	fresh := record(3, 7)
	st, err := l.Act(continuity.Act{Receipt: old.Receipt, Version: old.Version, Verb: continuity.VerbEdit, Person: "li.wei", Why: "wrong address", Replacement: fresh})
	if err != nil || st.Receipt != fresh.Receipt || st.State != continuity.Queued {
		t.Fatal(st, err)
	}
	if st, _ := l.Status(old.Receipt); st.State != continuity.Discarded {
		t.Fatal(st)
	}
	rec, err := l.Record(st.Position)
	if err != nil || rec.Replaces != old.Receipt {
		t.Fatal(rec, err)
	}
	for _, want := range []int{2, 3} {
		got := claim(t, l)
		if got.Receipt != receipt(want) {
			t.Fatalf("claimed %s, want number %d", got.Receipt.Short(), want)
		}
		deliver(t, l, got)
	}
	if c := l.Counters("orders"); !c.Balanced() || c.Discarded != 1 || c.Accepted != 3 {
		t.Fatal(c)
	}
	same(t, l, log, nil)
}

func TestRule9_3_DoubtfulRecordsAreNotEdited(t *testing.T) {
	l := open(t, newMemLog(), nil)
	lost := record(1, 7)
	lost.Lost = true
	st := accept(t, l, lost)
	_, err := l.Act(continuity.Act{Receipt: st.Receipt, Version: st.Version, Verb: continuity.VerbEdit, Person: "li.wei", Replacement: record(2, 7)})
	if continuity.CodeOf(err) != continuity.CodeState {
		t.Fatal(err)
	}
}

func TestSwitchesOfTheLaterSettingWinAndForceBeatsThem(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	put := func(s continuity.Switch) {
		t.Helper()
		s.Route = "orders"
		if err := l.Switch(s); err != nil {
			t.Fatal(err)
		}
	}
	want := func(in continuity.Intake, re continuity.Replay) {
		t.Helper()
		if i, r := l.Effective("orders"); i != in || r != re {
			t.Fatalf("%s %s, want %s %s", i, r, in, re)
		}
	}
	want(continuity.IntakePass, continuity.ReplayOn)
	put(continuity.Switch{Owner: "health", Intake: continuity.IntakeHold, Replay: continuity.ReplayOff})
	put(continuity.Switch{Owner: "operator:a", Intake: continuity.IntakePass, Replay: continuity.ReplayTrial})
	want(continuity.IntakeHold, continuity.ReplayOff)
	put(continuity.Switch{Owner: "operator:b", Intake: continuity.IntakePass, Force: true})
	want(continuity.IntakePass, continuity.ReplayOff)
	put(continuity.Switch{Owner: "health", Lift: true})
	want(continuity.IntakePass, continuity.ReplayTrial)
	same(t, l, log, nil)
}

// The journal, from its beginning or behind a checkpoint, restores the same state after any history.
func TestRule1_4_JournalAloneRestoresAnyHistory(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				history(t, rand.New(rand.NewPCG(seed, 1)))
			})
		})
	}
}

func history(t *testing.T, rng *rand.Rand) {
	log, cps := newMemLog(), &memCheckpoints{}
	l := open(t, log, cps)
	var claimed []ledger.Status
	n := 0
	for range 150 {
		switch rng.IntN(14) {
		case 0, 1, 2, 3:
			r := record(n, continuity.KeyTag(rng.IntN(6)+1))
			n++
			r.Lost = rng.IntN(5) == 0
			accept(t, l, r)
		case 4, 5:
			if st, ok := l.Claim("orders"); ok {
				if _, err := l.Attempt(st.Receipt); err != nil {
					t.Fatal(err)
				}
				claimed = append(claimed, st)
			}
		case 6, 7, 8:
			if len(claimed) == 0 {
				continue
			}
			i := rng.IntN(len(claimed))
			to := []continuity.State{continuity.Queued, continuity.InDoubt, continuity.Parked, continuity.Delivered, continuity.Delivered, continuity.Refused, continuity.Dead}[rng.IntN(7)]
			finish(t, l, continuity.Outcome{Receipt: claimed[i].Receipt, To: to, After: time.Duration(rng.IntN(3000)) * time.Millisecond})
			claimed = slices.Delete(claimed, i, i+1)
		case 9, 10:
			if n == 0 {
				continue
			}
			r := receipt(rng.IntN(n))
			st, _ := l.Status(r)
			verbs := []continuity.Verb{continuity.VerbRetry, continuity.VerbDiscard, continuity.VerbEdit, continuity.VerbPark, continuity.VerbDelivered, continuity.VerbUnprocessed}
			a := continuity.Act{Receipt: r, Version: st.Version, Verb: verbs[rng.IntN(len(verbs))], Person: "p"}
			if a.Verb == continuity.VerbEdit {
				a.Replacement = record(n, continuity.KeyTag(rng.IntN(6)+1))
				n++
			}
			_, err := l.Act(a)
			if c := continuity.CodeOf(err); c != "" && c != continuity.CodeState && c != continuity.CodeNotFound {
				t.Fatal(err)
			}
		case 11:
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
		case 12:
			if err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		case 13:
			if len(claimed) > 0 || rng.IntN(3) > 0 || log.End() == log.Start() {
				continue
			}
			below := log.Start() + 10*continuity.Position(rng.IntN(int(log.End()-log.Start())/10+1))
			if err := l.Forget(t.Context(), below); err != nil {
				t.Fatal(err)
			}
		}
		if c := l.Counters("orders"); !c.Balanced() {
			t.Fatalf("unbalanced: %+v", c)
		}
	}
	same(t, l, log, cps)
	_ = l.Close()
}

func TestBeginningGoneWithoutCheckpointIsDamage(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	if err := log.Retire(20); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ledger.Restore(log, nil); continuity.CodeOf(err) != continuity.CodeDamaged {
		t.Fatal(err)
	}
}
