package maintenance

import (
	"cmp"
	"strconv"
	"time"

	"holdfast/internal/continuity"
)

// window is a window that is being decided on, by the engine or by an act.
type window struct {
	continuity.Window // as it is to become

	version int64
	rules   *Rules    // nil: no plan of the service can be read
	facts   facts     // what else is known
	now     time.Time // real
	shown   time.Time // by which its schedules go

	measured Measured // nil: no figures are known

	action string              // of the event by which it changes; empty: it stays
	reason string              // of that event
	more   []continuity.Change // what becomes true with it
	next   time.Time           // when its schedules are looked at again, as shown
	real   time.Time           // and when the world is
}

// mark has the window change. The first action is the event's.
func (w *window) mark(action string) { w.action = cmp.Or(w.action, action) }

// become has the window change by an action that says more than others do.
func (w *window) become(action string) { w.action = action }

// wake has it looked at again at a time of its schedules.
func (w *window) wake(shown time.Time) {
	if !shown.IsZero() && (w.next.IsZero() || shown.Before(w.next)) {
		w.next = shown
	}
}

// also has something become true with the window's change.
func (w *window) also(changes ...continuity.Change) { w.more = append(w.more, changes...) }

// tell has somebody told in the same transaction; the notification gets the next
// number below the window.
func (w *window) tell(n continuity.Notification) {
	w.Number++
	n.ID = w.ID + ".n-" + strconv.Itoa(w.Number)
	n.Service, n.About, n.At = w.Service, continuity.KindWindow+"/"+w.ID, w.now
	n.Exercise = w.Exercise
	if w.Exercise != "" {
		n.Shown = w.shown
	}
	w.also(continuity.Tell(n))
	w.mark("window.told")
}

// changes are what becomes true, the window first; none: nothing does.
func (w *window) changes() []continuity.Change {
	if w == nil || w.action == "" {
		return nil
	}
	if w.Exercise != "" {
		w.Shown = w.shown
	}
	return append([]continuity.Change{continuity.Set(continuity.KindWindow, w.ID, w.Service, w.version, w.action, w.reason, w.Window)}, w.more...)
}

// over reports whether nothing more is done about a window.
func over(w *continuity.Window) bool {
	switch w.State {
	case continuity.WindowDone, continuity.WindowCancelled, continuity.WindowFailed:
		return true
	}
	return false
}
