package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/webhook"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// tape is a journal of events in memory; its positions count from 10.
type tape struct {
	mu     sync.Mutex
	start  int
	events []continuity.Event
}

func (l *tape) add(events ...continuity.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
}

func (l *tape) Start() continuity.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return continuity.Position(10 + l.start)
}

func (l *tape) End() continuity.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return continuity.Position(10 + len(l.events))
}

func (l *tape) All(from continuity.Position) iter.Seq2[journal.Stored, error] {
	return func(yield func(journal.Stored, error) bool) {
		for at := from; at < l.End(); at++ {
			if at < l.Start() {
				yield(journal.Stored{}, journal.ErrGone)
				return
			}
			l.mu.Lock()
			kind := l.events[at-10].Kind
			l.mu.Unlock()
			if !yield(journal.Stored{Entry: journal.Entry{Kind: kind}, Position: at, Next: at + 1}, nil) {
				return
			}
		}
	}
}

func (l *tape) decode(s journal.Stored) (continuity.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[s.Position-10], nil
}

var ended = time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)

func outcome(n int, to continuity.State) continuity.Event {
	return continuity.Event{Kind: continuity.KindOutcome, At: ended, Outcome: &continuity.Outcome{
		Receipt: id(n), To: to, Response: &continuity.Response{Status: 201},
	}}
}

func act(n int, v continuity.Verb) continuity.Event {
	return continuity.Event{Kind: continuity.KindAct, At: ended, Act: &continuity.Act{Receipt: id(n), Verb: v}}
}

func id(n int) continuity.Receipt { return continuity.Receipt{byte(n >> 8), byte(n), 1} }

// endpoint is the client's side. Every request is verified by the library of
// Standard Webhooks.
type endpoint struct {
	t     *testing.T
	mu    sync.Mutex
	got   []string // webhook-id
	at    []time.Time
	bodys []string
	heard []string // webhook-id of what it answered with a 2xx
	do    func(nth int) (status int, header http.Header, err error)
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	wh, err := webhooks.NewWebhook(secret)
	if err != nil {
		e.t.Error(err)
	}
	if err := wh.VerifyIgnoringTimestamp(body, r.Header); err != nil {
		e.t.Error("the library refuses:", err)
	}
	if r.Method != "POST" || !strings.HasPrefix(r.URL.String(), "https://client.test/hooks?k=v") || r.Header.Get("Content-Type") != "application/json" {
		e.t.Errorf("request %s %s %v", r.Method, r.URL, r.Header)
	}
	e.mu.Lock()
	e.got, e.at, e.bodys = append(e.got, r.Header.Get("webhook-id")), append(e.at, time.Now()), append(e.bodys, string(body))
	n := len(e.got)
	e.mu.Unlock()
	status, header := 204, http.Header{}
	if e.do != nil {
		s, h, err := e.do(n)
		if err != nil {
			return nil, err
		}
		if status = s; h != nil {
			header = h
		}
	}
	if status/100 == 2 {
		e.mu.Lock()
		e.heard = append(e.heard, r.Header.Get("webhook-id"))
		e.mu.Unlock()
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: header, Body: io.NopCloser(strings.NewReader("x")), Request: r}, nil
}

func (e *endpoint) ids() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.got...)
}

type rig struct {
	*testing.T
	log  *tape
	end  *endpoint
	dir  string
	hook continuity.Webhook
	c    *webhook.Courier
	stop func()
}

func newRig(t *testing.T) *rig {
	return &rig{T: t, log: &tape{}, end: &endpoint{t: t}, dir: t.TempDir(), hook: continuity.Webhook{
		URL: "https://client.test/hooks?k=v", Secret: secret, Timeout: 20 * time.Second,
		States: []continuity.State{continuity.Delivered, continuity.Refused, continuity.Dead, continuity.Discarded},
	}}
}

func (r *rig) start() {
	r.c = webhook.New(webhook.Options{
		Route: "orders", Hook: r.hook, Log: r.log, Decode: r.log.decode, Dir: r.dir, Transport: r.end,
		RouteOf: func(n continuity.Receipt) (string, bool) {
			if n[1] >= 200 && n[0] == 0 {
				return "others", true
			}
			return "orders", n[0] != 0 || n[1] != 199
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.c.Run(ctx); err != nil {
			r.Error(err)
		}
	}()
	r.stop = func() { cancel(); <-done }
	pass(2 * time.Second)
}

func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func (r *rig) want(ids ...string) {
	r.Helper()
	if diff := cmp.Diff(ids, r.end.ids()); diff != "" {
		r.Error(diff)
	}
}

func hookID(n int, state string) string { return id(n).String() + "-" + state }

func TestRule8_3_EachEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.log.add(outcome(99, continuity.Delivered)) // before anybody wanted to be told
		r.start()
		defer func() { r.stop() }()
		for _, e := range []continuity.Event{
			outcome(1, continuity.Delivered), outcome(2, continuity.Queued), outcome(2, continuity.InDoubt), outcome(2, continuity.Refused),
			outcome(3, continuity.Dead), act(3, continuity.VerbRetry), act(3, continuity.VerbDiscard), act(4, continuity.VerbDelivered),
			act(5, continuity.VerbEdit), act(6, continuity.VerbPark), outcome(200, continuity.Delivered), outcome(199, continuity.Delivered),
		} {
			r.log.add(e)
			pass(2 * time.Second)
		}
		r.want(hookID(1, "delivered"), hookID(2, "refused"), hookID(3, "dead"), hookID(3, "discarded"), hookID(4, "delivered"), hookID(5, "discarded"))
		var m webhook.Message
		if err := json.Unmarshal([]byte(r.end.bodys[0]), &m); err != nil {
			t.Fatal(err)
		}
		want := webhook.Message{Type: "request.delivered", Timestamp: ended, Data: webhook.Data{Receipt: id(1).String(), Route: "orders", State: "delivered", Status: 201}}
		if diff := cmp.Diff(want, m); diff != "" {
			t.Error(diff)
		}
		if s := r.c.Stats(); s.Told != 6 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOnlyTheStatesAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.hook.States = []continuity.State{continuity.Dead}
		r.start()
		defer func() { r.stop() }()
		r.log.add(outcome(1, continuity.Delivered), outcome(2, continuity.Dead))
		pass(2 * time.Second)
		r.want(hookID(2, "dead"))
	})
}

// The schedule: ten tries over some three days, each with the same id.
func TestScheduleAndGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.end.do = func(int) (int, http.Header, error) { return 500, nil, nil }
		r.start()
		defer func() { r.stop() }()
		began := time.Now()
		r.log.add(outcome(1, continuity.Delivered))
		pass(90 * time.Hour)
		waits := []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		}
		if len(r.end.at) != len(waits) {
			t.Fatalf("%d tries, want %d", len(r.end.at), len(waits))
		}
		last := began
		for n, at := range r.end.at {
			if d := at.Sub(last); d < waits[n] || d > waits[n]+waits[n]/10+2*time.Second {
				t.Errorf("try %d came after %v, want about %v", n+1, d, waits[n])
			}
			if last = at; r.end.got[n] != hookID(1, "delivered") {
				t.Errorf("try %d under %s", n+1, r.end.got[n])
			}
		}
		if s := r.c.Stats(); s.GivenUp != 1 || s.Waiting != 0 || s.Failed != 10 || !s.Failing.Equal(r.end.at[0]) {
			t.Errorf("%+v", s)
		}
		r.end.do = nil
		r.log.add(outcome(2, continuity.Delivered))
		pass(time.Minute)
		if s := r.c.Stats(); s.Told != 1 || !s.Failing.IsZero() {
			t.Errorf("after one that got through: %+v", s)
		}
	})
}

func TestWhatAnEndpointAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		header http.Header
		err    error
		next   time.Duration // of the second try; 0: none
		gone   bool
	}{
		"2xx":               {status: 299},
		"redirect":          {status: 307, header: http.Header{"Location": {"https://elsewhere.test/"}}, next: 5 * time.Second},
		"server error":      {status: 503, next: 5 * time.Second},
		"no connection":     {err: errors.New("refused"), next: 5 * time.Second},
		"asks for a wait":   {status: 429, header: http.Header{"Retry-After": {"600"}}, next: 10 * time.Minute},
		"asks for too long": {status: 429, header: http.Header{"Retry-After": {"9999999"}}, next: 24 * time.Hour},
		"gone":              {status: 410, gone: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.end.do = func(n int) (int, http.Header, error) {
					if n == 1 {
						return tt.status, tt.header, tt.err
					}
					return 200, nil, nil
				}
				r.start()
				defer func() { r.stop() }()
				r.log.add(outcome(1, continuity.Delivered))
				pass(28 * time.Hour)
				switch {
				case tt.next == 0 && len(r.end.at) != 1:
					t.Errorf("%d tries, want one", len(r.end.at))
				case tt.next > 0 && len(r.end.at) != 2:
					t.Fatalf("%d tries, want two", len(r.end.at))
				case tt.next > 0:
					if d := r.end.at[1].Sub(r.end.at[0]); d < tt.next || d > tt.next+tt.next/10+2*time.Second {
						t.Errorf("the second try came after %v, want about %v", d, tt.next)
					}
				}
				if r.c.Stats().Gone != tt.gone {
					t.Errorf("gone: %v", !tt.gone)
				}
			})
		})
	}
}

func TestGoneUntilTheURLChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.end.do = func(n int) (int, http.Header, error) { return map[bool]int{true: 410, false: 200}[n == 1], nil, nil }
		r.start()
		r.log.add(outcome(1, continuity.Delivered))
		pass(2 * time.Second)
		r.stop()
		r.start() // gone is durable
		r.log.add(outcome(2, continuity.Delivered))
		pass(time.Minute)
		r.want(hookID(1, "delivered"))
		r.stop()
		if text, err := os.ReadFile(filepath.Join(r.dir, "orders.json")); err != nil || strings.Contains(string(text), "k=v") {
			t.Errorf("the file shows the URL's secret: %s %v", text, err)
		}
		r.hook.URL = "https://client.test/hooks?k=v2"
		r.start()
		r.log.add(outcome(3, continuity.Delivered))
		pass(time.Minute)
		r.stop()
		r.want(hookID(1, "delivered"), hookID(3, "delivered"))
	})
}

// A Courier that ends without a word, at any moment, repeats at most, and under
// the same id.
func TestRule8_3_ASuddenEndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var failing atomic.Bool
		r.end.do = func(n int) (int, http.Header, error) {
			if failing.Load() || n%7 == 0 {
				return 500, nil, nil
			}
			return 200, nil, nil
		}
		r.start()
		file := filepath.Join(r.dir, "orders.json")
		for round := range 30 {
			for n := range 5 {
				r.log.add(outcome(1000+5*round+n, continuity.Delivered))
			}
			failing.Store(round%3 == 0)
			pass(time.Duration(round*91) * time.Millisecond)
			text, err := os.ReadFile(file) // as the disk has it at this moment
			if err != nil {
				t.Fatal(err)
			}
			r.stop()
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			r.start()
		}
		failing.Store(false)
		pass(80 * time.Hour) // the whole schedule: one that was unlucky again and again waits for hours
		r.stop()
		times := map[string]int{}
		for _, id := range r.end.heard {
			times[id]++
		}
		for n := range 150 {
			if times[hookID(1000+n, "delivered")] == 0 {
				t.Errorf("end %d was never told", n)
			}
		}
		if len(times) != 150 {
			t.Errorf("%d different ids, want 150", len(times))
		}
	})
}

func TestRule7_1_WhatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var down atomic.Bool
		down.Store(true)
		r.end.do = func(int) (int, http.Header, error) {
			if down.Load() {
				return 0, nil, errors.New("refused")
			}
			return 200, nil, nil
		}
		r.start()
		for n := range 5000 {
			r.log.add(outcome(1000+n, continuity.Delivered))
		}
		pass(time.Minute)
		if s := r.c.Stats(); s.Waiting > 2000 || s.Waiting < 1000 {
			t.Errorf("%d wait", s.Waiting)
		}
		if info, err := os.Stat(filepath.Join(r.dir, "orders.json")); err != nil || info.Size() > 1<<20 {
			t.Errorf("the file: %v, %v", info.Size(), err)
		}
		down.Store(false)
		pass(time.Hour)
		r.stop()
		times := map[string]bool{}
		for _, id := range r.end.ids() {
			times[id] = true
		}
		if len(times) != 5000 || r.c.Stats().Waiting != 0 {
			t.Errorf("%d told, %d wait", len(times), r.c.Stats().Waiting)
		}
	})
}

func TestForgottenByTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.stop()
		r.log.add(outcome(1, continuity.Delivered), outcome(2, continuity.Delivered))
		r.log.start = 1
		r.start()
		pass(2 * time.Second)
		r.stop()
		r.want(hookID(2, "delivered"))
		if r.c.Stats().Lost != 1 {
			t.Error("nobody counts what was forgotten")
		}
	})
}

func TestWithoutItsSecretNothingIsToldAndNothingLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.stop()
		r.hook.Secret = ""
		r.start()
		r.log.add(outcome(1, continuity.Delivered))
		pass(time.Minute)
		r.stop()
		r.want()
		r.hook.Secret = secret
		r.start()
		pass(2 * time.Second)
		r.stop()
		r.want(hookID(1, "delivered"))
	})
}

// Over a real connection: a redirect is a failure and leads nowhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var led atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { led.Add(1) }))
	defer other.Close()
	asked := make(chan struct{}, 10)
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		asked <- struct{}{}
	}))
	defer first.Close()
	log := &tape{}
	c := webhook.New(webhook.Options{
		Route: "orders", Log: log, Decode: log.decode, Dir: t.TempDir(), RouteOf: func(continuity.Receipt) (string, bool) { return "orders", true },
		Hook: continuity.Webhook{URL: first.URL, Secret: secret, Timeout: 15 * time.Second, States: []continuity.State{continuity.Delivered}},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = c.Run(ctx) }()
	tick := time.NewTicker(50 * time.Millisecond) // until its first file stands, ends are no news
	defer tick.Stop()
	for n := 0; ; n++ {
		log.add(outcome(1000+n, continuity.Delivered))
		select {
		case <-asked:
			cancel()
			<-done
			if led.Load() != 0 || c.Stats().Told != 0 {
				t.Error("a redirect was followed, or taken for success")
			}
			return
		case <-tick.C:
		}
	}
}
