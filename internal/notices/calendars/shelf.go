// Package calendars keeps the calendars that plans name: when the business is
// busy, when people meet, when nothing may be changed. Each node reads them for
// itself and keeps the last good copy in its data folder, which counts, with its
// age said, while the place it came from can't be read.
package calendars

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/durable"
	"holdfast/internal/notices"
	"holdfast/internal/outgoing/fetch"
)

// States of a calendar.
const (
	Read    = "read"
	Old     = "old"     // the last good copy counts: it can't be read now
	Unknown = "unknown" // it was never read
)

// State is how a calendar fares.
type State struct {
	Service  string         `json:"service"`
	Calendar string         `json:"calendar"`
	Kind     string         `json:"kind"`
	State    string         `json:"state"`
	Read     time.Time      `json:"read,omitzero"` // when the copy that counts was got
	Why      string         `json:"why,omitempty"` // it can't be read: a message of the catalogue under "notice.failed."
	Args     map[string]any `json:"args,omitempty"`
	Left     int            `json:"left,omitempty"` // events that could not be understood
}

// Entry is one busy period.
type Entry struct {
	calendar.Busy

	Service  string `json:"service"`
	Calendar string `json:"calendar"`
	Kind     string `json:"kind"`
}

// kept is a calendar and its last good copy.
type kept struct {
	spec     notices.Spec
	print    string
	client   *http.Client
	feed     *calendar.Feed
	mark     fetch.Mark
	read     time.Time
	due      time.Time
	failures int
	failure  *fetch.Failure
}

// Shelf keeps the calendars of a node.
type Shelf struct {
	dir    string
	client func(*notices.Spec) (*http.Client, error)
	now    func() time.Time
	log    *slog.Logger

	mu   sync.Mutex
	all  map[string]*kept // by ref
	wake chan struct{}
}

// New makes a shelf that keeps copies in a folder; client makes what reaches the
// places that a calendar's plan may reach.
func New(dir string, client func(*notices.Spec) (*http.Client, error), now func() time.Time, log *slog.Logger) *Shelf {
	return &Shelf{dir: dir, client: client, now: now, log: log, all: map[string]*kept{}, wake: make(chan struct{}, 1)}
}

// Bounds of reading.
const (
	readTime    = 20 * time.Second // of making sense of a file: rules can be made to cost
	longestWait = time.Hour
	looks       = time.Second
)

// Set makes the shelf go by other plans. What was read of a calendar that is the
// same still counts.
func (s *Shelf) Set(specs []notices.Spec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*kept{}
	for _, spec := range specs {
		k := s.all[spec.Ref()]
		if k == nil || k.print != spec.Print() {
			k = &kept{print: spec.Print(), due: s.now()}
			s.load(k, &spec)
		}
		k.spec = spec
		all[spec.Ref()] = k
	}
	s.all = all
	select {
	case s.wake <- struct{}{}:
	default: // it is going to look already
	}
}

// copied is what stands in a file: the calendar as it was got.
type copied struct {
	Read time.Time  `json:"read"`
	Mark fetch.Mark `json:"mark"`
	Text string     `json:"text"`
}

func (s *Shelf) path(k *kept) string { return filepath.Join(s.dir, k.print+".json") }

// load takes the copy of an earlier run, if there is a good one.
func (s *Shelf) load(k *kept, spec *notices.Spec) {
	src, err := os.ReadFile(s.path(k)) // #nosec G304 -- a name of the node's own making
	if err != nil {
		return
	}
	var c copied
	if json.Unmarshal(src, &c) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	if feed, err := calendar.Parse(ctx, []byte(c.Text), spec.Zone); err == nil {
		k.feed, k.read, k.mark = feed, c.Read, c.Mark
	}
}

// Run reads calendars when they are due, one after the other, until ctx is done.
func (s *Shelf) Run(ctx context.Context) {
	tick := time.NewTicker(looks)
	defer tick.Stop()
	for {
		for k := s.next(); k != nil && ctx.Err() == nil; k = s.next() {
			s.Look(ctx, k.spec.Service, k.spec.ID)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
	}
}

func (s *Shelf) next() *kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, k := range s.all {
		if !k.due.After(now) {
			return k
		}
	}
	return nil
}

// Look reads one calendar once.
func (s *Shelf) Look(ctx context.Context, service, id string) {
	s.mu.Lock()
	k := s.all[service+"/"+id]
	if k == nil {
		s.mu.Unlock()
		return
	}
	spec, mark, client := k.spec, k.mark, k.client
	if k.feed == nil {
		mark = fetch.Mark{}
	}
	k.due = s.now().Add(longestWait) // not again meanwhile
	s.mu.Unlock()

	feed, answer, client, err := s.get(ctx, &spec, mark, client)
	if err == nil && !answer.Same {
		err = s.keep(k, answer)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	k.client = client
	var failure *fetch.Failure
	switch {
	case err == nil:
		k.read, k.mark, k.failures, k.failure = now, answer.Mark, 0, nil
		if feed != nil {
			k.feed = feed
		}
		k.due = now.Add(spec.Every)
	case errors.As(err, &failure):
		k.failures++
		k.failure = failure
		k.due = now.Add(max(continuity.Backoff(k.failures, spec.Every, max(spec.Every, longestWait)), failure.After))
	default:
		s.log.Error("a calendar can't be kept", "calendar", spec.Ref(), "error", err)
		k.failures++
		k.failure = fetch.Fail("internal", err)
		k.due = now.Add(continuity.Backoff(k.failures, spec.Every, max(spec.Every, longestWait)))
	}
}

func (s *Shelf) get(ctx context.Context, spec *notices.Spec, mark fetch.Mark, client *http.Client) (*calendar.Feed, fetch.Answer, *http.Client, error) {
	var err error
	if client == nil {
		if client, err = s.client(spec); err != nil {
			return nil, fetch.Answer{}, nil, err
		}
	}
	r := fetch.Request{URL: spec.URL, Mark: mark, Accept: "text/calendar", Most: calendar.MaxICal}
	if spec.Auth != nil {
		if r.Auth, err = spec.Auth(); err != nil {
			return nil, fetch.Answer{}, client, fetch.Fail(fetch.Secret, err)
		}
	}
	answer, err := fetch.Get(ctx, client, r)
	if err != nil || answer.Same {
		return nil, answer, client, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	feed, err := calendar.Parse(ctx, answer.Body, spec.Zone)
	if err != nil {
		return nil, answer, client, fetch.Fail(fetch.Format, err)
	}
	return feed, answer, client, nil
}

// keep writes a copy for when the place can't be read.
func (s *Shelf) keep(k *kept, answer fetch.Answer) error {
	src, err := json.Marshal(copied{s.now().UTC(), answer.Mark, string(answer.Body)})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(s.path(k), src)
}

// States says how the calendars of a service fare, or of all.
func (s *Shelf) States(service string) []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []State{}
	for _, k := range s.all {
		if service == "" || k.spec.Service == service {
			out = append(out, k.state())
		}
	}
	slices.SortFunc(out, func(a, b State) int {
		return strings.Compare(a.Service+"/"+a.Calendar, b.Service+"/"+b.Calendar)
	})
	return out
}

func (k *kept) state() State {
	st := State{Service: k.spec.Service, Calendar: k.spec.ID, Kind: k.spec.Kind, State: Unknown, Read: k.read}
	if k.feed != nil {
		st.Left = len(k.feed.Left)
		if st.State = Read; k.failures > 0 {
			st.State = Old
		}
	}
	if k.failure != nil {
		st.Why, st.Args = k.failure.Why, k.failure.Args
	}
	return st
}

// Between returns what the calendars of a service, or of all, have on in a time;
// kind may be empty. What it does not know is in States.
func (s *Shelf) Between(ctx context.Context, service, kind string, w calendar.Window) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	s.mu.Lock()
	var chosen []kept
	for _, k := range s.all {
		if k.feed != nil && (service == "" || k.spec.Service == service) && (kind == "" || k.spec.Kind == kind) {
			chosen = append(chosen, *k)
		}
	}
	s.mu.Unlock()
	out := []Entry{}
	for i := range chosen {
		k := &chosen[i]
		busy, err := k.feed.Between(ctx, w)
		if err != nil {
			return nil, err
		}
		for _, b := range busy {
			out = append(out, Entry{b, k.spec.Service, k.spec.ID, k.spec.Kind})
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(a.Service+a.Calendar, b.Service+b.Calendar)
	})
	return out, nil
}
