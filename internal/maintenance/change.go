package maintenance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Kinds of what a window came of.
const (
	OriginNotice = "notice"
	OriginSeries = "series"
	OriginPerson = "person"
)

func (w *window) over() bool { return over(&w.Window) }

// begun reports whether the work has begun.
func (w *window) begun() bool {
	return w.State != continuity.WindowProposed && w.State != continuity.WindowScheduled
}

// schedule has a window announced and begun. Work at short notice begins at once
// unless it is for later.
func (w *window) schedule(by *continuity.Actor) {
	if w.Kind == continuity.WindowEmergency && w.Start.Before(w.shown) {
		length := w.End.Sub(w.Start)
		w.Start = w.shown
		w.End = w.Start.Add(length)
		w.Sequence++ // calendars show another time
	}
	w.State, w.Scheduled, w.Approved, w.Plan, w.Lacks = continuity.WindowScheduled, w.shown, by, w.rules.Plan, nil
	w.mark("window.scheduled")
	w.checkReady()
}

// changed notes that a window is not what it was. Those who were told of it are told
// again, if they have to know; its notices begin anew where its time is another.
func (w *window) changed(before *continuity.Window) {
	w.Sequence++
	w.mark("window.changed")
	if w.State != continuity.WindowScheduled {
		return
	}
	heard := w.heard()
	moved := !before.Start.Equal(w.Start) || !before.End.Equal(w.End)
	if moved {
		w.again(before)
	}
	if len(heard) == 0 {
		return
	}
	step := fmt.Sprintf("changed-%d", w.Sequence)
	w.sayAgain(step, PhaseChanged, true)                   // what still waits to be sent would say what was before
	for _, rung := range w.rules.Ladder(w.Kind, w.Start) { // the change said it
		for _, id := range heard {
			if key := rung.Step + "/" + id; !rung.Due.After(w.shown) && w.Told[key].IsZero() {
				w.told(key)
			}
		}
	}
}

// again has the notices begin anew for another time: what was told of the time
// before stays in the ledger under that time's number.
func (w *window) again(before *continuity.Window) {
	name := func(key string) string {
		if strings.Contains(key, ":") {
			return key
		}
		return fmt.Sprintf("%d:%s", before.Sequence, key)
	}
	kept := map[string]time.Time{}
	for key, at := range w.Told {
		kept[name(key)] = at
	}
	order := make([]string, len(w.Tellings))
	for i, key := range w.Tellings {
		order[i] = name(key)
	}
	w.Told, w.Tellings = kept, order
}

// cancel has a window not take place; those who were told of it are told so.
func (w *window) cancel(code string, reason continuity.Text) {
	if reason != (continuity.Text{}) {
		w.Reason = reason
	}
	w.State, w.Cancelled, w.Ended = continuity.WindowCancelled, code, w.now
	w.Sequence++
	w.become("window.cancelled")
	w.sayAgain(StepCancelled, PhaseCancelled, true)
}

// exercised has a window of an exercise that has ended be over, too: nobody is told, as
// those who took part know. Its clock stands, so that nothing else would end what was put
// for one that had begun.
func (w *window) exercised() bool {
	if !w.facts.clocks.Over(w.Exercise) {
		return false
	}
	switch {
	case w.State == continuity.WindowFailed && w.Course.Restored.IsZero():
		w.become("window.restoring")
	case w.over():
		return false
	default:
		w.State, w.Cancelled, w.Ended = continuity.WindowCancelled, "maintenance.cancelled.exercise", w.now
		w.Course.Forwarded = w.now // nobody has anything to send to the vendor
		w.become("window.cancelled")
	}
	if !w.Began.IsZero() {
		w.restore()
	}
	return true
}

// span is the window's time.
func (w *window) span() calendar.Window { return calendar.Window{Start: w.Start, End: w.End} }

// numbered is the id of the next window of a service in a year, of which some ids are
// taken.
func numbered(service string, year int, taken func(id string) bool) string {
	for n := 1; ; n++ {
		if id := fmt.Sprintf("%s-w-%d-%d", service, year, n); !taken(id) {
			return id
		}
	}
}

// same reports whether two windows say the same to people.
func same(a, b *continuity.Window) bool {
	return a.Start.Equal(b.Start) && a.End.Equal(b.End) && slices.Equal(a.Affected, b.Affected) && a.Title == b.Title && a.Reason == b.Reason &&
		a.Hits == b.Hits && a.Meanwhile == b.Meanwhile && a.Contact == b.Contact && a.Standby == b.Standby
}
