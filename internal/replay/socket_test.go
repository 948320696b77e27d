package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
	"holdfast/internal/loopback"
	"holdfast/internal/replay"
	"holdfast/internal/upstream"
)

// counted counts what the drain reads from the journal, by record.
type counted struct {
	*ledger.Ledger
	reads, claims, finished atomic.Int64
}

func (c *counted) Record(at continuity.Position) (*continuity.Record, error) {
	c.reads.Add(1)
	return c.Ledger.Record(at)
}

func (c *counted) Claim(route string) (ledger.Status, bool) {
	st, ok := c.Ledger.Claim(route)
	if ok {
		c.claims.Add(1)
	}
	return st, ok
}

func (c *counted) FinishAsync(o continuity.Outcome, done func(ledger.Status, error)) {
	if o.To == continuity.Delivered {
		c.finished.Add(1)
	}
	c.Ledger.FinishAsync(o, done)
}

// listener is a real server that writes down what arrives.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	orders map[continuity.KeyTag][]int
	keys   map[string]int
}

func listen(tb testing.TB, answer func(w http.ResponseWriter, o order)) *listener {
	l := &listener{orders: make(map[continuity.KeyTag][]int), keys: make(map[string]int)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var o order
		_ = json.Unmarshal(body, &o)
		l.mu.Lock()
		l.orders[o.Key] = append(l.orders[o.Key], o.N)
		l.keys[r.Header.Get("Idempotency-Key")]++
		l.mu.Unlock()
		answer(w, o)
	}))
	tb.Cleanup(l.Close)
	return l
}

func sender(tb testing.TB, url string) upstream.Sender {
	tb.Helper()
	route := ordersRoute()
	h, err := upstream.New(upstream.Options{URL: url, Timeouts: route.Timeouts, MaxConns: 64})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.Close)
	return h
}

// until waits for a route's books to say what the test waits for.
func until(t *testing.T, l *ledger.Ledger, done func(ledger.Counters) bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !done(l.Counters("orders")); {
		if time.Now().After(limit) {
			t.Fatalf("waited too long: %+v", l.Counters("orders"))
		}
		time.Sleep(time.Millisecond)
	}
}

// fast is a route that nothing but the machine slows.
func fast(inFlight int) continuity.Route {
	r := ordersRoute()
	r.Capacity, r.Ramp.Start, r.Ramp.InFlight = 1e6, 1, inFlight
	return r
}

func TestRule3_6_HalfTheBacklogBehindOneBadKey(t *testing.T) {
	s := newStore(t)
	t.Cleanup(s.close)
	c := newClients(s)
	const others, bad = 1000, continuity.KeyTag(9999)
	for n := range others {
		c.accept(bad)
		c.accept(continuity.KeyTag(1 + n%100)) // #nosec G115 -- small
	}
	up := listen(t, func(w http.ResponseWriter, o order) {
		if o.Key == bad {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	l := &counted{Ledger: s.ledger}
	d := replay.New(replay.Options{Route: fast(16), Ledger: l, Sender: sender(t, up.URL)})
	d.Start(t.Context())
	until(t, s.ledger, func(c ledger.Counters) bool { return c.DeliveredAtOnce == others })
	d.Stop()
	if reads := l.reads.Load(); float64(reads) > 1.01*others {
		t.Errorf("%d journal reads for %d delivered records, want at most 1.01 each", reads, others)
	}
	if claims := l.claims.Load(); float64(claims) > 1.01*others {
		t.Errorf("%d claims for %d delivered records, want at most 1.01 each", claims, others)
	}
	if n := len(up.orders[bad]); n != 1 {
		t.Errorf("the bad key was tried %d times, want once within its Retry-After", n)
	}
	if n := s.ledger.Counters("orders"); n.Pending() != others || !n.Balanced() {
		t.Errorf("books %+v", n)
	}
}

func TestRule3_1_OrderOnRealConnections(t *testing.T) {
	s := newStore(t)
	t.Cleanup(s.close)
	c := newClients(s)
	for n := range 2000 {
		c.accept(continuity.KeyTag(1 + n*n%37)) // #nosec G115 -- small
	}
	up := listen(t, func(w http.ResponseWriter, _ order) { w.WriteHeader(http.StatusCreated) })
	d := replay.New(replay.Options{Route: fast(64), Ledger: s.ledger, Sender: sender(t, up.URL)})
	d.Start(t.Context())
	for n := range 200 { // while it drains
		c.accept(continuity.KeyTag(1 + n%37)) // #nosec G115 -- small
	}
	until(t, s.ledger, func(c ledger.Counters) bool { return c.Pending() == 0 })
	d.Stop()
	for key, n := range c.promised {
		if have := up.orders[key]; len(have) != n || !slices.IsSorted(have) {
			t.Errorf("key %d arrived as %v, want 1 to %d", key, have, n)
		}
	}
	for key, n := range up.keys {
		if n != 1 || key == "" {
			t.Errorf("%q arrived %d times", key, n)
		}
	}
}

func TestRule4_2_NobodyListensAndThenSomebodyDoes(t *testing.T) {
	s := newStore(t)
	t.Cleanup(s.close)
	c := newClients(s)
	for n := range 200 {
		c.accept(continuity.KeyTag(1 + n)) // #nosec G115 -- small
	}
	up := listen(t, func(w http.ResponseWriter, _ order) { w.WriteHeader(http.StatusCreated) })
	gone, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	failures := make(chan struct{}, 1000)
	move := &moving{to: sender(t, "http://"+gone)}
	d := replay.New(replay.Options{Route: fast(16), Ledger: s.ledger, Sender: move, Health: heard{failures}})
	d.Start(t.Context())
	for range 2 {
		<-failures
	}
	if n := s.ledger.Counters("orders"); n.Queued+n.Attempting != 200 || n.InDoubt > 0 {
		t.Errorf("books %+v, want all still queued", n)
	}
	move.set(sender(t, up.URL))
	until(t, s.ledger, func(c ledger.Counters) bool { return c.DeliveredAtOnce == 200 })
	d.Stop()
}

// moving is an upstream that comes back elsewhere.
type moving struct {
	mu sync.Mutex
	to upstream.Sender
}

func (m *moving) set(to upstream.Sender) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.to = to
}

func (m *moving) Send(ctx context.Context, a upstream.Attempt) upstream.Result {
	m.mu.Lock()
	to := m.to
	m.mu.Unlock()
	return to.Send(ctx, a)
}

type heard struct{ failures chan struct{} }

func (heard) Succeeded()           {}
func (heard) LostAttempt() error   { return nil }
func (h heard) CleanFailed() error { h.failures <- struct{}{}; return nil }

// BenchmarkDrain replays from a journal on disk to a server on loopback, 64 in
// flight, 10,000 keys; the rate is reported as records/s.
func BenchmarkDrain(b *testing.B) {
	s := newStore(b)
	b.Cleanup(s.close)
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
	}))
	b.Cleanup(up.Close)
	benchDrain(b, s, sender(b, up.URL))
}

// BenchmarkDrainAlone leaves the network out: what is measured is the drain and
// its two durable marks.
func BenchmarkDrainAlone(b *testing.B) {
	s := newStore(b)
	b.Cleanup(s.close)
	benchDrain(b, s, instant{})
}

type instant struct{}

func (instant) Send(context.Context, upstream.Attempt) upstream.Result {
	return upstream.Result{Class: upstream.Answered, Status: 201, Took: time.Microsecond}
}

func benchDrain(b *testing.B, s *store, to upstream.Sender) {
	b.Helper()
	body := make([]byte, 1024)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for n := w; n < b.N; n += 64 {
				rec := &continuity.Record{
					Route: "orders", Key: continuity.KeyTag(1 + n%10_000), IdempotencyKey: fmt.Sprint(n), // #nosec G115 -- small
					Method: "POST", Target: "/orders", Host: "shop", Body: body,
				}
				rec.Receipt[0], rec.Receipt[1], rec.Receipt[2], rec.Receipt[3], rec.Receipt[15] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24), 1
				if _, _, err := s.ledger.Accept(rec, false); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d := replay.New(replay.Options{Route: fast(64), Ledger: s.ledger, Sender: to})
	before := cpu(b)
	b.ResetTimer()
	d.Start(b.Context())
	for s.ledger.Counters("orders").Pending() > 0 {
		time.Sleep(time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/record")
	d.Stop()
}

// cpu is the time that the process has computed for, which says more than the
// rate on a machine that does other things, too.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
