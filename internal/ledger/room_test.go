package ledger_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/ledger"
)

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
