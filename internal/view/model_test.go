package view_test

import (
	"slices"

	"holdfast/internal/continuity"
	"holdfast/internal/view"
)

// model is the plainest account of a journal that there can be: maps and lists,
// every record for ever. The view must say the same.
type model struct {
	rows   map[continuity.Receipt]*view.Row
	events map[continuity.Receipt][]view.Event
	keys   map[continuity.KeyTag][]continuity.Receipt // pending, in order
	books  map[string]*view.Books
	moved  map[continuity.Receipt]bool // carried at least once
}

func newModel() *model {
	return &model{
		rows: map[continuity.Receipt]*view.Row{}, events: map[continuity.Receipt][]view.Event{},
		keys: map[continuity.KeyTag][]continuity.Receipt{}, books: map[string]*view.Books{}, moved: map[continuity.Receipt]bool{},
	}
}

func (m *model) book(route string) *view.Books {
	if m.books[route] == nil {
		m.books[route] = &view.Books{Totals: continuity.Totals{Route: route}}
	}
	return m.books[route]
}

func (m *model) counter(r *view.Row) *int64 {
	b := m.book(r.Route)
	switch r.State {
	case continuity.Queued:
		return &b.Queued
	case continuity.Attempting:
		return &b.Attempting
	case continuity.InDoubt:
		return &b.InDoubt
	case continuity.Parked:
		return &b.Parked
	case continuity.Refused:
		return &b.Refused
	case continuity.Dead:
		return &b.Dead
	case continuity.Discarded:
		return &b.Discarded
	default:
		if r.Doubted {
			return &b.DeliveredAfterDoubt
		}
		return &b.DeliveredAtOnce
	}
}

// partly says whether a view that is built when the journal's beginning has gone
// can miss a part of a record's history: it was carried, or what happened to it
// was told by an entry about another record.
func (m *model) partly(r continuity.Receipt) bool {
	return m.moved[r] || slices.ContainsFunc(m.events[r], func(e view.Event) bool { return e.Reason == continuity.ReasonBehindExpired })
}

type stamp struct {
	at   continuity.Position
	size int64
	ev   continuity.Event
}

// to moves a row to a state and keeps its history, its key and the books right.
func (m *model) to(r *view.Row, s stamp, state continuity.State, reason continuity.Reason, note view.Event) {
	if r.State != 0 {
		*m.counter(r)--
	}
	was := r.State.Pending()
	r.State, r.Reason, r.Version = state, reason, r.Version+1
	if state == continuity.InDoubt {
		r.Doubted = true
	}
	r.Outcome, r.EndedAt, r.EndedWall = 0, 0, continuity.Event{}.At
	if state.Ended() {
		r.Outcome, r.EndedAt, r.EndedWall = s.at, s.ev.Clock, s.ev.At
	}
	*m.counter(r)++
	switch {
	case !was && state.Pending():
		m.keys[r.Key] = append(m.keys[r.Key], r.Receipt)
	case was && !state.Pending():
		m.keys[r.Key] = slices.DeleteFunc(m.keys[r.Key], func(o continuity.Receipt) bool { return o == r.Receipt })
	}
	m.tell(r, s, note)
}

func (m *model) tell(r *view.Row, s stamp, note view.Event) {
	note.Position, note.Kind, note.Clock, note.At, note.State, note.Reason = s.at, s.ev.Kind, s.ev.Clock, s.ev.At, r.State, r.Reason
	m.events[r.Receipt] = append(m.events[r.Receipt], note)
}

func (m *model) accept(s stamp, rec *continuity.Record) {
	r := &view.Row{
		Receipt: rec.Receipt, Route: rec.Route, Key: rec.Key, Position: s.at, AcceptedAt: s.ev.Clock, AcceptedWall: s.ev.At,
		Size: s.size, Method: rec.Method, Replaces: rec.Replaces,
	}
	m.rows[r.Receipt] = r
	m.book(r.Route).Accepted++
	if rec.Lost {
		r.Attempts, r.FirstAttempt, r.LastAttempt, r.Version = 1, s.ev.Clock, s.ev.Clock, 1
		m.to(r, s, continuity.InDoubt, continuity.ReasonLost, view.Event{Attempt: 1})
		return
	}
	m.to(r, s, continuity.Queued, continuity.ReasonNone, view.Event{})
}

func (m *model) apply(s stamp) {
	switch ev := s.ev; ev.Kind {
	case continuity.KindAccepted:
		m.accept(s, ev.Accepted)
	case continuity.KindAttempt:
		r := m.rows[ev.Attempt.Receipt]
		r.Attempts, r.LastAttempt = ev.Attempt.Number, ev.Clock
		if r.FirstAttempt == 0 {
			r.FirstAttempt = ev.Clock
		}
		m.to(r, s, continuity.Attempting, continuity.ReasonNone, view.Event{Attempt: ev.Attempt.Number})
	case continuity.KindOutcome:
		r := m.rows[ev.Outcome.Receipt]
		var behind *view.Row
		if i := slices.Index(m.keys[r.Key], r.Receipt); i+1 < len(m.keys[r.Key]) {
			behind = m.rows[m.keys[r.Key][i+1]]
		}
		note := view.Event{}
		if ev.Outcome.Response != nil {
			r.Status, note.Status = ev.Outcome.Response.Status, ev.Outcome.Response.Status
		}
		m.to(r, s, ev.Outcome.To, ev.Outcome.Reason, note)
		if ev.Outcome.Reason == continuity.ReasonExpired && behind != nil && behind.State == continuity.Queued {
			m.to(behind, s, continuity.Parked, continuity.ReasonBehindExpired, view.Event{})
		}
	case continuity.KindAct:
		m.act(s, m.rows[ev.Act.Receipt], ev.Act)
	case continuity.KindRestart:
		for _, r := range m.rows {
			if r.State == continuity.Attempting {
				m.to(r, s, continuity.InDoubt, continuity.ReasonRestart, view.Event{})
			}
		}
	case continuity.KindCarried:
		r := m.rows[ev.Carried.Record.Receipt]
		r.Position, r.Size = s.at, s.size
		m.moved[r.Receipt] = true
		m.tell(r, s, view.Event{})
	case continuity.KindHorizon:
		for receipt, r := range m.rows {
			if r.State.Ended() && r.State != continuity.Dead && r.Outcome < ev.Horizon {
				delete(m.rows, receipt)
				delete(m.events, receipt)
			}
		}
	}
}

func (m *model) act(s stamp, r *view.Row, a *continuity.Act) {
	note := view.Event{Verb: a.Verb, Person: a.Person, Why: a.Why}
	switch a.Verb {
	case continuity.VerbRetry:
		if r.State == continuity.Dead {
			r.AcceptedAt = s.ev.Clock
		}
		m.to(r, s, continuity.Queued, continuity.ReasonPerson, note)
	case continuity.VerbUnprocessed:
		*m.counter(r)-- // counters look at Doubted
		r.Doubted = false
		*m.counter(r)++
		m.to(r, s, continuity.Queued, continuity.ReasonPerson, note)
	case continuity.VerbPark:
		m.to(r, s, continuity.Parked, continuity.ReasonPerson, note)
	case continuity.VerbDelivered:
		m.to(r, s, continuity.Delivered, continuity.ReasonPerson, note)
	case continuity.VerbDiscard:
		m.to(r, s, continuity.Discarded, continuity.ReasonPerson, note)
	case continuity.VerbEdit:
		r.ReplacedBy = a.Replacement.Receipt
		m.accept(s, a.Replacement)
		m.to(r, s, continuity.Discarded, continuity.ReasonReplaced, note)
	}
}

// permits says what a person may do, as the ledger does.
func permits(v continuity.Verb, r *view.Row) bool {
	s := r.State
	switch v {
	case continuity.VerbRetry:
		return s == continuity.Parked || s == continuity.Dead || s == continuity.InDoubt
	case continuity.VerbDiscard:
		return s == continuity.Parked || s == continuity.Dead || s == continuity.Queued
	case continuity.VerbEdit:
		return !r.Doubted && (s == continuity.Parked || s == continuity.Dead || s == continuity.Queued)
	case continuity.VerbPark:
		return s == continuity.Queued
	default:
		return r.Doubted && (s == continuity.InDoubt || s == continuity.Parked)
	}
}
