package ledger_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/ledger"
)

func worth(r *continuity.Record, units int64, currency string) *continuity.Record {
	r.Amount = continuity.Money{Units: units, Currency: currency}
	return r
}

func again(r *continuity.Record, n int) *continuity.Record {
	r.Again = receipt(n)
	return r
}

const yuan = 10_000 // units

func capped() continuity.Route {
	r := route
	r.Hold.Amount = &continuity.Amount{Pointer: "/total", Currency: "CNY", Caps: []continuity.Cap{{Currency: "CNY", Item: 50 * yuan, Total: 100 * yuan}}}
	return r
}

func openWith(t *testing.T, log journal.Log, r continuity.Route) *ledger.Ledger {
	t.Helper()
	l, _, err := ledger.Open(ledger.Options{Log: log, Routes: []continuity.Route{r}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestRule2_2_CapsCountAllThatIsPending(t *testing.T) {
	log := newMemLog()
	l := openWith(t, log, capped())
	try := func(n int, units int64, currency string) continuity.Code {
		_, _, err := l.Accept(worth(record(n, 7), units, currency), false)
		return continuity.CodeOf(err)
	}
	for _, c := range []struct {
		units    int64
		currency string
		want     continuity.Code
	}{
		{50*yuan + 1, "CNY", continuity.CodeLimitAmount}, // above one record's
		{0, "", continuity.CodeNoAmount},
		{1, "USD", continuity.CodeLimitAmount}, // no cap of its own
		{50 * yuan, "CNY", ""},
		{40 * yuan, "CNY", ""},
		{10*yuan + 1, "CNY", continuity.CodeLimitAmount},
		{10 * yuan, "CNY", ""}, // exactly full
		{1, "CNY", continuity.CodeLimitAmount},
		{0, "CNY", ""}, // free of charge
	} {
		if got := try(int(c.units)+len(c.currency), c.units, c.currency); got != c.want {
			t.Fatalf("%d %s: %q, want %q", c.units, c.currency, got, c.want)
		}
	}
	deliver(t, l, claim(t, l))
	if got := try(1, 50*yuan, "CNY"); got != "" {
		t.Errorf("what was delivered gives its room back: %q", got)
	}
	c := l.Counters("orders")
	if !c.Balanced() || len(c.Sums) != 1 || c.Sums[0].Accepted != 150*yuan || c.Sums[0].DeliveredAtOnce != 50*yuan || c.Sums[0].Queued != 100*yuan {
		t.Errorf("%+v", c.Sums)
	}
}

// Requests that come together can't share the last of the room: the step that
// appends reserves, while the batch before is still on its way.
func TestRule2_2_CapsAreReservedWhileTheBatchIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := openWith(t, log, capped())
		defer l.Close()
		goOn := log.stall()
		results := make(chan error, 5)
		for n := range 5 {
			go func() {
				_, _, err := l.Accept(worth(record(n, continuity.KeyTag(n)), 40*yuan, "CNY"), false)
				results <- err
			}()
		}
		synctest.Wait()
		goOn()
		kept := 0
		for range 5 {
			switch err := <-results; continuity.CodeOf(err) {
			case "":
				kept++
			case continuity.CodeLimitAmount:
			default:
				t.Fatal(err)
			}
		}
		if kept != 2 {
			t.Errorf("%d of 40 were kept under a cap of 100", kept)
		}
	})
}

func TestRule2_2_AFailedBatchGivesItsAmountBack(t *testing.T) {
	log := newMemLog()
	l := openWith(t, log, capped())
	log.fail = journal.ErrFull
	if _, _, err := l.Accept(worth(record(1, 7), 50*yuan, "CNY"), false); continuity.CodeOf(err) != continuity.CodeDiskFull {
		t.Fatal(err)
	}
	for n := range 2 {
		accept(t, l, worth(record(n+2, 7), 50*yuan, "CNY"))
	}
}

func TestRule2_2_AnEditIsBoundedToo(t *testing.T) {
	l := openWith(t, newMemLog(), capped())
	st := accept(t, l, worth(record(1, 7), 50*yuan, "CNY"))
	accept(t, l, worth(record(2, 7), 50*yuan, "CNY"))
	edit := func(n int, units int64) error {
		_, err := l.Act(continuity.Act{Receipt: st.Receipt, Version: st.Version, Verb: continuity.VerbEdit, Person: "p", Replacement: worth(record(n, 7), units, "CNY")})
		return err
	}
	if err := edit(3, 51*yuan); continuity.CodeOf(err) != continuity.CodeLimitAmount {
		t.Fatal(err)
	}
	if err := edit(4, 50*yuan); err != nil { // the edited one makes room
		t.Fatal(err)
	}
}

func TestRule6_4_HigherClassesGoFirstAndLeaveOthersATenth(t *testing.T) {
	l := open(t, newMemLog(), nil)
	const each = 200
	for c := range continuity.Class(3) {
		for n := range each {
			r := record(int(c)*each+n, continuity.KeyTag(1000*int(c)+n+1))
			r.Class = 2 - c // the lowest came first
			accept(t, l, r)
		}
	}
	var got [3]int
	for range 100 {
		st := claim(t, l)
		got[st.Class]++
		deliver(t, l, st)
	}
	if got != [3]int{90, 9, 1} {
		t.Errorf("of the first hundred: %v", got)
	}
}

func TestRule6_4_AKeyHasTheHighestClassOfItsRecords(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	for n, key := range []continuity.KeyTag{1, 2, 2} {
		r := record(n, key)
		r.Class = 1
		if n == 2 {
			r.Class = 0
		}
		accept(t, l, r)
	}
	for _, want := range []int{1, 2, 0} {
		st := claim(t, l)
		if st.Receipt != receipt(want) {
			t.Fatalf("got %s, want record %d", st.Receipt.Short(), want)
		}
		deliver(t, l, st)
	}
	same(t, l, log, nil)
}

func TestRule12_WhatIsBroughtBackGoesBeforeWhatWaits(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	accept(t, l, again(record(3, 7), 101))
	accept(t, l, again(record(4, 7), 102))
	accept(t, l, record(5, 7))
	accept(t, l, again(record(6, 7), 103))
	same(t, l, log, nil)
	for _, want := range []int{3, 4, 6, 1, 2, 5} {
		st := claim(t, l)
		if st.Receipt != receipt(want) {
			t.Fatalf("got %s, want record %d", st.Receipt.Short(), want)
		}
		deliver(t, l, st)
	}
	if l.Gated(7) {
		t.Error("the key stayed in the gate")
	}
}

// Whoever claimed the first of a key before it was overtaken gives it back.
func TestRule12_AClaimThatWasOvertakenIsNotAttempted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemLog()
		l := open(t, log, nil)
		defer l.Close()
		accept(t, l, record(1, 7))
		st := claim(t, l)
		goOn := log.stall()
		done := make(chan error)
		go func() {
			_, _, err := l.Accept(again(record(2, 7), 101), false)
			done <- err
		}()
		synctest.Wait()
		if _, err := l.Attempt(st.Receipt); continuity.CodeOf(err) != continuity.CodeState {
			t.Errorf("attempted while it was being overtaken: %v", err)
		}
		goOn()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := l.Attempt(st.Receipt); continuity.CodeOf(err) != continuity.CodeState {
			t.Errorf("attempted after it was overtaken: %v", err)
		}
		l.Release(st.Receipt)
		if next := claim(t, l); next.Receipt != receipt(2) {
			t.Error("the one that was brought back does not come first")
		}
		same(t, l, log, nil)
	})
}

func TestRule9_2_ASecondPersonApproves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, cps := newMemLog(), &memCheckpoints{}
		l := open(t, log, cps)
		defer l.Close()
		st := accept(t, l, worth(record(1, 7), 9*yuan, "CNY"))
		act := continuity.Act{Receipt: st.Receipt, Version: st.Version, Verb: continuity.VerbDiscard, Person: "li.wei", Why: "double"}
		if err := l.Propose(continuity.Proposed{Act: act, Amount: st.Amount}); err != nil {
			t.Fatal(err)
		}
		if err := l.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		same(t, l, log, cps)
		p, ok := l.Proposal(st.Receipt)
		if !ok || p.Person != "li.wei" || len(l.Proposals()) != 1 {
			t.Fatalf("%+v %v", p, ok)
		}
		got, err := l.ProposedAct(p)
		if err != nil || got.Why != "double" {
			t.Fatal(got, err)
		}
		got.Approver = "li.wei"
		if _, err := l.Act(*got); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Fatalf("one person approved their own act: %v", err)
		}
		got.Approver = "wang.fang"
		after, err := l.Act(*got)
		if err != nil || after.State != continuity.Discarded {
			t.Fatal(after, err)
		}
		if _, ok := l.Proposal(st.Receipt); ok {
			t.Error("it is still proposed")
		}
		same(t, l, log, cps)
	})
}

func TestRule9_2_AProposalLapsesAndCanBeRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, newMemLog(), nil)
		defer l.Close()
		propose := func() continuity.Receipt {
			t.Helper()
			st, ok := l.Status(receipt(1))
			if !ok {
				st = accept(t, l, record(1, 7))
			}
			if err := l.Propose(continuity.Proposed{Act: continuity.Act{Receipt: st.Receipt, Version: st.Version, Verb: continuity.VerbPark, Person: "a"}}); err != nil {
				t.Fatal(err)
			}
			return st.Receipt
		}
		r := propose()
		if _, err := l.Act(continuity.Act{Receipt: r, Verb: continuity.VerbReject, Person: "b"}); err != nil {
			t.Fatal(err)
		}
		if _, ok := l.Proposal(r); ok {
			t.Fatal("rejected, and still there")
		}
		propose()
		time.Sleep(25 * time.Hour)
		accept(t, l, record(2, 8)) // the clock moves with the events
		if _, ok := l.Proposal(r); ok {
			t.Error("it did not lapse")
		}
	})
}

func TestRule2_3_TheCustomerWasTold(t *testing.T) {
	log, cps := newMemLog(), &memCheckpoints{}
	l := open(t, log, cps)
	accept(t, l, record(1, 7))
	st := claim(t, l)
	told := continuity.Act{Receipt: st.Receipt, Verb: continuity.VerbTold, Person: "li.wei", Why: "phone", Route: "orders"}
	if _, err := l.Act(told); continuity.CodeOf(err) != continuity.CodeState {
		t.Fatalf("of what is pending nothing can be told: %v", err)
	}
	if _, err := l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Refused})
	if _, err := l.Act(told); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.Status(st.Receipt); !got.Told || got.State != continuity.Refused {
		t.Errorf("%+v", got)
	}
	if c := l.Counters("orders"); c.Told != 1 || !c.Balanced() {
		t.Errorf("%+v", c)
	}
	if err := l.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	same(t, l, log, cps)
	if _, err := l.Act(told); continuity.CodeOf(err) != continuity.CodeState {
		t.Errorf("told twice: %v", err)
	}
}

func TestRule3_6_FailuresOfARecordSurviveARestart(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	for range 3 {
		st := claim(t, l)
		if _, err := l.Attempt(st.Receipt); err != nil {
			t.Fatal(err)
		}
		finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.Queued, Counts: true})
	}
	_ = l.Close()
	l = open(t, log, nil)
	if st := claim(t, l); st.Failures != 3 {
		t.Errorf("%d failures", st.Failures)
	}
}

func TestRule12_WhatPassesIsRecordedBeforeItIsSent(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	before := len(log.entries)
	at, err := l.Recording(record(1, 7))
	if err != nil || len(log.entries) != before+1 || log.entries[before].Position != at || log.entries[before].Kind != continuity.KindRecorded {
		t.Fatalf("%d %v", at, err)
	}
	l.Recorded(continuity.Passed{Position: at, To: continuity.Delivered, Status: 201})
	if _, err := l.Recording(record(2, 7)); err != nil {
		t.Fatal(err)
	}
	if e := log.entries[before+1]; e.Kind != continuity.KindPassed {
		t.Errorf("its end is not in the next batch, but %s", e.Kind)
	}
	if c := l.Counters("orders"); c.Recorded != 2 || c.Accepted != 0 || !c.Balanced() {
		t.Errorf("%+v", c)
	}
	if l.Gated(7) {
		t.Error("what passed keeps its key in the gate")
	}
	log.fail = errors.New("broken")
	if _, err := l.Recording(record(3, 7)); err == nil {
		t.Error("recorded on a broken disk")
	}
}

// Recording gives way: the last fourth of the journal is for what is held.
func TestRule12_RecordingLeavesRoomToWhatIsHeld(t *testing.T) {
	log := newMemLog()
	l, _, err := ledger.Open(ledger.Options{Log: log, Routes: []continuity.Route{route}, Limits: continuity.Limits{Bytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	log.mu.Lock()
	log.free = 1<<18 + 100
	log.mu.Unlock()
	if _, err := l.Recording(record(1, 7)); continuity.CodeOf(err) != continuity.CodeDiskFull {
		t.Errorf("recorded into the room of what is held: %v", err)
	}
	accept(t, l, record(2, 7))
}

func TestRule12_KeepHoldsSegmentsLonger(t *testing.T) {
	for _, keep := range []time.Duration{0, 90 * time.Hour} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := route
				r.Record.Keep = keep
				log, cps := newMemLog(), &memCheckpoints{}
				l, _, err := ledger.Open(ledger.Options{Log: log, Checkpoints: cps, Routes: []continuity.Route{r}})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() { _ = l.Run(t.Context()) }()
				st := accept(t, l, record(1, 7))
				deliver(t, l, claim(t, l))
				for n := range 80 { // time passes with what happens
					time.Sleep(time.Hour)
					accept(t, l, record(n+2, continuity.KeyTag(n+100)))
					deliver(t, l, claim(t, l))
				}
				if gone := log.Start() > st.Position; gone != (keep == 0) {
					t.Errorf("gone after 80 hours: %v", gone)
				}
			})
		})
	}
}
