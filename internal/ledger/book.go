package ledger

import (
	"math"

	"holdfast/internal/continuity"
)

// book counts, n times, that a record ended, in records and in money.
func (s *State) book(t *slot, to continuity.State, n int64) {
	totals := &s.routes[t.route].totals
	sums, units := s.money(t)
	if sums == nil {
		sums = &Sums{}
	}
	units *= n
	switch {
	case to == continuity.Delivered && t.is(flagDoubted):
		totals.DeliveredAfterDoubt += n
		sums.DeliveredAfterDoubt += units
	case to == continuity.Delivered:
		totals.DeliveredAtOnce += n
		sums.DeliveredAtOnce += units
	case to == continuity.Refused:
		totals.Refused += n
		sums.Refused += units
	case to == continuity.Dead:
		totals.Dead += n
		sums.Dead += units
	case to == continuity.Discarded:
		totals.Discarded += n
		sums.Discarded += units
	}
}

// mostFailing records are known as failing. Should there be more, the upstream
// is at fault and not they: the count begins anew.
const mostFailing = 50_000

// fail counts what failed for a reason of the record's own, until it ends or
// parks: whoever sends it again then grants new attempts.
func (s *State) fail(ref uint32, o *continuity.Outcome) {
	switch {
	case o.To == continuity.Parked:
		delete(s.failures, ref)
	case o.Counts:
		n, known := s.failures[ref]
		if !known && len(s.failures) == mostFailing {
			clear(s.failures)
		}
		if n < math.MaxUint16 {
			s.failures[ref] = n + 1
		}
	}
}

// told marks a record that ended undelivered: its customer knows. Twice is as
// good as once, and what was forgotten meanwhile needs no mark.
func (s *State) told(a *continuity.Act) {
	e := s.repeats.find(a.Receipt)
	if e == nil || e.told() || !tellable(s, e) {
		return
	}
	marked := *e
	marked.accepted |= toldMark
	s.repeats.put(marked)
	_, route := s.route(a.Route)
	route.totals.Told++
}

// tellable: it ended, and not by delivery.
func tellable(s *State, e *remembered) bool {
	state := e.state()
	if ref, ok := e.slot(); ok {
		state = s.slots.at(ref).state()
	}
	return state == continuity.Refused || state == continuity.Dead || state == continuity.Discarded
}
