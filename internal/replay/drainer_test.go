package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

func TestRule3_1_OneAtATimeInTheOrderOfTheKey(t *testing.T) {
	up := always(201)
	busy := make(map[string]bool)
	up.answer = func(_ context.Context, a arrival, _ int) upstream.Result {
		key, _, _ := strings.Cut(a.body, ",")
		up.mu.Lock()
		if busy[key] {
			t.Error("two attempts of one key at once")
		}
		busy[key] = true
		n := len(up.arrivals)
		up.mu.Unlock()
		time.Sleep(time.Duration(1+n%7) * time.Millisecond)
		up.mu.Lock()
		busy[key] = false
		up.mu.Unlock()
		return answered(201)
	}
	inBubble(t, up, testRoute(func(r *continuity.Route) { r.Capacity = 1e5 }), func(r *rig) {
		for n := range 300 {
			r.ledger.accept(continuity.KeyTag(n % 5)) // #nosec G115 -- small
		}
		r.start()
		pass(30 * time.Second)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 300})
		r.d.Stop()
		last := make(map[string]int)
		for _, a := range up.arrivals {
			var key, n int
			if _, err := fmt.Sscanf(a.body, `{"key":%d,"n":%d}`, &key, &n); err != nil {
				r.Fatal(err)
			}
			if n < last[fmt.Sprint(key)] {
				r.Fatalf("record %d of key %d arrived after record %d", n, key, last[fmt.Sprint(key)])
			}
			last[fmt.Sprint(key)] = n
		}
		if up.peak() != 5 {
			r.Errorf("%d at once, want one of each of the five keys", up.peak())
		}
	})
}

func TestRule4_1_AttemptIsDurableBeforeTheFirstByte(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		up.answer = func(context.Context, arrival, int) upstream.Result {
			r.ledger.mu.Lock()
			defer r.ledger.mu.Unlock()
			r.ledger.note("byte")
			return answered(200)
		}
		r.ledger.accept(1)
		r.start()
		pass(time.Second)
		r.d.Stop()
		want := []string{"attempt 1 of 1", "byte", "delivered 1"}
		if diff := cmp.Diff(want, r.ledger.events); diff != "" {
			r.Error("events (-want +got)\n" + diff)
		}
	})
}

func TestRule4_1_NothingIsSentWithoutADurableAttempt(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		broken := true
		r.ledger.attempt = func(continuity.Receipt) error {
			if broken {
				return continuity.E(continuity.CodeDiskFull, nil)
			}
			return nil
		}
		id := r.ledger.accept(1)
		r.start()
		pass(time.Minute)
		if up.count() != 0 {
			r.Fatal("a byte left though the attempt could not be recorded")
		}
		r.wantStatus(id, continuity.Queued, "")
		if p := r.d.Progress(); p.Paused != PauseJournal {
			r.Errorf("paused because of %q, want %q", p.Paused, PauseJournal)
		}
		r.ledger.mu.Lock()
		broken = false
		r.ledger.mu.Unlock()
		pass(5 * time.Second)
		r.wantStatus(id, continuity.Delivered, "")
	})
}

func TestRule4_6_EveryAttemptBearsTheSameIdempotencyKey(t *testing.T) {
	up := &script{answer: func(_ context.Context, _ arrival, nth int) upstream.Result {
		switch nth {
		case 1:
			return failed(upstream.Clean)
		case 2:
			return failed(upstream.Lost)
		case 3:
			return answered(503)
		case 4:
			return answered(429)
		default:
			return answered(201)
		}
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		ids := []continuity.Receipt{r.ledger.accept(1), r.ledger.accept(2)}
		r.start()
		pass(10 * time.Minute)
		for i, id := range ids {
			r.wantStatus(id, continuity.Delivered, "")
			if n := len(up.times(fmt.Sprint("idem-", i+1))); n != 5 {
				r.Errorf("%d attempts under the record's own key, want 5", n)
			}
		}
		if up.count() != 10 {
			r.Errorf("%d attempts in all, want 10", up.count())
		}
	})
}

func TestRule4_6_ExactlyOneIdempotencyKeyField(t *testing.T) {
	rec := &continuity.Record{IdempotencyKey: "mine", Header: header("A", "1", "IDEMPOTENCY-KEY", "old", "idempotency-key", "older", "B", "2")}
	want := header("A", "1", "B", "2", "Idempotency-Key", "mine")
	if diff := cmp.Diff(want, headerOf(rec)); diff != "" {
		t.Error("fields (-want +got)\n" + diff)
	}
}

func TestRule4_4_NothingOfTheKeyWithinSettle(t *testing.T) {
	up := &script{answer: func(_ context.Context, a arrival, nth int) upstream.Result {
		if a.key == "idem-1" && nth == 1 {
			return failed(upstream.Lost)
		}
		return answered(200)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		r.ledger.accept(1)
		r.ledger.accept(1)
		r.ledger.accept(2)
		r.start()
		pass(testSettle - time.Second)
		r.wantStates(map[continuity.State]int{continuity.InDoubt: 1, continuity.Queued: 1, continuity.Delivered: 1})
		pass(5 * time.Second)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 3})
		first, second := up.times("idem-1"), up.times("idem-2")
		if len(first) != 2 || first[1].Sub(first[0]) < testSettle || second[0].Before(first[1]) {
			r.Errorf("the key was sent at %v and %v, want nothing within %v", first, second, testSettle)
		}
	})
}

func TestRule4_4_ALostLiveRequestWaitsForSettleToo(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		began := time.Now()
		id := r.ledger.accept(1, func(rec *continuity.Record) { rec.Lost = true })
		r.start()
		pass(2 * testSettle)
		r.wantStatus(id, continuity.Delivered, "")
		if at := up.times("idem-1"); len(at) != 1 || at[0].Sub(began) < testSettle {
			r.Errorf("sent at %v, want once and not within settle", at)
		}
	})
}

func TestRule4_5_NoneGoesToAPersonAndParksItsKeyAlone(t *testing.T) {
	up := &script{answer: func(_ context.Context, a arrival, nth int) upstream.Result {
		if a.key == "idem-1" && nth == 1 {
			return failed(upstream.Lost)
		}
		return answered(200)
	}}
	none := testRoute(func(r *continuity.Route) { r.Identity = continuity.Identity{By: continuity.IdempotentNone} })
	inBubble(t, up, none, func(r *rig) {
		id, behind, other := r.ledger.accept(1), r.ledger.accept(1), r.ledger.accept(2)
		r.start()
		pass(10 * time.Minute)
		r.wantStatus(id, continuity.Parked, continuity.ReasonDoubt)
		r.wantStatus(behind, continuity.Queued, "")
		r.wantStatus(other, continuity.Delivered, "")
		if n := len(up.times("idem-1")); n != 1 {
			r.Errorf("%d attempts, want 1: nobody decided yet", n)
		}
		if p := r.d.Progress(); p.Paused != PauseParked || p.Parked != 1 || p.Backlog != 1 {
			r.Errorf("progress is %+v, want it to say that all waits behind what is parked", p)
		}
		r.ledger.person(id)
		pass(10 * time.Second)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 3})
	})
}

func TestRule4_5_KeyRepeatsUntilTheUpstreamForgets(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result { return failed(upstream.Lost) }}
	route := testRoute(func(r *continuity.Route) { r.Identity.Remembers, r.Poison.Attempts = 2*time.Minute, 100 })
	inBubble(t, up, route, func(r *rig) {
		id := r.ledger.accept(1)
		r.start()
		pass(time.Hour)
		r.wantStatus(id, continuity.Parked, continuity.ReasonRemembersOver)
		at := up.times("idem-1")
		if len(at) < 3 {
			r.Errorf("%d attempts, want some repeats", len(at))
		}
		if last := at[len(at)-1].Sub(at[0]); last >= 2*time.Minute {
			r.Errorf("repeated %v after the first attempt", last)
		}
	})
}

func TestRule3_6_PoisonParksAfterItsAttempts(t *testing.T) {
	up := always(503)
	inBubble(t, up, testRoute(), func(r *rig) {
		id := r.ledger.accept(1)
		r.start()
		pass(time.Hour)
		r.wantStatus(id, continuity.Parked, continuity.ReasonPoison)
		if up.count() != 5 {
			r.Errorf("%d attempts, want the route's 5", up.count())
		}
		if _, _, lost := r.health.heard(); lost != 1 {
			r.Errorf("health heard of %d losses of this one record, want the first only", lost)
		}
	})
}

func TestResponseIsCutAtTheRoutesLimit(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 10<<10)
	for _, row := range []struct {
		name         string
		keep         int64
		body         io.Reader
		fields, size int
		cut          bool
	}{
		{"whole", 4 << 10, bytes.NewReader(long[:1000]), 1, 1000, false},
		{"cut", 4 << 10, bytes.NewReader(long), 1, 4<<10 - 4, true},
		{"exactly", 1004, bytes.NewReader(long[:1000]), 1, 1000, false},
		{"one too long", 1003, bytes.NewReader(long[:1000]), 1, 999, true},
		{"fields count", 3, bytes.NewReader(long[:10]), 0, 0, true},
		{"nothing is kept", 0, bytes.NewReader(long), 0, 0, true},
		{"broke off", 4 << 10, io.MultiReader(bytes.NewReader(long[:500]), brokenReader{}), 1, 500, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			up := &script{answer: func(context.Context, arrival, int) upstream.Result {
				res := answered(200, "A", "123")
				res.Body = io.NopCloser(row.body)
				return res
			}}
			inBubble(t, up, testRoute(func(r *continuity.Route) { r.KeepResponse = row.keep }), func(r *rig) {
				id := r.ledger.accept(1)
				r.start()
				pass(time.Second)
				r.wantStatus(id, continuity.Delivered, "")
				r.d.Stop()
				resp := r.ledger.byID[id].final.Response
				if resp == nil || len(resp.Header) != row.fields || len(resp.Body) != row.size || resp.Cut != row.cut {
					r.Errorf("kept %+v, want %d fields and %d bytes, cut %v", resp, row.fields, row.size, row.cut)
				}
			})
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("cut") }
