package warning

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

const (
	reported = "report.received"
	// tries is how often a change is made anew that somebody else was faster than.
	tries = 8

	mostWords = 1000 // characters of a text
	mostName  = 100
)

// Inbox takes what comes from outside, on any node.
type Inbox struct {
	store Store
	now   func() time.Time
	limit *limiter
}

// NewInbox makes an inbox.
func NewInbox(store Store, now func() time.Time) *Inbox {
	return &Inbox{store: store, now: now, limit: newLimiter()}
}

// Raise stores what a system says, until it says otherwise or takes it back. The
// same again changes nothing.
func (in *Inbox) Raise(ctx context.Context, by continuity.Actor, s continuity.Signal) error {
	return in.say(ctx, by, []said{{signal: s}}, nil)
}

// End takes back what a system said; what nobody said is nothing to take back.
func (in *Inbox) End(ctx context.Context, by continuity.Actor, service, source, name string) error {
	return in.say(ctx, by, []said{{signal: continuity.Signal{Service: service, Source: source, Rule: name}, ended: true}}, nil)
}

// Notice makes a warning of what a person confirmed of a provider's notice.
func (in *Inbox) Notice(ctx context.Context, by continuity.Actor, service, name string, level continuity.Level, text continuity.Text, link string) error {
	s := continuity.Signal{Service: service, Source: continuity.FromNotice, Rule: name, Level: level, Text: text}
	if link != "" {
		s.Evidence = []continuity.Evidence{{Kind: "link", URL: link}}
	}
	return in.Raise(ctx, by, s)
}

// said is one thing that a system says or takes back.
type said struct {
	signal continuity.Signal
	ended  bool
}

// say stores things at once, beside other changes, which are made anew at each
// try.
func (in *Inbox) say(ctx context.Context, by continuity.Actor, all []said, also func(context.Context) ([]continuity.Change, error)) error {
	for i := range all {
		if err := in.check(&all[i].signal, all[i].ended); err != nil {
			return err
		}
	}
	var last error
	for range tries {
		var changes []continuity.Change
		if also != nil {
			more, err := also(ctx)
			if err != nil {
				return err
			}
			changes = more
		}
		for i := range all {
			c, err := in.change(ctx, &all[i])
			if err != nil {
				return err
			}
			if c != nil {
				changes = append(changes, *c)
			}
		}
		if len(changes) == 0 {
			return nil
		}
		_, last = in.store.Commit(ctx, continuity.Batch{Actor: by, Changes: changes})
		if code := continuity.CodeOf(last); code != continuity.CodeVersion && code != continuity.CodeNotFound {
			return last
		}
	}
	return last
}

// check refuses what can't be a signal, and cuts what is too long.
func (in *Inbox) check(s *continuity.Signal, ended bool) error {
	if s.Service != "" && !named(s.Service) {
		return invalid("signal.service", "value", cut(s.Service, mostName))
	}
	if !ended && s.Level == continuity.LevelNone {
		return invalid("signal.level", "value", "")
	}
	if s.Rule == "" || utf8.RuneCountInString(s.Rule) > mostName || strings.ContainsFunc(s.Rule, unicode.IsControl) {
		return invalid("signal.name", "value", cut(s.Rule, mostName), "most", mostName)
	}
	s.ID = signalID(s.Service, s.Source, s.Rule)
	s.Text.En, s.Text.Zh = cut(s.Text.En, mostWords), cut(s.Text.Zh, mostWords)
	s.Evidence = s.Evidence[:min(len(s.Evidence), mostEvidence)]
	return nil
}

func (in *Inbox) change(ctx context.Context, one *said) (*continuity.Change, error) {
	s := one.signal
	c := continuity.Change{Kind: KindSignal, ID: s.ID, Service: s.Service, Version: continuity.VersionNew, Action: "signal.received"}
	o, err := in.store.Get(ctx, KindSignal, s.ID)
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
		if one.ended {
			return nil, nil
		}
	case err != nil:
		return nil, err
	default:
		c.Version = o.Version
		if one.ended {
			c.Action = "signal.ended"
			return &c, nil
		}
		var before continuity.Signal
		if err := json.Unmarshal(o.Body, &before); err != nil {
			return nil, err
		}
		if s.At.IsZero() {
			s.At = before.At
		}
		c.Action = "signal.changed"
		if same(before, s) {
			return nil, nil
		}
	}
	if s.At.IsZero() {
		s.At = in.now().UTC()
	}
	c.Body, err = json.Marshal(s)
	return &c, err
}

func same(a, b continuity.Signal) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// Said is what a report came to.
type Said struct {
	Report continuity.Report
	// Scope is how many have the trouble, as far as is known now: only this one,
	// an office, everyone.
	Scope     string
	Reporters int
}

// Whats are what a report may say: down, or a sign of partial failure.
func Whats() []string { return append([]string{WhatDown}, Signs()...) }

// Signs are the named signals of partial failure.
func Signs() []string {
	return []string{"slow", "unstable", "sends", "uploads", "late-notices", "login-codes", "sessions", "other"}
}

// recent is what counts for the answer to a report.
const recent = 30 * time.Minute

// Report stores one person's word that something does not work, and says who
// else said so.
func (in *Inbox) Report(ctx context.Context, by continuity.Actor, r continuity.Report) (Said, error) {
	switch {
	case !named(r.Service):
		return Said{}, invalid("signal.service", "value", cut(r.Service, mostName))
	case r.Component != "" && !named(r.Component):
		return Said{}, invalid("signal.component", "value", cut(r.Component, mostName))
	case !slices.Contains(Whats(), r.What):
		return Said{}, invalid("signal.what", "value", cut(r.What, mostName), "known", strings.Join(Whats(), ", "))
	case r.By == "" || utf8.RuneCountInString(r.By) > mostName:
		return Said{}, invalid("signal.reporter")
	}
	now := in.now().UTC()
	if wait := in.limit.take(r.By, now); wait > 0 {
		return Said{}, continuity.E(continuity.CodeClientLimit, nil, "seconds", int(wait.Seconds())+1)
	}
	r.Department, r.Location, r.Text = cut(r.Department, mostName), cut(r.Location, mostName), cut(r.Text, mostWords)
	r.At, r.ID = now, newID(now)
	body, err := json.Marshal(r)
	if err != nil {
		return Said{}, err
	}
	_, err = in.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{{
		Kind: KindReport, ID: r.ID, Service: r.Service, Version: continuity.VersionNew, Body: body, Action: reported,
	}}})
	if err != nil {
		return Said{}, err
	}
	all, err := in.Reports(ctx, r.Service, now.Add(-recent), 1000)
	if err != nil {
		return Said{}, err
	}
	return Said{r, ScopeOf(all), len(reporters(all))}, nil
}

// Reports lists a service's reports, or all, since a time, the newest first.
func (in *Inbox) Reports(ctx context.Context, service string, since time.Time, most int) ([]continuity.Report, error) {
	all := []continuity.Report{}
	for cursor := ""; len(all) < most; {
		page, next, err := in.store.Events(ctx, continuity.EventQuery{Action: reported, Service: service, After: since, Cursor: cursor, Limit: most})
		if err != nil {
			return nil, err
		}
		for i := range page {
			var r continuity.Report
			if page[i].After == nil { // erased
				continue
			}
			if err := json.Unmarshal(page[i].After, &r); err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return all, nil
}

// newID is an id that sorts by time.
func newID(at time.Time) string {
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	return at.Format("20060102t150405.000000") + "-" + hex.EncodeToString(random)
}

// named reports whether a text can be a service's id.
func named(text string) bool {
	if text == "" || len(text) > 63 || text[0] < 'a' || text[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// cut shortens a text and takes control characters out of it.
func cut(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// invalid is bad input; its text is warning.invalid.ID.
func invalid(id string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, errors.New(fmt.Sprint(append([]any{id}, pairs...)...)), append([]any{"detail_id", "warning.invalid." + id}, pairs...)...)
}

// limiter bounds how often one reporter is heard: burst times at once, then once
// in a while.
type limiter struct {
	mu   sync.Mutex
	next map[string]time.Time // when the bucket is full again
}

const (
	burst    = 5
	refill   = time.Minute
	mostKnow = 10_000
)

func newLimiter() *limiter { return &limiter{next: map[string]time.Time{}} }

// take returns how long to wait; 0: go on.
func (l *limiter) take(who string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.next) >= mostKnow {
		for one, full := range l.next {
			if !full.After(now) {
				delete(l.next, one)
			}
		}
	}
	full := l.next[who]
	if full.Before(now) {
		full = now
	}
	if wait := full.Add(refill).Sub(now.Add(burst * refill)); wait > 0 {
		return wait
	}
	l.next[who] = full.Add(refill)
	return 0
}
