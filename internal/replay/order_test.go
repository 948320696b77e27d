package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/replay"
	"holdfast/internal/upstream"
)

var seeds = flag.Uint64("replay.seeds", 12, "how many lives to run")

const settle = 20 * time.Second

func ordersRoute(by ...continuity.Idempotent) continuity.Route {
	r := continuity.Route{
		ID:           "orders",
		Identity:     continuity.Identity{By: continuity.IdempotentKey, Remembers: 24 * time.Hour},
		Hold:         continuity.Hold{State: continuity.HoldOn, ItemBytes: 1 << 20, Count: 1e6, Bytes: 1 << 30, Age: 24 * time.Hour},
		Ramp:         continuity.Ramp{Start: 0.1, Window: 10 * time.Second, Aggression: 1, InFlight: 16},
		Timeouts:     continuity.Timeouts{Connect: time.Second, Attempt: 2 * time.Second},
		Settle:       settle,
		Poison:       continuity.Poison{Attempts: 1000},
		KeepResponse: 1 << 10,
		Capacity:     2000,
	}
	for _, b := range by {
		r.Identity = continuity.Identity{By: b, Remembers: 24 * time.Hour, Decides: "commander"}
	}
	return r
}

// store is a journal's directory with the ledger over it, which can be opened
// again and again.
type store struct {
	tb     testing.TB
	dir    string
	ring   *keyring.Ring
	bytes  int64 // of a segment
	log    *journal.Files
	ledger *ledger.Ledger
}

func newStore(tb testing.TB) *store {
	tb.Helper()
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	s := &store{tb: tb, dir: tb.TempDir(), ring: ring, bytes: 1 << 20}
	if _, measures := tb.(*testing.B); measures {
		s.bytes = 0 // as in service
	}
	s.open()
	return s
}

func (s *store) open() {
	s.tb.Helper()
	log, _, err := journal.Open(journal.Options{Dir: s.dir, Ring: s.ring, SegmentBytes: s.bytes})
	if err != nil {
		s.tb.Fatal(err)
	}
	l, _, err := ledger.Open(ledger.Options{Log: log, Routes: []continuity.Route{ordersRoute()}, Limits: continuity.Limits{Count: 1e6, Bytes: 1 << 30}})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.log, s.ledger = log, l
}

func (s *store) close() {
	_ = s.ledger.Close()
	_ = s.log.Close()
}

// order is the body of a test's request.
type order struct {
	Key continuity.KeyTag `json:"key"`
	N   int               `json:"n"` // counts the acceptances of a key
}

// clients accept orders and know what was promised.
type clients struct {
	store    *store
	mu       sync.Mutex
	n        int
	promised map[continuity.KeyTag]int
	receipts map[continuity.Receipt]string // to Idempotency-Key
}

func newClients(s *store) *clients {
	return &clients{store: s, promised: make(map[continuity.KeyTag]int), receipts: make(map[continuity.Receipt]string)}
}

func (c *clients) accept(key continuity.KeyTag) { c.keep(key, nil) }

// lose sends an order to the shop first, as the live path does, and loses the
// answer. Only an order whose key is not in the gate takes that path.
func (c *clients) lose(key continuity.KeyTag, up *shop) {
	if c.store.ledger.Gated(key) {
		c.keep(key, nil)
		return
	}
	c.keep(key, up)
}

func (c *clients) keep(key continuity.KeyTag, lostAt *shop) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	body, _ := json.Marshal(order{key, c.promised[key] + 1})
	rec := &continuity.Record{
		Route: "orders", Key: key, IdempotencyKey: fmt.Sprint("order-", c.n), Caller: "public",
		Method: "POST", Target: "/orders", Host: "shop", Body: body, Header: []continuity.Field{{Name: "Content-Type", Value: "application/json"}},
	}
	rec.Receipt[0], rec.Receipt[1], rec.Receipt[2], rec.Receipt[15] = byte(c.n), byte(c.n>>8), byte(c.n>>16), 1
	if lostAt != nil {
		lostAt.lose(rec.IdempotencyKey, order{key, c.promised[key] + 1})
		rec.Lost = true
	}
	if _, _, err := c.store.ledger.Accept(rec, false); err != nil {
		c.store.tb.Error(err)
		return
	}
	c.promised[key]++
	c.receipts[rec.Receipt] = rec.IdempotencyKey
}

// decide settles what was parked in doubt, as a person does who has asked the
// shop.
func (c *clients) decide(up *shop) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r, key := range c.receipts {
		st, ok := c.store.ledger.Status(r)
		if !ok || st.State != continuity.Parked {
			continue
		}
		verb := continuity.VerbUnprocessed
		if up.knows(key) {
			verb = continuity.VerbDelivered
		}
		if _, err := c.store.ledger.Act(continuity.Act{Receipt: r, Version: st.Version, Verb: verb, Person: "li.wei", Why: "asked the shop"}); err != nil {
			c.store.tb.Error(err)
		}
	}
}

// shop is an upstream that fails in every way a shop can. Whatever it processes,
// it processes in full, and it recognises an Idempotency-Key only if by says so.
type shop struct {
	by      continuity.Idempotent
	mu      sync.Mutex
	random  *rand.Rand
	faults  float64
	done    map[string]int // how often each Idempotency-Key took effect
	effects map[continuity.KeyTag][]int
	busy    map[continuity.KeyTag]int
	last    map[continuity.KeyTag]time.Time // of the last loss
	wrong   []string
	sent    int
}

func newShop(seed uint64, faults float64) *shop {
	return &shop{
		random: rand.New(rand.NewPCG(seed, 1)), faults: faults, done: make(map[string]int), // #nosec G404 -- a test
		effects: make(map[continuity.KeyTag][]int), busy: make(map[continuity.KeyTag]int), last: make(map[continuity.KeyTag]time.Time),
	}
}

func (s *shop) complain(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// process books an order.
func (s *shop) process(key string, o order) {
	s.done[key]++
	if s.done[key] > 1 {
		if s.by == continuity.IdempotentNone {
			s.complain("%s was processed twice", key)
		}
		return
	}
	s.effects[o.Key] = append(s.effects[o.Key], o.N)
}

func (s *shop) knows(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[key] > 0
}

// lose takes a live order and never answers.
func (s *shop) lose(key string, o order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.random.IntN(2) == 0 {
		s.process(key, o)
	}
	s.last[o.Key] = time.Now()
}

func (s *shop) Send(ctx context.Context, a upstream.Attempt) upstream.Result {
	var o order
	body, _ := io.ReadAll(a.Body)
	key := http1.Get(a.Header, "Idempotency-Key")
	s.mu.Lock()
	if err := json.Unmarshal(body, &o); err != nil || key == "" {
		s.complain("not an order: %q under %q", body, key)
	}
	s.sent++
	if s.busy[o.Key]++; s.busy[o.Key] > 1 {
		s.complain("two attempts of key %d at once", o.Key)
	}
	if lost, ok := s.last[o.Key]; ok && time.Since(lost) < settle-time.Millisecond { // the ledger's clock counts them whole
		s.complain("key %d was sent %v after a loss", o.Key, time.Since(lost))
	}
	fault := ""
	if s.random.Float64() < s.faults {
		kinds := []string{"clean", "lost", "lost-done", "5xx", "5xx-done", "429", "408", "hang", "cut"}
		if s.by == continuity.IdempotentKey {
			kinds = append(kinds, "409")
		}
		fault = kinds[s.random.IntN(len(kinds))]
	}
	wait := time.Duration(s.random.IntN(20)) * time.Millisecond
	s.mu.Unlock()
	if fault == "hang" {
		wait = 2 * time.Second
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		fault = "lost"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[o.Key]--
	res := s.answer(fault, key, o)
	if res.Class == upstream.Lost || res.Class == upstream.Answered && (res.Status >= 500 || res.Status == 409) {
		s.last[o.Key] = time.Now()
	}
	return res
}

func (s *shop) answer(fault, key string, o order) upstream.Result {
	status := func(code int, header ...continuity.Field) upstream.Result {
		return upstream.Result{
			Class: upstream.Answered, Status: code, Header: header, Took: time.Millisecond,
			Body: io.NopCloser(strings.NewReader(`{"ok":true}`)),
		}
	}
	switch fault {
	case "clean":
		return upstream.Result{Class: upstream.Clean, Err: errors.New("refused")}
	case "lost-done", "hang":
		s.process(key, o)
		return upstream.Result{Class: upstream.Lost, Err: errors.New("reset")}
	case "lost":
		return upstream.Result{Class: upstream.Lost, Err: errors.New("reset")}
	case "5xx-done":
		s.process(key, o)
		return status(502)
	case "5xx":
		return status(503)
	case "429":
		return status(429, continuity.Field{Name: "Retry-After", Value: "2"})
	case "408":
		return status(408)
	case "409":
		return status(409, continuity.Field{Name: "Retry-After", Value: "1"})
	case "cut":
		s.process(key, o)
		res := status(201)
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader("{"), cutReader{}))
		return res
	}
	s.process(key, o)
	return status(201)
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

// audit checks that what was promised took effect once and in order, and that
// the books agree.
func (s *shop) audit(t *testing.T, promised map[continuity.KeyTag]int, c ledger.Counters) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong {
		t.Error(w)
	}
	total := int64(0)
	for key, n := range promised {
		total += int64(n)
		have := s.effects[key]
		if len(have) != n {
			t.Errorf("key %d took effect %d times, want %d", key, len(have), n)
		}
		for i, at := range have {
			if at != i+1 {
				t.Errorf("key %d took effect in the order %v", key, have)
				break
			}
		}
	}
	if !c.Balanced() || c.Accepted != total || c.DeliveredAtOnce+c.DeliveredAfterDoubt != total || c.Pending() != 0 {
		t.Errorf("books %+v, want all %d delivered", c, total)
	}
}

// life runs one seeded story: orders come in while the relay drains, stops,
// dies and starts again and the shop fails in all its ways.
func life(t *testing.T, seed uint64) {
	by := []continuity.Idempotent{continuity.IdempotentKey, continuity.IdempotentNone, continuity.IdempotentNatural}[seed%3]
	random := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- a test
	s := newStore(t)
	up := newShop(seed, []float64{0, 0.02, 0.1, 0.4}[random.IntN(4)])
	up.by = by
	c := newClients(s)
	keys := uint64(1 + random.IntN(30))
	for range 1 + random.IntN(4) {
		for range random.IntN(100) {
			c.accept(continuity.KeyTag(1 + random.Uint64N(keys)))
		}
		d := replay.New(replay.Options{Route: ordersRoute(by), Ledger: s.ledger, Sender: up, Seed: seed, StopWithin: time.Second})
		d.Start(t.Context())
		for range random.IntN(100) {
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			if key := continuity.KeyTag(1 + random.Uint64N(keys)); random.IntN(5) > 0 {
				c.accept(key)
			} else {
				c.lose(key, up)
			}
			c.decide(up)
		}
		if random.IntN(2) == 0 {
			d.Stop()
			if n := s.ledger.Counters("orders").Attempting; n != 0 {
				t.Errorf("%d records attempting after Stop", n)
			}
		} else { // dies: nothing more is written, whatever the shop still does
			_ = s.ledger.Close()
			d.Stop()
		}
		s.close()
		s.open()
	}
	up.mu.Lock()
	up.faults = 0
	up.mu.Unlock()
	d := replay.New(replay.Options{Route: ordersRoute(by), Ledger: s.ledger, Sender: up, Seed: seed})
	d.Start(t.Context())
	for range 1000 {
		if time.Sleep(time.Second); s.ledger.GateEmpty("orders") {
			break
		}
		c.decide(up)
	}
	d.Stop()
	up.audit(t, c.promised, s.ledger.Counters("orders"))
	s.close()
}

func TestRule3_1_And4_WhatIsPromisedTakesEffectOnceAndInOrder(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = 3
	}
	for seed := range n {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { life(t, seed) })
		})
	}
}

func TestRule4_5_NoRepeatAfterALongStop(t *testing.T) {
	for _, row := range []struct {
		away   time.Duration
		state  continuity.State
		reason continuity.Reason
	}{
		{23 * time.Hour, continuity.Delivered, ""},
		{25 * time.Hour, continuity.Parked, continuity.ReasonRemembersOver},
	} {
		t.Run(row.away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t)
				c := newClients(s)
				c.accept(1)
				st, ok := s.ledger.Claim("orders")
				if !ok {
					t.Fatal("nothing to claim")
				}
				if _, err := s.ledger.Attempt(st.Receipt); err != nil {
					t.Fatal(err)
				}
				s.close() // dies while the attempt is open
				time.Sleep(row.away)
				s.open()
				up := newShop(1, 0)
				d := replay.New(replay.Options{Route: ordersRoute(), Ledger: s.ledger, Sender: up})
				d.Start(t.Context())
				time.Sleep(2 * settle)
				d.Stop()
				if st, _ := s.ledger.Status(st.Receipt); st.State != row.state || st.State == continuity.Parked && st.Reason != row.reason {
					t.Errorf("record is %s (%s) after %v, want %s (%s)", st.State, st.Reason, row.away, row.state, row.reason)
				}
				s.close()
			})
		})
	}
}
