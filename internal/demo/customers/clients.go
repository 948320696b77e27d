package customers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Clients are the customers, ordering and looking things up at a steady rate
// whatever the answers are: requests are due by the clock, and how long one
// took is counted from when it was due.
type Clients struct {
	base   string // of the relay
	start  time.Time
	http   *http.Client
	stream *Stream
	ledger *Ledger

	Lookups Lookups
	flying  atomic.Int64
	work    sync.WaitGroup
}

// Lookups counts how customers' look-ups fared.
type Lookups struct {
	OK     atomic.Int64
	Stale  atomic.Int64 // answered, but older than what the customer was told
	Failed atomic.Int64
}

func NewClients(base string, start time.Time, s *Stream, l *Ledger) *Clients {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     20 * time.Second,
		DisableCompression:  true,
	}
	return &Clients{base: base, start: start, stream: s, ledger: l, http: &http.Client{
		Transport: transport,
		Timeout:   30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// most is how many requests may wait for their answers; beyond it customers
// would be the bottleneck, and the demo says so by failing.
const most = 5000

var errTooMany = errors.New("too many requests wait for an answer")

// Run orders at rate a second and looks up at lookupRate a second until ctx
// ends; then it waits for the answers.
func (c *Clients) Run(ctx context.Context, rate, lookupRate float64, seed uint64) error {
	defer c.work.Wait()
	rnd := rand.New(rand.NewPCG(seed, 2)) // #nosec G404 -- chance, not secrecy
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	began := time.Now()
	var ordered, looked float64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		elapsed := time.Since(began).Seconds()
		for ; ordered < elapsed*rate; ordered++ {
			due := began.Add(time.Duration(ordered / rate * float64(time.Second)))
			c.goOne(func() { c.order(c.stream.next(), due) })
		}
		for ; looked < elapsed*lookupRate; looked++ {
			order, n, ok := c.ledger.pick(rnd)
			if !ok || rnd.IntN(5) == 0 {
				order = ""
			}
			c.goOne(func() { c.lookup(order, n) })
		}
		if c.flying.Load() > most {
			return errTooMany
		}
	}
}

// Disconnect closes the connections on which nothing is asked.
func (c *Clients) Disconnect() { c.http.CloseIdleConnections() }

func (c *Clients) goOne(do func()) {
	c.flying.Add(1)
	c.work.Go(func() {
		defer c.flying.Add(-1)
		do()
	})
}

func (c *Clients) order(s Step, due time.Time) {
	method, path, body := s.call()
	s.Intended = due.Sub(c.start)
	// Without GetBody net/http sends a request once and only once by itself.
	request, err := http.NewRequest(method, c.base+path, io.NopCloser(bytes.NewReader(body)))
	if err == nil {
		request.ContentLength = int64(len(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", s.Key)
		var response *http.Response
		if response, err = c.http.Do(request); err == nil {
			s.Status = response.StatusCode
			s.Receipt = response.Header.Get("Location")
			if s.Status != http.StatusAccepted {
				s.Receipt = ""
			}
			var said []byte
			said, err = io.ReadAll(response.Body)
			response.Body.Close()
			if !s.Acknowledged() {
				s.Fault = string(said)
			}
		}
	}
	if err != nil {
		s.Status, s.Fault = 0, err.Error()
	}
	s.Answered = time.Since(c.start)
	c.ledger.add(s)
	c.stream.answered(s)
}

// lookup asks for an order of which the customer was told n steps, or for the
// goods where order is empty.
func (c *Clients) lookup(order string, n int) {
	path := "/api/goods?limit=20"
	if order != "" {
		path = "/api/orders/" + order
	}
	response, err := c.http.Get(c.base + path)
	if err != nil {
		c.Lookups.Failed.Add(1)
		return
	}
	defer response.Body.Close()
	var have struct {
		Version int `json:"version"` // counts the order's events
	}
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil || response.StatusCode >= 500:
		c.Lookups.Failed.Add(1)
	case order == "":
		c.Lookups.OK.Add(1)
	case response.StatusCode == http.StatusNotFound:
		c.Lookups.Stale.Add(1)
	case json.Unmarshal(body, &have) != nil:
		c.Lookups.Failed.Add(1)
	case have.Version < n:
		c.Lookups.Stale.Add(1)
	default:
		c.Lookups.OK.Add(1)
	}
}
