package maintenance

import (
	"time"

	"holdfast/internal/continuity"
)

// Steps of the ladder that follow from the window's course; those before it are
// named by how long before.
const (
	StepStart   = "start"
	StepOverrun = "overrun"
	StepEnd     = "end"
)

// announced is the phase of a window that is scheduled: it is announced step by
// step, and begins when it is time.
func (w *window) announced() {
	if w.shown.Before(w.Start) {
		w.wake(w.Start)
		return
	}
	w.begin()
}

// begin has the work begin.
func (w *window) begin() {
	w.State, w.Began = continuity.WindowRunning, w.now
	w.mark("window.began")
	w.say(StepStart, "start")
}

// say tells every audience of the plan a step, in the words of a phase of the
// plan's templates; who was told that step is not told again.
func (w *window) say(step, phase string) {
	for i := range w.rules.Tell {
		w.sayTo(&w.rules.Tell[i], step, phase)
	}
}

// sayTo tells one audience a step, once.
func (w *window) sayTo(a *Audience, step, phase string) {
	key := step + "/" + a.ID
	if _, told := w.Told[key]; told {
		return
	}
	w.told(key)
	w.tell(continuity.Notification{
		Urgency:  continuity.UrgencyNotice,
		To:       []continuity.Recipient{{Kind: continuity.ToAudience, ID: a.ID}},
		Template: a.Kind + "/" + phase,
		Vars:     w.vars(a),
	})
}

// told notes in the ledger that a step was told.
func (w *window) told(key string) {
	if w.Told == nil {
		w.Told = map[string]time.Time{}
	}
	w.Told[key] = w.shown
}
