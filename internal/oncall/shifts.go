package oncall

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Shifts are who is on call from an instant on and before another, in order. Where
// nobody is, there is no shift. The first and the last are cut to that time.
func (r *Rota) Shifts(overrides []continuity.Override, people Roster, from, to time.Time) (shifts []continuity.Shift) {
	if !from.Before(to) {
		return nil
	}
	turn := -1
	for _, at := range r.changes(overrides, people, from, to) {
		if n := len(shifts); n > 0 && shifts[n-1].End.IsZero() {
			shifts[n-1].End = at
		}
		if !at.Before(to) {
			break
		}
		on, ok := r.At(overrides, people, at)
		if !ok {
			continue
		}
		next := continuity.Shift{Rota: r.spec.ID, Person: on.Person, Start: at, Override: on.Override, Instead: on.Instead, Gone: on.Gone}
		if n := len(shifts); n > 0 && turn == on.Turn && shifts[n-1].End.Equal(at) && alike(shifts[n-1], next) {
			shifts[n-1].End = time.Time{} // it goes on
			continue
		}
		shifts, turn = append(shifts, next), on.Turn
	}
	return shifts
}

// alike reports whether two shifts say the same of different times.
func alike(a, b continuity.Shift) bool {
	return a.Person == b.Person && a.Override == b.Override && a.Instead == b.Instead && slices.Equal(a.Gone, b.Gone)
}

// changes are the instants at which who is on call may change, with from and to.
func (r *Rota) changes(overrides []continuity.Override, people Roster, from, to time.Time) []time.Time {
	all := []time.Time{from, to}
	add := func(t time.Time) {
		if t.After(from) && t.Before(to) {
			all = append(all, t)
		}
	}
	for turn := max(r.turnAt(from), -1) + 1; ; turn++ {
		at := r.begins(turn)
		if !at.Before(to) {
			break
		}
		add(at)
	}
	for _, w := range r.windows {
		for v := range w.From(from) {
			if !v.Start.Before(to) {
				break
			}
			add(v.Start)
			add(v.End)
		}
	}
	leaves := func(id string) {
		if p, ok := people(id); ok && !p.Left.IsZero() {
			add(p.Left)
		}
	}
	for _, id := range r.spec.People {
		leaves(id)
	}
	for i := range overrides {
		if o := &overrides[i]; o.Rota == r.spec.ID {
			add(o.From)
			add(o.Until)
			leaves(o.Person)
		}
	}
	for i := range all {
		all[i] = all[i].In(r.spec.Zone)
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// lookAhead is how far is looked for the end of a shift.
const lookAhead = 40 * day

// Current is the shift of an instant and the one that follows it; nil where there
// is none. A shift began at the instant at the latest; an end that lies more than
// 40 days ahead of it is not looked for.
func (r *Rota) Current(overrides []continuity.Override, people Roster, at time.Time) (now, next *continuity.Shift) {
	shifts := r.Shifts(overrides, people, at, at.Add(lookAhead))
	if len(shifts) > 0 && shifts[0].Start.Equal(at) {
		now, shifts = &shifts[0], shifts[1:]
	}
	if len(shifts) > 0 {
		next = &shifts[0]
	}
	return now, next
}
