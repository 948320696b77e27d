package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/upstream"
)

// arrival is an attempt as the upstream saw it.
type arrival struct {
	at   time.Time
	key  string // Idempotency-Key
	body string
}

// script is an upstream that records what arrives and answers as told.
type script struct {
	mu       sync.Mutex
	arrivals []arrival
	out      int
	most     int // out at once
	answer   func(ctx context.Context, a arrival, nth int) upstream.Result
}

func answered(status int, pairs ...string) upstream.Result {
	return upstream.Result{
		Class: upstream.Answered, Status: status, Header: header(pairs...),
		Body: io.NopCloser(strings.NewReader("ok")), Took: time.Millisecond,
	}
}

func failed(class upstream.Class) upstream.Result {
	return upstream.Result{Class: class, Err: errors.New("scripted")}
}

func always(status int, pairs ...string) *script {
	return &script{answer: func(context.Context, arrival, int) upstream.Result { return answered(status, pairs...) }}
}

func (s *script) Send(ctx context.Context, a upstream.Attempt) upstream.Result {
	body, _ := io.ReadAll(a.Body)
	arrived := arrival{at: time.Now(), key: http1.Get(a.Header, "Idempotency-Key"), body: string(body)}
	s.mu.Lock()
	s.arrivals = append(s.arrivals, arrived)
	n := 0
	for _, other := range s.arrivals {
		if other.key == arrived.key {
			n++
		}
	}
	s.out++
	s.most = max(s.most, s.out)
	s.mu.Unlock()
	res := s.answer(ctx, arrived, n)
	s.mu.Lock()
	s.out--
	s.mu.Unlock()
	return res
}

func (s *script) times(key string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at []time.Time
	for _, a := range s.arrivals {
		if a.key == key {
			at = append(at, a.at)
		}
	}
	return at
}

func (s *script) peak() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.most
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.arrivals)
}

// rig runs one Drainer in a bubble with virtual time.
type rig struct {
	*testing.T
	ledger *fakeLedger
	up     *script
	health *fakeHealth
	d      *Drainer
}

type fakeHealth struct {
	mu            sync.Mutex
	ok, bad, lost int
	clean         func()
}

func (h *fakeHealth) heard() (ok, bad, lost int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ok, h.bad, h.lost
}

func (h *fakeHealth) Succeeded() { h.mu.Lock(); h.ok++; h.mu.Unlock() }
func (h *fakeHealth) LostAttempt() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lost++
	return nil
}

func (h *fakeHealth) CleanFailed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bad++
	if h.clean != nil {
		h.clean()
	}
	return nil
}

func inBubble(t *testing.T, up *script, route *continuity.Route, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, ledger: newFakeLedger(), up: up, health: &fakeHealth{}}
		r.d = New(Options{Route: *route, Ledger: r.ledger, Sender: up, Health: r.health, Seed: 1})
		defer r.d.Stop()
		test(r)
	})
}

func (r *rig) start() {
	r.d.Start(r.Context())
	<-r.d.Started()
}

// pass lets virtual time go by.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) wantStates(want map[continuity.State]int) {
	r.Helper()
	if diff := cmp.Diff(want, r.ledger.states()); diff != "" {
		r.Error("states (-want +got)\n" + diff)
	}
}

func (r *rig) wantStatus(id continuity.Receipt, state continuity.State, reason continuity.Reason) {
	r.Helper()
	if st := r.ledger.status(id); st.State != state || st.Reason != reason {
		r.Errorf("record is %s (%s), want %s (%s)", st.State, st.Reason, state, reason)
	}
}

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

func TestRule4_2_CleanFailuresNeverPoison(t *testing.T) {
	down := true
	up := &script{}
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		defer up.mu.Unlock()
		if down {
			return failed(upstream.Clean)
		}
		return answered(200)
	}
	inBubble(t, up, testRoute(), func(r *rig) {
		for n := range 500 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(10 * time.Second)
		if n := up.count(); n > 20 {
			r.Fatalf("%d of the backlog were tried within ten seconds", n)
		}
		pass(time.Hour)
		r.wantStates(map[continuity.State]int{continuity.Queued: 500})
		if n := up.count(); n > 3600/2+100 || n < 100 {
			r.Errorf("%d probes in an hour, want about one each five seconds", n)
		}
		if p := r.d.Progress(); p.Paused != PauseUnreachable {
			r.Errorf("paused because of %q, want %q", p.Paused, PauseUnreachable)
		}
		if _, bad, _ := r.health.heard(); bad != up.count() {
			r.Errorf("health heard of %d clean failures of %d", bad, up.count())
		}
		up.mu.Lock()
		down = false
		up.mu.Unlock()
		pass(time.Minute)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 500})
	})
}

func TestRule2_3_CredentialsPauseTheRouteUntilAPersonResumes(t *testing.T) {
	status := 401
	up := &script{}
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		defer up.mu.Unlock()
		return answered(status)
	}
	route := testRoute(func(r *continuity.Route) { r.Ramp.InFlight = 1 })
	inBubble(t, up, route, func(r *rig) {
		for n := range 10 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(time.Hour)
		r.wantStates(map[continuity.State]int{continuity.Queued: 10})
		if up.count() != 1 {
			r.Errorf("%d attempts with credentials that are not accepted, want 1", up.count())
		}
		if p := r.d.Progress(); p.Paused != PauseCredentials || p.Mode != "off" {
			r.Errorf("paused because of %q in mode %s", p.Paused, p.Mode)
		}
		up.mu.Lock()
		status = 200
		up.mu.Unlock()
		if err := r.ledger.Switch(continuity.Switch{Route: "orders", Owner: Owner, Lift: true}); err != nil {
			r.Fatal(err)
		}
		pass(10 * time.Second)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 10})
	})
}

func TestReplayObeysTheSwitches(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(10 * time.Millisecond)
		return answered(200)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		set := func(m continuity.Replay) {
			if err := r.ledger.Switch(continuity.Switch{Route: "orders", Owner: "li.wei", Replay: m}); err != nil {
				r.Fatal(err)
			}
		}
		set(continuity.ReplayOff)
		for n := range 1000 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(time.Minute)
		if up.count() != 0 || r.d.Progress().Paused != PauseOff {
			r.Fatalf("%d sent, paused by %q, while replay is off", up.count(), r.d.Progress().Paused)
		}
		set(continuity.ReplayTrial)
		pass(5 * time.Second)
		if up.count() == 0 || up.peak() != 1 {
			r.Fatalf("%d sent, %d at once, in trial", up.count(), up.peak())
		}
		if ok, _, _ := r.health.heard(); ok == 0 {
			r.Error("health heard of no success in trial")
		}
		set(continuity.ReplayOn)
		pass(5 * time.Second)
		if up.peak() < 2 {
			r.Errorf("%d at once when on, want more", up.peak())
		}
		set(continuity.ReplayOff)
		pass(time.Second)
		sent := up.count()
		pass(time.Minute)
		if up.count() != sent {
			r.Error("sent on after replay was switched off")
		}
	})
}

func TestLostInARowGoesOneByOne(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(2 * time.Second) // a black hole
		return failed(upstream.Lost)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		for n := range 1000 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(3 * time.Second)
		first := up.count()
		if first > 16+distrustAfter {
			r.Fatalf("%d at once", first)
		}
		pass(time.Minute)
		if n := up.count() - first; n > 40 {
			r.Errorf("%d more put in doubt within a minute, want one at a time", n)
		}
		if _, _, lost := r.health.heard(); lost == 0 {
			r.Error("health heard of no loss")
		}
	})
}

func TestStopRecordsWhatIsInFlight(t *testing.T) {
	up := &script{answer: func(ctx context.Context, a arrival, _ int) upstream.Result {
		wait := time.NewTimer(3 * time.Second)
		if a.key == "idem-1" {
			wait.Reset(time.Hour)
		}
		select {
		case <-wait.C:
			return answered(200)
		case <-ctx.Done():
			return failed(upstream.Lost)
		}
	}}
	route := testRoute(func(r *continuity.Route) { r.Timeouts.Attempt = 2 * time.Hour })
	inBubble(t, up, route, func(r *rig) {
		for n := range 50 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(2 * time.Second)
		began := time.Now()
		r.d.Stop()
		if took := time.Since(began); took > 10*time.Second {
			r.Errorf("Stop took %v", took)
		}
		states := r.ledger.states()
		if states[continuity.Attempting] != 0 {
			r.Errorf("%d records were left attempting", states[continuity.Attempting])
		}
		if states[continuity.InDoubt] != 1 || states[continuity.Delivered] != 15 {
			r.Errorf("states are %v, want the broken off one in doubt and the others delivered", states)
		}
		sent := up.count()
		pass(time.Hour)
		if up.count() != sent {
			r.Error("sent on after Stop")
		}
		if _, _, lost := r.health.heard(); lost > 0 {
			r.Error("health heard of a loss that was our own doing")
		}
	})
}

func TestAnOutcomeOutlastsAFullDisk(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		full := 5
		r.ledger.finish = func(continuity.Outcome) error {
			if full--; full >= 0 {
				return continuity.E(continuity.CodeDiskFull, nil)
			}
			return nil
		}
		id := r.ledger.accept(1)
		r.start()
		pass(10 * time.Second)
		r.wantStatus(id, continuity.Delivered, "")
		if up.count() != 1 {
			r.Errorf("%d attempts, want 1", up.count())
		}
	})
}

func TestALatchedJournalStopsReplay(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		r.ledger.latched = continuity.E(continuity.CodeLatched, nil)
		r.ledger.accept(1)
		r.start()
		pass(time.Minute)
		if up.count() != 0 || r.d.Progress().Paused != PauseLatched {
			r.Errorf("%d sent, paused by %q", up.count(), r.d.Progress().Paused)
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

func TestWhatIsAnsweredLateCountsForNothing(t *testing.T) {
	up := &script{}
	hang := true
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		wait := hang
		up.mu.Unlock()
		if !wait {
			return answered(200)
		}
		time.Sleep(10 * time.Second)
		return failed(upstream.Lost)
	}
	route := testRoute(func(r *continuity.Route) { r.Timeouts.Attempt = time.Minute })
	inBubble(t, up, route, func(r *rig) {
		for n := range 30 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(2 * time.Second) // all slots hang
		health := continuity.Switch{Route: "orders", Owner: "health", Replay: continuity.ReplayOff}
		_ = r.ledger.Switch(health)
		pass(time.Second)
		up.mu.Lock()
		hang = false
		up.mu.Unlock()
		health.Replay = continuity.ReplayTrial
		_ = r.ledger.Switch(health)
		pass(time.Minute)
		if _, _, lost := r.health.heard(); lost > 0 {
			r.Errorf("health heard of %d losses of attempts that began before the trial", lost)
		}
		if ok, _, _ := r.health.heard(); ok == 0 {
			r.Error("health heard of no success in the trial")
		}
		r.wantStates(map[continuity.State]int{continuity.Delivered: 30})
	})
}

func TestRule6_4_ProgressReportsKeysThatGain(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(time.Second)
		return answered(200)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		r.start()
		for n := range 200 { // key 7 gains five a second and drains one; key 8 keeps up
			r.ledger.accept(7)
			r.d.Gained(7)
			if n%10 == 0 {
				r.ledger.accept(8)
				r.d.Gained(8)
			}
			pass(200 * time.Millisecond)
		}
		top := r.d.Progress().Gaining
		if len(top) != 1 || top[0].Key != 7 || top[0].In < 4*top[0].Out {
			r.Errorf("gaining keys are %+v, want key 7 alone", top)
		}
	})
}

func TestStartAndStopAgainAndAgain(t *testing.T) {
	up := &script{answer: func(ctx context.Context, _ arrival, nth int) upstream.Result {
		wait := time.NewTimer(time.Duration(nth) * 30 * time.Millisecond)
		defer wait.Stop()
		select {
		case <-wait.C:
			return answered(200)
		case <-ctx.Done():
			return failed(upstream.Lost)
		}
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		never := New(Options{Route: *testRoute(), Ledger: r.ledger, Sender: up})
		never.Stop()
		for n := range 1000 {
			r.ledger.accept(continuity.KeyTag(n % 100)) // #nosec G115 -- small
		}
		for n := range 200 {
			d := New(Options{Route: *testRoute(), Ledger: r.ledger, Sender: up, Seed: 1, StopWithin: time.Duration(n%50) * time.Millisecond})
			d.Start(r.Context())
			if n%3 > 0 {
				<-d.Started()
				time.Sleep(time.Duration(n*7%100) * time.Millisecond)
			}
			go d.Stop()
			d.Stop()
			if left := r.ledger.states()[continuity.Attempting]; left > 0 {
				r.Fatalf("%d records attempting after stop %d", left, n)
			}
		}
		r.start()
		pass(time.Hour)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 1000})
	})
}
