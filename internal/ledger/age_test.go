package ledger_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

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
