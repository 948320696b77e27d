package webhook

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Log is what a Courier reads; a journal.Log is one.
type Log interface {
	All(from continuity.Position) iter.Seq2[journal.Stored, error]
	Start() continuity.Position
	End() continuity.Position
}

// Options say what a Courier works with.
type Options struct {
	Route string
	Hook  continuity.Webhook
	Log   Log
	// Decode reads an entry of the log.
	Decode func(journal.Stored) (continuity.Event, error)
	// RouteOf tells whose a record is; false where nobody remembers.
	RouteOf func(continuity.Receipt) (string, bool)
	Dir     string // of the file that keeps the position
	Logger  *slog.Logger
	// Transport sends in place of the network; for tests.
	Transport http.RoundTripper
}

const (
	mostItems  = 2_000
	mostOut    = 8
	poll       = time.Second
	saveEvery  = time.Second
	mostQuiet  = 24 * time.Hour
	readAtOnce = 20_000 // entries, before due items get their turn
)

// Courier tells one endpoint. Run it once.
type Courier struct {
	Options
	path   string
	client *http.Client
	state  saved
	dirty  bool
	wrote  time.Time
	logged string

	results chan result
	out     int
	trusted bool      // the last try got through
	quiet   time.Time // the endpoint asked not to be told anything before

	mu    sync.Mutex
	stats Stats
}

// Stats say how the telling goes, since the start.
type Stats struct {
	Told    int64
	Failed  int64 // tries
	GivenUp int64
	Lost    int64 // ends that the journal forgot before they were read
	Waiting int
	Gone    bool
	Failing time.Time // the first of the tries that failed without one that got through; zero: the last one did
}

type result struct {
	item *item
	answer
}

// New returns a Courier that has yet to be run.
func New(o Options) *Courier {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = newTransport()
	}
	return &Courier{
		Options: o, path: filepath.Join(o.Dir, o.Route+".json"), results: make(chan result, mostOut), trusted: true,
		client: &http.Client{
			Transport: o.Transport, Timeout: o.Hook.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Stats tell how it goes.
func (c *Courier) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Run tells until ctx is done. Without a secret it tells nothing, and its
// position stands still.
func (c *Courier) Run(ctx context.Context) error {
	if c.Hook.Secret == "" {
		<-ctx.Done()
		return nil
	}
	for !c.begin() {
		if !rest(ctx, saveEvery) {
			return nil
		}
	}
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		c.read()
		c.dispatch(ctx, now)
		c.save(now, false)
		timer.Reset(poll)
		select {
		case <-ctx.Done():
		case r := <-c.results:
			c.ended(ctx, r)
		case <-timer.C:
		}
	}
	for c.out > 0 { // broken off by ctx
		c.ended(ctx, <-c.results)
	}
	c.save(time.Now(), true)
	return nil
}

func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// begin takes up the work where it was left, or, the first time, at the
// journal's end: what ended before somebody wanted to be told is no news.
func (c *Courier) begin() bool {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		c.trouble(err)
		return false
	}
	s, err := load(c.path)
	switch {
	case missing(err):
		s = saved{Next: c.Log.End(), URL: digest(c.Hook.URL)}
		if err := store(c.path, s); err != nil {
			c.trouble(err)
			return false
		}
	case err != nil:
		c.trouble(err)
		return false
	}
	if at := digest(c.Hook.URL); s.URL != at {
		s.URL, s.Gone = at, false
		c.dirty = true
	}
	c.state = s
	c.count(func(st *Stats) { st.Gone = s.Gone })
	return true
}

// trouble logs what keeps the Courier from its work, once.
func (c *Courier) trouble(err error) {
	if text := err.Error(); text != c.logged {
		c.logged = text
		c.Logger.Error("receipts are not told for now", "route", c.Route, "error", text)
	}
}

// save writes the file where something changed, now and then.
func (c *Courier) save(now time.Time, at bool) {
	if !c.dirty || !at && now.Sub(c.wrote) < saveEvery {
		return
	}
	c.wrote = now
	if err := store(c.path, c.state); err != nil {
		c.trouble(err)
		return
	}
	c.dirty, c.logged = false, ""
}

// read takes up ends from the journal while there is room for them.
func (c *Courier) read() {
	if start := c.Log.Start(); c.state.Next < start {
		c.Logger.Error("the journal forgot records before their ends were told", "route", c.Route)
		c.count(func(s *Stats) { s.Lost++ })
		c.state.Next, c.dirty = start, true
	}
	if c.state.Next == c.Log.End() || len(c.state.Items) >= mostItems {
		return
	}
	read := 0
	for s, err := range c.Log.All(c.state.Next) {
		if err == nil {
			err = c.take(s)
		}
		if err != nil {
			c.trouble(err)
			return
		}
		c.state.Next, c.dirty = s.Next, true
		if read++; read >= readAtOnce || len(c.state.Items) >= mostItems {
			return
		}
	}
}

// take looks whether an entry ends one of the route's records.
func (c *Courier) take(s journal.Stored) error {
	if s.Kind != continuity.KindOutcome && s.Kind != continuity.KindAct || c.state.Gone {
		return nil
	}
	e, err := c.Decode(s)
	if err != nil {
		return err
	}
	i := item{At: e.At.UTC(), Due: time.Now()}
	var receipt continuity.Receipt
	var state continuity.State
	switch {
	case e.Outcome != nil:
		receipt, state, i.Reason = e.Outcome.Receipt, e.Outcome.To, string(e.Outcome.Reason)
		if e.Outcome.Response != nil {
			i.Status = e.Outcome.Response.Status
		}
	case e.Act != nil:
		receipt, state, i.Reason = e.Act.Receipt, ends[e.Act.Verb], string(continuity.ReasonPerson)
		if e.Act.Verb == continuity.VerbEdit {
			i.Reason = string(continuity.ReasonReplaced)
		}
	}
	if !state.Ended() || !slices.Contains(c.Hook.States, state) {
		return nil
	}
	route, ok := c.RouteOf(receipt)
	if !ok {
		c.Logger.Error("whose record ended is not known any more, so nobody is told", "route", c.Route, "receipt", receipt.Short())
		c.count(func(s *Stats) { s.Lost++ })
		return nil
	}
	if route != c.Route {
		return nil
	}
	i.Receipt, i.State = receipt.String(), state.String()
	c.state.Items = append(c.state.Items, &i)
	c.count(func(st *Stats) { st.Waiting = len(c.state.Items) })
	return nil
}

// ends are the states in which what people do leaves a record.
var ends = map[continuity.Verb]continuity.State{
	continuity.VerbDelivered: continuity.Delivered, continuity.VerbDiscard: continuity.Discarded, continuity.VerbEdit: continuity.Discarded,
}

func (c *Courier) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

// dispatch begins tries of what is due: one at a time while the endpoint fails.
func (c *Courier) dispatch(ctx context.Context, now time.Time) {
	if c.state.Gone || now.Before(c.quiet) {
		return
	}
	limit := mostOut
	if !c.trusted {
		limit = 1
	}
	for _, i := range c.state.Items {
		if c.out >= limit {
			return
		}
		if i.out || now.Before(i.Due) {
			continue
		}
		i.out = true
		c.out++
		told := *i
		go func() { c.results <- result{i, c.tell(ctx, &told)} }()
	}
}

// schedule is how long to wait before each try.
var schedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// ended books the end of a try.
func (c *Courier) ended(ctx context.Context, r result) {
	c.out--
	r.item.out = false
	if !r.ok && ctx.Err() != nil {
		return // we broke it off
	}
	c.dirty = true
	c.trusted = r.ok
	switch {
	case r.ok:
		c.remove(r.item)
		c.count(func(s *Stats) { s.Told, s.Failing = s.Told+1, time.Time{} })
		return
	case r.gone:
		c.Logger.Error("the endpoint is gone: receipts are not told any more until its URL changes", "route", c.Route, "waiting", len(c.state.Items))
		c.state.Gone, c.state.Items = true, nil
		c.count(func(s *Stats) { s.Gone, s.Waiting = true, 0 })
		return
	}
	now := time.Now()
	r.item.Tries++
	c.count(func(s *Stats) {
		if s.Failed++; s.Failing.IsZero() {
			s.Failing = now
		}
	})
	if r.item.Tries >= len(schedule) {
		c.Logger.Error("gave up telling how a request ended", "route", c.Route, "receipt", r.item.Receipt[:8], "state", r.item.State, "tries", r.item.Tries)
		c.remove(r.item)
		c.count(func(s *Stats) { s.GivenUp++ })
		return
	}
	wait := schedule[r.item.Tries]
	wait += time.Duration(rand.Float64() * float64(wait) / 10) // #nosec G404 -- jitter
	r.item.Due = now.Add(max(wait, r.after))
	if r.after > 0 {
		c.quiet = now.Add(min(r.after, mostQuiet))
	}
	c.Logger.Warn("a receipt could not be told", "route", c.Route, "receipt", r.item.Receipt[:8], "try", r.item.Tries, "why", r.why, "again", r.item.Due)
}

func (c *Courier) remove(i *item) {
	c.state.Items = slices.DeleteFunc(c.state.Items, func(o *item) bool { return o == i })
	c.count(func(s *Stats) { s.Waiting = len(c.state.Items) })
}
