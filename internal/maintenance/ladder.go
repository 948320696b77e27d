package maintenance

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Steps of the ladder that follow from the window's course; those before it are
// named by how long before: 5d, 1h.
const (
	StepStart     = "start"
	StepOverrun   = "overrun"
	StepEnd       = "end"
	StepCancelled = "cancelled"
	StepFailed    = "failed"
)

// Phases of the plan's templates.
const (
	PhaseNotice    = "notice"
	PhaseStart     = "start"
	PhaseChanged   = "changed"
	PhaseOverrun   = "overrun"
	PhaseEnd       = "end"
	PhaseCancelled = "cancelled"
	PhaseFailed    = "failed" // plans have no words of their own for it
)

// instead are the phases whose words take the place of all that was said before, as that
// holds no more. What is cancelled ends it, which goes further.
var instead = []string{PhaseChanged, PhaseOverrun, PhaseEnd, PhaseFailed}

// Rung is a step of the ladder before a window begins.
type Rung struct {
	Step  string    `json:"step"`
	Due   time.Time `json:"due"`
	Moved bool      `json:"moved,omitempty"` // to the working day before
}

const day = 24 * time.Hour

// stepOf names a step by how long before it is: 5d, 1h, 90m.
func stepOf(d time.Duration) string {
	switch {
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	}
	return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
}

// Ladder is when the notices of a window are due, the first first. Days are those of
// the calendar, whatever clocks do meanwhile. A step of days that falls on a day off
// is due on the working day before, at the same time of day or, where that is not in
// the hours of the business, when these begin. A step of hours stays where it is: it
// is for those who are about to be hit.
func (r *Rules) Ladder(kind string, start time.Time) []Rung {
	ahead := r.Notices
	if kind == continuity.WindowEmergency {
		ahead = r.Emergency
	}
	rungs := make([]Rung, 0, len(ahead))
	for _, d := range ahead {
		if d <= 0 {
			continue
		}
		rung := Rung{Step: stepOf(d), Due: start.Add(-d)}
		if d%day == 0 {
			wall := calendar.Wall(start, r.Zone).AddDate(0, 0, -int(d/day))
			rung.Due, rung.Moved = r.workingDay(wall)
		}
		rung.Due = rung.Due.UTC()
		rungs = append(rungs, rung)
	}
	slices.SortStableFunc(rungs, func(a, b Rung) int { return a.Due.Compare(b.Due) })
	return rungs
}

// mostOff bounds how many days off in a row are passed over.
const mostOff = 60

// workingDay is a local time, or where that is on a day off, one on the working day
// before.
func (r *Rules) workingDay(wall time.Time) (at time.Time, moved bool) {
	date := calendar.DateOf(wall)
	for range mostOff {
		if r.Days.Day(date).Working() {
			break
		}
		date, moved = date.Plus(-1), true
	}
	clock := calendar.Clock{Hour: wall.Hour(), Minute: wall.Minute()}
	if moved {
		clock = r.inHours(clock)
	}
	return calendar.Resolve(time.Date(date.Year, date.Month, date.Day, clock.Hour, clock.Minute, 0, 0, time.UTC), r.Zone), moved
}

// inHours is a time of day, or where that is not in the hours of the business, when
// these begin.
func (r *Rules) inHours(c calendar.Clock) calendar.Clock {
	minutes := func(c calendar.Clock) int { return c.Hour*60 + c.Minute }
	if len(r.Hours) == 0 {
		return calendar.Clock{Hour: 9}
	}
	for _, h := range r.Hours {
		from, to, at := minutes(h.From), minutes(h.To), minutes(c)
		if to <= from {
			to += 24 * 60
		}
		if at >= from && at < to || at+24*60 >= from && at+24*60 < to {
			return c
		}
	}
	return r.Hours[0].From
}

// announced is the phase of a window that is scheduled: it is announced step by
// step, and begins when it is time and all is ready.
func (w *window) announced() {
	w.checkReady()
	if w.over() {
		return
	}
	if !w.shown.Before(w.Start) {
		w.beginWhenReady()
		return
	}
	w.wake(w.Start)
	if w.complete() {
		rungs := w.rules.Ladder(w.Kind, w.Start)
		for _, id := range w.rules.Tell {
			w.climb(id, rungs)
		}
	}
	if early := w.Start.Add(-unreadyAhead); !w.ready() && w.shown.Before(early) {
		w.wake(early)
	} else if !w.ready() {
		w.warnUnready("unready-1h", "maintenance.unready.", continuity.UrgencyNotice)
	}
}

// complete reports whether the messages of a window say all that they must. A plan
// that was changed since may lack something: those in charge are told, and nobody
// else is before it is mended.
func (w *window) complete() bool {
	lacks := w.lacks()
	if !slices.Equal(lacks, w.Lacks) {
		w.Lacks = lacks
		w.mark("window.lacks")
		if len(lacks) > 0 {
			w.owner("maintenance.lacking.", continuity.UrgencyPage, catalogue.Args{"items": lackWords(lacks)})
		}
	}
	return len(lacks) == 0
}

// lackWords are the names of what is missing, as messages of the catalogue.
func lackWords(lacks []string) []string {
	all := make([]string, len(lacks))
	for i, id := range lacks {
		all[i] = "maintenance.lacks." + id
	}
	return all
}

// proposed is the phase of a window that nobody has planned yet.
func (w *window) proposed() {
	if !w.shown.Before(w.End) {
		w.cancel("maintenance.cancelled.lapsed", continuity.Text{})
		return
	}
	w.wake(w.End)
	if lacks := w.lacks(); !slices.Equal(lacks, w.Lacks) {
		w.Lacks = lacks
		w.mark("window.lacks")
	}
}

// climb tells an audience the steps that are due. Those whose time has passed, since
// the window was planned late or nobody was there to tell them, are one message.
func (w *window) climb(audience string, rungs []Rung) {
	var due []string
	for _, rung := range rungs {
		if _, told := w.Told[rung.Step+"/"+audience]; told {
			continue
		}
		if rung.Due.After(w.shown) {
			w.wake(rung.Due)
			continue
		}
		due = append(due, rung.Step)
	}
	if len(due) == 0 {
		return
	}
	for _, step := range due {
		w.told(step + "/" + audience)
	}
	w.sayTo(audience, PhaseNotice, continuity.Recipient{Kind: continuity.ToAudience, ID: audience}, false)
}

// say tells every audience of the plan a step, in the words of a phase of the
// plan's templates; who was told that step is not told again.
func (w *window) say(step, phase string) {
	for _, id := range w.rules.Tell {
		key := step + "/" + id
		if _, told := w.Told[key]; told {
			continue
		}
		words := phase
		if step == StepStart && !slices.Contains(w.heard(), id) {
			words = PhaseNotice // the first that they hear of it: all that they have to know
		}
		w.told(key)
		w.sayTo(id, words, continuity.Recipient{Kind: continuity.ToAudience, ID: id}, false)
	}
}

// sayAgain tells a step to those who were told of the window, and to nobody else.
func (w *window) sayAgain(step, phase string, ends bool) {
	for _, id := range w.heard() {
		key := step + "/" + id
		if _, told := w.Told[key]; told {
			continue
		}
		w.told(key)
		w.sayTo(id, phase, continuity.Recipient{Kind: continuity.ToTold, Of: id}, ends)
	}
}

// sayTo tells an audience, or those of it who are meant.
func (w *window) sayTo(audience, phase string, to continuity.Recipient, ends bool) {
	n := continuity.Notification{Urgency: continuity.UrgencyNotice, To: []continuity.Recipient{to}, Ends: ends, Instead: slices.Contains(instead, phase), Touches: w.Affected}
	a, known := w.rules.Audiences[audience]
	if !known {
		a = Audience{ID: audience}
	}
	n.Vars = w.vars(&a)
	if _, ours := a.Words[phase]; ours {
		n.Template = a.Kind + "/" + phase
	} else {
		n.Subject, n.Text = w.words(&a, phase, "subject"), w.words(&a, phase, "text")
	}
	w.tell(n)
}

// told notes in the ledger that a step was told.
func (w *window) told(key string) {
	if w.Told == nil {
		w.Told = map[string]time.Time{}
	}
	w.Told[key] = w.shown
	w.Tellings = append(w.Tellings, key)
	w.mark("window.told")
}

// heard are the audiences that were told of the window, in order.
func (w *window) heard() (all []string) {
	for key := range w.Told {
		if _, audience, ok := strings.Cut(key, "/"); ok && !slices.Contains(all, audience) {
			all = append(all, audience)
		}
	}
	slices.Sort(all)
	return all
}
