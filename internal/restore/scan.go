package restore

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Request is one that reached the upstream in the time that is looked at.
type Request struct {
	Root           continuity.Receipt  // of the first copy: those brought back before name it
	Body           continuity.Position // of the entry that holds it
	Order          continuity.Position // its place among the others of its key, as the upstream got them
	Key            string
	Method         string
	IdempotencyKey string
	At             time.Time
	Copies         int // brought back before
}

// Found is what the journal tells.
type Found struct {
	Requests []Request // in order
	Pending  int       // a copy is on its way already
	Gone     int       // delivered in the time, of any route, and no longer kept
}

// Options say what is looked at.
type Options struct {
	Route        string
	Since, Until time.Time // Until zero: now
	Entries      iter.Seq2[journal.Stored, error]
	Decode       func(journal.Stored) (continuity.Event, error)
	Pending      func(continuity.Receipt) bool // whether a record still has to end
	// Elsewhere tells whether an address at which a record was attempted is that of
	// another upstream: what that has, the restored one never had. Nil: none is.
	Elsewhere func(address string) bool
}

// one is what is known of a request and its copies.
type one struct {
	Request
	reached  bool // the upstream has, or may have, processed it in the time
	copies   []continuity.Receipt
	recorded continuity.Position
}

type scan struct {
	Options
	all   map[continuity.Receipt]*one
	roots map[continuity.Receipt]continuity.Receipt  // of every copy
	at    map[continuity.Position]continuity.Receipt // of recorded entries
	gone  int
}

// Scan reads the journal once. Held requests take the place of their delivery,
// those that passed the place at which they were recorded: both are where the
// upstream got them. Times select; they never order.
func Scan(o Options) (Found, error) {
	s := scan{
		Options: o, all: map[continuity.Receipt]*one{}, roots: map[continuity.Receipt]continuity.Receipt{},
		at: map[continuity.Position]continuity.Receipt{},
	}
	for stored, err := range o.Entries {
		if err != nil {
			return Found{}, continuity.E(continuity.CodeDamaged, err)
		}
		e, err := o.Decode(stored)
		if err != nil {
			return Found{}, err
		}
		s.event(&e, stored.Position)
	}
	return s.found(), nil
}

func (s *scan) event(e *continuity.Event, at continuity.Position) {
	switch {
	case e.Recorded != nil && e.Recorded.Erased:
		if e.Recorded.Route == s.Route && s.within(e.At) {
			s.gone++
		}
	case e.Recorded != nil:
		if r := s.request(e.Recorded, at); r != nil && s.within(e.At) {
			r.reached, r.recorded, r.Order, r.At = true, at, at, e.At
			s.at[at] = r.Root
		}
	case e.Passed != nil:
		for _, p := range e.Passed {
			s.passed(p)
		}
	case e.Accepted != nil:
		s.request(e.Accepted, at)
	case e.Carried != nil:
		s.request(e.Carried.Record, at)
	case e.Outcome != nil && e.Outcome.To == continuity.Delivered:
		s.delivered(e.Outcome.Receipt, e.At, at)
	case e.Act != nil && e.Act.Verb == continuity.VerbDelivered:
		s.delivered(e.Act.Receipt, e.At, at)
	case e.Act != nil && e.Act.Replacement != nil:
		s.request(e.Act.Replacement, at)
	}
}

func (s *scan) within(at time.Time) bool {
	return !at.Before(s.Since) && (s.Until.IsZero() || at.Before(s.Until))
}

func (s *scan) request(rec *continuity.Record, at continuity.Position) *one {
	if rec.Route != s.Route || rec.Erased || s.Elsewhere != nil && s.Elsewhere(rec.Upstream) {
		return nil
	}
	root := rec.Receipt
	if !rec.Again.IsZero() {
		root = rec.Again
	}
	r := s.all[root]
	if r == nil {
		r = &one{Request: Request{Root: root, Key: rec.KeyText, Method: rec.Method, IdempotencyKey: rec.IdempotencyKey}}
		s.all[root] = r
	}
	r.Body = at
	if _, known := s.roots[rec.Receipt]; !known {
		s.roots[rec.Receipt] = root
		r.copies = append(r.copies, rec.Receipt)
		if root != rec.Receipt {
			r.Copies++
		}
	}
	return r
}

func (s *scan) passed(p continuity.Passed) {
	root, ok := s.at[p.Position]
	if !ok {
		return
	}
	r := s.all[root]
	if r.recorded == p.Position && p.To != continuity.Delivered && p.To != continuity.InDoubt {
		r.reached = false // it changed nothing there, or was kept, and its record tells
	}
}

func (s *scan) delivered(receipt continuity.Receipt, when time.Time, at continuity.Position) {
	root, ok := s.roots[receipt]
	if !ok {
		if s.within(when) {
			s.gone++ // its request is no longer kept, and whose route it was can't be told
		}
		return
	}
	if r := s.all[root]; s.within(when) {
		r.reached, r.Order, r.At = true, at, when
	}
}

func (s *scan) found() Found {
	f := Found{Gone: s.gone}
	for _, r := range s.all {
		switch {
		case !r.reached:
		case slices.ContainsFunc(r.copies, s.Pending):
			f.Pending++
		default:
			f.Requests = append(f.Requests, r.Request)
		}
	}
	slices.SortFunc(f.Requests, func(a, b Request) int { return cmp.Compare(a.Order, b.Order) })
	return f
}
