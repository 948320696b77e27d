package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/ledger"
	"holdfast/internal/relay"
	"holdfast/internal/upstream"
)

// fickle is an upstream that recognises Idempotency-Keys, and fails in every
// way there is. What it got it may still be working on when its connection is
// long gone, up to worksOn.
type fickle struct {
	mu     sync.Mutex
	random *rand.Rand
	faults bool
	seen   map[string]bool
	orders map[string][]string // by key: the requests in the order of their first arrival
	works  map[string]int      // by key: requests that it is still working on
	early  []string            // what came while it was
}

const worksOn = 50 * time.Millisecond

func (f *fickle) Send(_ context.Context, a upstream.Attempt) upstream.Result {
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		return upstream.Result{Class: upstream.Clean, Err: err}
	}
	id := http1.Get(a.Header, "Idempotency-Key")
	key, _, _ := strings.Cut(id, "/")
	f.mu.Lock()
	if f.works[key] > 0 {
		f.early = append(f.early, id)
	}
	f.works[key]++
	fault := 100
	if f.faults {
		fault = f.random.IntN(100)
	}
	delay := time.Duration(f.random.Int64N(int64(worksOn)))
	f.mu.Unlock()
	done := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.works[key]--
	}
	switch {
	case fault < 2:
		done()
		return upstream.Result{Class: upstream.Clean, Err: errors.New("refused")}
	case fault < 4: // never arrived
		done()
	case fault < 8: // done when nobody waits any more
		go func() {
			defer done()
			pause(delay)
			f.process(key, id)
		}()
	case fault < 10:
		f.process(key, id)
		done()
	default:
		defer done()
		pause(delay / 50)
		f.process(key, id)
		return upstream.Result{Class: upstream.Answered, Status: 201, Body: io.NopCloser(strings.NewReader(""))}
	}
	return upstream.Result{Class: upstream.Lost, Err: errors.New("reset")}
}

func (f *fickle) process(key, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.seen[id] {
		f.seen[id] = true
		f.orders[key] = append(f.orders[key], id)
	}
}

// pause lets the bubble's fake clock go on.
func pause(d time.Duration) { <-time.After(d) }

// Clients of many keys send one request after the other, each until it is
// accepted, while the upstream fails, health switches to and fro, and what was
// kept is replayed. Whatever was answered with 2xx reaches the upstream once,
// in the order in which its key's client sent it.
func TestRule3_4_OrderAndOnceUnderFaults(t *testing.T) {
	for _, seed := range []uint64{1, 2, uint64(time.Now().UnixNano())} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, seed) })
		})
	}
}

func chaos(t *testing.T, seed uint64) {
	const keys, each = 8, 40
	route := continuity.Route{
		ID: "orders", Match: continuity.Match{Paths: []string{"/orders/**"}},
		Key:      continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"},
		Identity: continuity.Identity{By: continuity.IdempotentKey, Remembers: time.Hour},
		Hold:     continuity.Hold{State: continuity.HoldOn, Methods: []string{"POST"}, ItemBytes: 1000},
		Answer:   &continuity.Answer{Status: 202}, Settle: 2 * worksOn,
	}
	books, shut := realBooks(t, t.TempDir(), route)
	up := &fickle{random: rand.New(rand.NewPCG(seed, 0)), faults: true, seen: map[string]bool{}, orders: map[string][]string{}, works: map[string]int{}}
	watch := &nervous{t: t, books: books, route: route.ID, down: make(chan struct{}, 1)}
	e := relay.New(relay.Options{Ledger: books, Hasher: identity.New([]byte("secret"))})
	if err := e.SetRoutes([]relay.Binding{{Route: route, Sender: up, Health: watch}}, continuity.Limits{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var background, clients sync.WaitGroup
	background.Go(func() { watch.run(ctx) })
	for range 4 {
		background.Go(func() { drain(ctx, t, books, up, watch, &route) })
	}
	var want sync.Map
	for k := range keys {
		clients.Go(func() {
			var mine []string
			for n := range each {
				id := fmt.Sprintf("%d/%d", k, n)
				mine = append(mine, id)
				for {
					d := newDesk(0, continuity.Field{Name: "Idempotency-Key", Value: id})
					d.text = []byte(order(fmt.Sprint("K", k)))
					d.request.Length = int64(len(d.text))
					if e.Handle(d); d.status == 201 || d.status == 202 {
						break
					}
					pause(time.Millisecond)
				}
				pause(time.Duration(1+5*k) * time.Millisecond)
			}
			want.Store(fmt.Sprint(k), mine)
		})
	}
	clients.Wait()
	up.mu.Lock()
	up.faults = false
	up.mu.Unlock()
	for !books.GateEmpty(route.ID) {
		pause(10 * time.Millisecond)
	}
	stop()
	background.Wait()
	synctest.Wait()
	c := books.Counters(route.ID)
	t.Logf("%d sent, %+v", keys*each, c)
	if !c.Balanced() || c.DeliveredAtOnce == 0 || c.DeliveredAfterDoubt == 0 || c.Accepted == keys*each {
		t.Errorf("not balanced, or not what this test is about: %+v", c)
	}
	if len(up.early) > 0 {
		t.Errorf("seed %d: sent while the upstream may still have worked on an earlier one of the key: %v", seed, up.early)
	}
	want.Range(func(key, mine any) bool {
		if got := up.orders[key.(string)]; !slices.Equal(got, mine.([]string)) {
			t.Errorf("seed %d, key %s reached the upstream as %v", seed, key, got)
		}
		return true
	})
	shut()
}

// nervous is a health that goes down at each clean failure, and up again soon.
type nervous struct {
	t     *testing.T
	books *ledger.Ledger
	route string
	down  chan struct{}
}

func (n *nervous) Succeeded()         {}
func (n *nervous) LostAttempt() error { return nil }
func (n *nervous) TryLive() bool      { return false }
func (n *nervous) CleanFailed() error {
	err := n.books.Switch(continuity.Switch{Route: n.route, Owner: "health", Intake: continuity.IntakeHold, Replay: continuity.ReplayOff})
	if err != nil {
		n.t.Error(err)
	}
	select {
	case n.down <- struct{}{}:
	default:
	}
	return err
}

func (n *nervous) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.down:
			pause(20 * time.Millisecond)
			if err := n.books.Switch(continuity.Switch{Route: n.route, Owner: "health", Lift: true}); err != nil {
				n.t.Error(err)
			}
		}
	}
}

// drain replays in the simplest way that keeps the rules.
func drain(ctx context.Context, t *testing.T, books *ledger.Ledger, up upstream.Sender, watch *nervous, route *continuity.Route) {
	for ctx.Err() == nil {
		_, replay := books.Effective(route.ID)
		st, ok := ledger.Status{}, false
		if replay != continuity.ReplayOff {
			st, ok = books.Claim(route.ID)
		}
		if !ok {
			pause(5 * time.Millisecond)
			continue
		}
		if _, err := books.Attempt(st.Receipt); err != nil {
			t.Error(err)
			return
		}
		rec, err := books.Record(st.Position)
		if err != nil {
			t.Error(err)
			return
		}
		result := up.Send(ctx, upstream.Attempt{
			Method: rec.Method, Target: rec.Target, Body: strings.NewReader(string(rec.Body)),
			Header: append(slices.Clone(rec.Header), continuity.Field{Name: "Idempotency-Key", Value: rec.IdempotencyKey}),
		})
		o := continuity.Outcome{Receipt: st.Receipt}
		switch result.Class {
		case upstream.Clean:
			o.To, o.Reason, o.After = continuity.Queued, continuity.ReasonUnreachable, 10*time.Millisecond
			_ = watch.CleanFailed()
		case upstream.Lost:
			o.To, o.Reason, o.After = continuity.InDoubt, continuity.ReasonLost, route.Settle
		default:
			o.To, o.Response = continuity.Delivered, &continuity.Response{Status: result.Status}
		}
		if _, err := books.Finish(o); err != nil {
			t.Error(err)
			return
		}
	}
}
