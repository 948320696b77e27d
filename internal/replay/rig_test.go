package replay

import (
	"context"
	"errors"
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
	what upstream.Attempt
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
	arrived := arrival{at: time.Now(), key: http1.Get(a.Header, "Idempotency-Key"), body: string(body), what: a}
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
