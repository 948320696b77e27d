package relay_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

// recorder writes down what passes, and notes how many requests the shop had got
// by then.
type recorder struct {
	mu     sync.Mutex
	shop   *shop
	fail   error
	kept   []continuity.Record
	before []int
	ended  []continuity.Passed
	told   chan struct{}
}

func (r *recorder) Recording(rec *continuity.Record) (continuity.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	r.kept = append(r.kept, *rec)
	r.before = append(r.before, len(r.shop.requests()))
	return continuity.Position(len(r.kept)), nil
}

func (r *recorder) Recorded(p continuity.Passed) {
	r.mu.Lock()
	r.ended = append(r.ended, p)
	r.mu.Unlock()
	r.told <- struct{}{}
}

// first fails unless n requests were written down by now, each before the shop
// got it.
func (r *recorder) first(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) != n {
		t.Fatalf("the client is answered, and %d of %d are recorded", len(r.kept), n)
	}
	for got, before := range r.before {
		if before != got {
			t.Fatalf("recorded %v after the shop had got %v", r.kept, r.before)
		}
	}
}

func (r *recorder) end(t *testing.T) {
	t.Helper()
	select {
	case <-r.told:
	case <-time.After(10 * time.Second):
		t.Fatal("what became of the request was not told")
	}
}

func recording(r *recorder) func(*house, *relay.Options) {
	return func(h *house, o *relay.Options) {
		r.shop, r.told = h.shop, make(chan struct{}, 10)
		o.Recorder, h.route.Record.Passed = r, true
	}
}

func TestRule12_WhatPassesIsRecordedBeforeItsFirstByte(t *testing.T) {
	r := &recorder{}
	h := open(t, recording(r))
	wantStatus(t, h.post(order("A"), "Idempotency-Key: one"), 201)
	r.first(t, 1)
	r.end(t)
	h.shop.next(answer(409, "no"))
	wantStatus(t, h.post(order("B")), 409)
	r.first(t, 2)
	r.end(t)
	wantStatus(t, h.do("GET", "/orders/A", ""), 201) // reads change nothing
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) != 2 || r.kept[0].IdempotencyKey != "one" || r.kept[0].KeyText != "A" {
		t.Errorf("recorded %v", r.kept)
	}
	if r.ended[0] != (continuity.Passed{Position: 1, To: continuity.Delivered, Status: 201}) || r.ended[1].To != continuity.Refused {
		t.Errorf("ended %+v", r.ended)
	}
	h.wantKept(0)
}

func TestRule12_RecordingThatFailsLetsRequestsPassLoudly(t *testing.T) {
	r := &recorder{fail: continuity.E(continuity.CodeDiskFull, errors.New("full"))}
	h := open(t, recording(r))
	wantStatus(t, h.post(order("A")), 201)
	wantStatus(t, h.post(order("A"), "Authorization: Bearer x"), 201) // may not be stored
	counts, newest := h.engine.Unrecorded("orders")
	if counts[continuity.CodeDiskFull] != 1 || counts[continuity.CodeNotHeld] != 1 || newest.IsZero() {
		t.Errorf("counted %v", counts)
	}
}

func TestRule2_2_WithoutAReadableAmountNothingIsHeld(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		h.route.Hold.Amount = &continuity.Amount{Pointer: "/total", Currency: "CNY", Caps: []continuity.Cap{{Currency: "CNY", Item: 1 << 40, Total: 1 << 40}}}
	})
	h.books.hold("operator")
	for _, total := range []string{`"twelve"`, `-1`, `1.23456`, `null`, `"1,000"`, `1e30`} {
		wantProblem(t, h.post(`{"order_no":"A","total":`+total+`}`), 503, "no-amount")
	}
	wantProblem(t, h.post(order("A")), 503, "no-amount")
	h.wantKept(0)
	wantHeld(t, h.post(`{"order_no":"A","total":"12.50"}`))
	wantHeld(t, h.post(`{"order_no":"A","total":0.1}`))
	kept := h.wantKept(2)
	if kept[0].Amount != (continuity.Money{Units: 125_000, Currency: "CNY"}) || kept[1].Amount.Units != 1_000 {
		t.Errorf("%+v %+v", kept[0].Amount, kept[1].Amount)
	}
	h.books.pass()
	wantStatus(t, h.post(order("B")), 201) // amounts bound what is held, not what passes
}

func TestRule6_4_TheClassIsStoredWithTheRecord(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		h.route.Priority = &continuity.Priority{Header: "X-Class", Classes: [][]string{{"hospital"}, {"shop"}}}
	})
	h.books.hold("operator")
	for _, class := range []string{"hospital", "shop", "somebody"} {
		wantHeld(t, h.post(order(class), "X-Class: "+class))
	}
	for n, rec := range h.wantKept(3) {
		if rec.Class != continuity.Class(n) {
			t.Errorf("%s has class %d", rec.KeyText, rec.Class)
		}
	}
}

// What passes to the standby is written down as the standby's: a restored first
// upstream has not lost it.
func TestRule12_WhatPassesToTheStandbyIsRecordedAsItsOwn(t *testing.T) {
	for name, state := range map[string]continuity.HoldState{"hold": continuity.HoldOn, "observe": continuity.HoldObserve} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{}
			h := open(t, func(h *house, o *relay.Options) { second(h, o); recording(r)(h, o); h.route.Hold.State = state })
			r.shop = h.second
			h.books.set("operator:li.wei", continuity.IntakeDivert)
			wantStatus(t, h.post(order("A"), "Idempotency-Key: one"), 201)
			r.first(t, 1)
			r.end(t)
			wantStatus(t, h.do("GET", "/orders/A", ""), 201) // reads change nothing
			h.wantDiverted(2)
			h.wantSent(0)
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.kept) != 1 || r.kept[0].Upstream != h.route.Standby.Upstream || r.kept[0].Lost {
				t.Errorf("recorded %+v", r.kept)
			}
			if len(r.ended) != 1 || r.ended[0] != (continuity.Passed{Position: 1, To: continuity.Delivered, Status: 201}) {
				t.Errorf("ended %+v", r.ended)
			}
		})
	}
}

// What the standby did not process for certain is kept for the first upstream,
// and bears no address of the standby's.
func TestRule12_NotProcessedByTheStandbyIsTheFirstOnes(t *testing.T) {
	r := &recorder{}
	h := open(t, func(h *house, o *relay.Options) { second(h, o); recording(r)(h, o) })
	h.books.set("operator:li.wei", continuity.IntakeDivert)
	h.second.close()
	h.use(continuity.Limits{})
	wantHeld(t, h.post(order("A")))
	r.end(t)
	if kept := h.wantKept(1)[0]; kept.Upstream != "" {
		t.Errorf("kept %+v", kept)
	}
	if r.ended[0].To != continuity.Dead {
		t.Errorf("ended %+v", r.ended)
	}
}
