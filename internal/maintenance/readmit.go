package maintenance

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
)

// waitsFor is how many times as long as a batch lasts at least its conditions are
// waited for before somebody is asked.
const waitsFor = 3

// varBatch marks the notification that asks somebody whether it works for their batch.
const varBatch = "batch"

// letIn lets a batch in: by the waiting line of a route, and by messages to its
// people. Before the first one the settings of the window end; a route with a line is
// let go only when its line stands.
func (w *window) letIn(n int) {
	w.Batch, w.Course.Readmit = n, w.shown
	w.become("window.readmitted")
	for i := range w.rules.Course.Readmit.Lines {
		w.line(&w.rules.Course.Readmit.Lines[i], n)
	}
	if n == 1 {
		w.take(continuity.DuringMode)
	}
	if n > len(w.rules.Course.Readmit.Groups) {
		return
	}
	g := &w.rules.Course.Readmit.Groups[n-1]
	args := map[string]any{"batch": n, "batches": len(w.rules.Batches), "last": w.lastBatch()}
	for _, team := range g.Teams {
		w.write("course.readmitted.", continuity.UrgencyNotice, args, continuity.Recipient{Kind: continuity.ToTeam, ID: team})
	}
	for _, lead := range g.Leads {
		w.write("course.check-in.", continuity.UrgencyPage, args, continuity.Recipient{Kind: continuity.ToPerson, ID: lead})
	}
}

// lastBatch reports whether all are in: what is waited for then is the end.
func (w *window) lastBatch() bool { return w.Batch >= len(w.rules.Batches) }

// line lets a route's line open as far as a batch; the last batch is everybody.
func (w *window) line(p *Put, n int) {
	d := continuity.During{What: continuity.DuringLine, Relay: p.Relay, Route: p.Route, Why: w.why()}
	version, stands := w.facts.get(continuity.KindDuring, w.duringID(d.What, d.Route), &d)
	if !stands {
		version = continuity.VersionNew
	}
	if d.State == continuity.DuringTaken || d.State == continuity.DuringEnded {
		return // a person took it away, and was asked about it
	}
	d.Open, d.Of, d.State, d.Failure = n, len(w.rules.Batches), "", ""
	w.during(&d, version)
}

// readmitting is the phase in which people come back. The next batch is let in when
// the last one has been in for a while, enough people say that it works, nobody says
// that it doesn't, and the errors are few.
func (w *window) readmitting() {
	w.watchPut()
	w.follow()
	w.heardBack()
	if w.action != "" {
		return
	}
	due := w.Course.Readmit.Add(w.rules.Course.Readmit.Wait)
	if w.shown.Before(due) {
		w.wake(due)
		return
	}
	lacks := w.holdsBack()
	switch {
	case len(lacks) > 0:
		late := w.Course.Readmit.Add(waitsFor * w.rules.Course.Readmit.Wait)
		if w.shown.Before(late) {
			w.wake(late)
		} else if w.once("batch/" + strconv.Itoa(w.Batch)) {
			w.ask(w.rules.Course.Commander, "course.batch-waits.", continuity.UrgencyPage, map[string]any{"batch": w.Batch, "batches": len(w.rules.Batches), "items": lacks, "last": w.lastBatch()})
		}
	case w.Batch < len(w.rules.Batches):
		w.letIn(w.Batch + 1)
	default:
		w.release()
	}
}

// holdsBack is what keeps the next batch out, as messages of the catalogue.
func (w *window) holdsBack() (lacks []string) {
	works := 0
	for _, c := range w.checkIns() {
		if !c.Works {
			lacks = append(lacks, "course.lacks.trouble")
		} else if c.Batch == w.Batch {
			works++
		}
	}
	r := &w.rules.Course.Readmit
	if works < r.CheckIns {
		lacks = append(lacks, "course.lacks.check-ins")
	}
	if r.Errors != "" {
		figure, known := 0.0, false
		if w.measured != nil {
			figure, known = w.measured.Figure(w.Service, r.Errors)
		}
		switch {
		case !known || math.IsNaN(figure):
			lacks = append(lacks, "course.lacks.unknown")
		case figure > r.Most:
			lacks = append(lacks, "course.lacks.errors")
		}
	}
	all, _ := w.standing()
	if slices.ContainsFunc(all, func(d continuity.During) bool {
		return d.What == continuity.DuringLine && (d.State == continuity.DuringWanted || d.State == continuity.DuringFailed)
	}) {
		lacks = append(lacks, "course.lacks.line")
	}
	return slices.Compact(lacks)
}

// checkIns are the last words of all who said whether it works for them.
func (w *window) checkIns() (all []continuity.CheckIn) {
	for _, id := range w.facts.ids(continuity.KindCheckIn) {
		var c continuity.CheckIn
		if _, ok := w.facts.get(continuity.KindCheckIn, id, &c); ok && c.Window == w.ID {
			all = append(all, c)
		}
	}
	return all
}

// heardBack takes over what people acknowledged that were asked, and tells those who
// do the work of whom it does not work for.
func (w *window) heardBack() {
	for _, id := range w.facts.ids(continuity.KindNotification) {
		var n continuity.Notification
		if !strings.HasPrefix(id, w.ID+".") {
			continue
		}
		_, ok := w.facts.get(continuity.KindNotification, id, &n)
		batch, err := strconv.Atoi(n.Vars[varBatch])
		if !ok || err != nil || n.AckBy == nil || len(n.To) != 1 {
			continue
		}
		person := n.To[0].ID
		if _, said := w.facts.objects[continuity.KindCheckIn][checkInID(w.ID, person)]; !said && w.once("check-in/"+n.ID) {
			w.checkIn(&continuity.CheckIn{Person: person, Batch: batch, Works: true, By: *n.AckBy}, continuity.VersionNew)
		}
	}
	for _, c := range w.checkIns() { // each once: who says it again keeps the next batch out all the same
		if !c.Works && w.once("trouble/"+c.Person) {
			w.ask(w.rules.Course.Technical, "course.trouble.", continuity.UrgencyPage, map[string]any{"who": c.Person, "text": c.Text, "last": w.lastBatch()})
		}
	}
}

// batchOf is the batch with which somebody comes back; 0: none. Who is in no group comes
// with the first batch that has none.
func (w *window) batchOf(person string) int {
	groups := w.rules.Course.Readmit.Groups
	for i := range groups {
		if slices.Contains(groups[i].People, person) || slices.Contains(groups[i].Leads, person) {
			return i + 1
		}
	}
	if len(groups) >= len(w.rules.Batches) {
		return 0
	}
	return max(w.Batch, len(groups)+1)
}

func checkInID(window, person string) string { return window + ".check-in-" + person }

// checkIn notes what somebody says of whether it works.
func (w *window) checkIn(c *continuity.CheckIn, version int64) {
	c.ID, c.Window, c.Service, c.At, c.Shown = checkInID(w.ID, c.Person), w.ID, w.Service, w.now, w.facts.clocks.Shown(w.Exercise, w.now)
	action := "check-in.works"
	if !c.Works {
		action = "check-in.trouble"
	}
	w.also(continuity.Set(continuity.KindCheckIn, c.ID, w.Service, version, action, "", c))
	w.mark("window.check-in")
}
