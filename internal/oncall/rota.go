package oncall

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Spec is what a rota is made of.
type Spec struct {
	ID       string // SERVICE/ROTA
	Zone     *time.Location
	People   []string
	Days     int           // of one turn
	Starts   calendar.Date // the day of the first hand-over
	Handover time.Duration // after midnight, as clocks show it
	Hours    []Hours       // none: always
}

// Hours are a stretch of the week; one that ends no later than it begins ends on
// the day after.
type Hours struct {
	Days     []time.Weekday // on which it begins; none: every day
	From, To time.Duration  // after midnight, as clocks show it
}

// Rota is who is on call in turn. It is safe for concurrent use.
type Rota struct {
	spec    Spec
	first   time.Time // the local time of the first hand-over, written as UTC
	windows []calendar.Windows
}

// New makes a rota, or says what is wrong with it.
func New(s Spec) (*Rota, error) {
	if s.Zone == nil || len(s.People) == 0 || s.Days < 1 {
		return nil, fmt.Errorf("oncall: rota %s lacks a zone, people or a time", s.ID)
	}
	date := time.Date(s.Starts.Year, s.Starts.Month, s.Starts.Day, 0, 0, 0, 0, time.UTC)
	r := &Rota{spec: s, first: date.Add(s.Handover)}
	for _, h := range s.Hours {
		w, err := h.windows(s.Zone)
		if err != nil {
			return nil, err
		}
		r.windows = append(r.windows, w)
	}
	return r, nil
}

const day = 24 * time.Hour

// windows are the hours as a calendar has them.
func (h Hours) windows(zone *time.Location) (calendar.Windows, error) {
	schedule, err := calendar.New(calendar.Spec{
		Zone: zone, Daily: len(h.Days) == 0, Weekly: h.Days, At: []calendar.Clock{clockOf(h.From)},
		From: calendar.Date{Year: 1970, Month: 1, Day: 1},
	})
	return calendar.Windows{Schedule: schedule, Until: clockOf(h.To)}, err
}

func clockOf(d time.Duration) calendar.Clock {
	d %= day
	return calendar.Clock{Hour: int(d / time.Hour), Minute: int(d % time.Hour / time.Minute)}
}

// ID is SERVICE/ROTA.
func (r *Rota) ID() string { return r.spec.ID }

// People are those of the rota, in the order of their turns.
func (r *Rota) People() []string { return slices.Clone(r.spec.People) }

// Zone is the rota's time zone.
func (r *Rota) Zone() *time.Location { return r.spec.Zone }

// begins is when a turn begins; turns are numbered from 0.
func (r *Rota) begins(turn int) time.Time {
	return calendar.Resolve(r.first.AddDate(0, 0, turn*r.spec.Days), r.spec.Zone)
}

// turnAt is the turn that an instant is in, below 0 before the first.
func (r *Rota) turnAt(t time.Time) int {
	local := calendar.Wall(t, r.spec.Zone)
	turn := int(local.Sub(r.first) / (time.Duration(r.spec.Days) * day)) // or one beside it, where clocks have changed
	for r.begins(turn).After(t) {
		turn--
	}
	for !r.begins(turn + 1).After(t) {
		turn++
	}
	return turn
}

// covers reports whether the rota is there at an instant.
func (r *Rota) covers(t time.Time) bool {
	return len(r.windows) == 0 || slices.ContainsFunc(r.windows, func(w calendar.Windows) bool {
		_, in := w.At(t)
		return in
	})
}

// Roster says who a person is; ok is false where nobody of that id is known.
type Roster func(id string) (p continuity.Person, ok bool)

// there reports whether a person can be on call at a time.
func (people Roster) there(id string, at time.Time) bool {
	p, ok := people(id)
	return ok && !p.HasLeft(at)
}

// On is who is on call at an instant.
type On struct {
	Person   string
	Turn     int      // of the rota
	Override string   // by which it is them
	Instead  string   // whose turn it is, where it is another's
	Gone     []string // whose turn it was, and who have left or are not known
}

// At is who is on call at an instant; ok is false where nobody is: before the
// rota begins, outside its hours, or where all have left.
func (r *Rota) At(overrides []continuity.Override, people Roster, t time.Time) (on On, ok bool) {
	on.Turn = r.turnAt(t)
	if on.Turn >= 0 && r.covers(t) {
		on.Person, on.Gone = r.inTurn(on.Turn, people, t)
	}
	if o := r.holding(overrides, people, t); o != nil {
		if o.Person != on.Person {
			on.Instead = on.Person
		}
		on.Person, on.Override = o.Person, o.ID
	}
	return on, on.Person != ""
}

// inTurn is whose turn it is, or the next who is there.
func (r *Rota) inTurn(turn int, people Roster, t time.Time) (person string, gone []string) {
	for i := range r.spec.People {
		id := r.spec.People[(turn+i)%len(r.spec.People)]
		if people.there(id, t) {
			return id, gone
		}
		if !slices.Contains(gone, id) {
			gone = append(gone, id)
		}
	}
	return "", gone
}

// holding is the override that counts at an instant, or nil.
func (r *Rota) holding(overrides []continuity.Override, people Roster, t time.Time) (held *continuity.Override) {
	for i := range overrides {
		o := &overrides[i]
		if o.Rota == r.spec.ID && !t.Before(o.From) && t.Before(o.Until) && people.there(o.Person, t) && (held == nil || later(o, held)) {
			held = o
		}
	}
	return held
}

// later reports whether an override was said after another.
func later(a, b *continuity.Override) bool {
	if !a.Said.Equal(b.Said) {
		return a.Said.After(b.Said)
	}
	return a.ID > b.ID
}

// Covered are the overrides that lie over one of their rota in part or in whole:
// said later, at the same time.
func Covered(overrides []continuity.Override, o *continuity.Override) (ids []string) {
	for i := range overrides {
		other := &overrides[i]
		if other.ID != o.ID && other.Rota == o.Rota && other.From.Before(o.Until) && o.From.Before(other.Until) && later(other, o) {
			ids = append(ids, other.ID)
		}
	}
	return ids
}
