package maintenance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// OriginWindow is the kind of what incidents of windows came of.
const OriginWindow = "window"

// running is the phase in which the work goes on.
func (w *window) running() {
	w.silence()
	w.watchPut()
	if w.watchRun() || w.theirWord() || w.agreed() {
		return
	}
	if !w.shown.Before(w.End) {
		w.overran()
		return
	}
	w.wake(w.End)
}

// overran has the contingency plan begin: the end that was announced is past, and the
// work is not done.
func (w *window) overran() {
	w.State = continuity.WindowOverrun
	w.become("window.overran")
	w.say(StepOverrun, PhaseOverrun)
	w.declare("course.declared.overrun", continuity.Text{})
	w.ask(w.rules.Course.Commander, "course.overran.", continuity.UrgencyPage, map[string]any{"processes": w.coreFirst()})
}

// late is the phase in which the work takes longer than announced.
func (w *window) late() {
	w.silence()
	w.watchPut()
	w.follow()
	if w.watchRun() || w.theirWord() || w.agreed() {
		return
	}
	switch again := w.Course.Expected; {
	case again.IsZero():
	case w.shown.Before(again):
		w.wake(again)
	case w.once(fmt.Sprintf("late/%d", w.Course.Extended)):
		w.ask(w.rules.Course.Commander, "course.late-again.", continuity.UrgencyPage, map[string]any{"expected": w.clock(again)})
	}
}

// declarationID is what has the window's incident declared: one window is one
// incident, however it goes wrong.
func (w *window) declarationID() string { return w.Service + ".declared." + OriginWindow + "." + w.ID }

// declare has an incident declared, by the scenario that the plan has for it. What it
// hits stands in the order in which it is looked after. An empty title is the scenario's.
func (w *window) declare(why string, title continuity.Text) {
	if _, there := w.facts.objects[continuity.KindDeclaration][w.declarationID()]; there || w.Incident != "" {
		return
	}
	d := continuity.Declaration{
		ID: w.declarationID(), Service: w.Service, Scenario: w.rules.Overrun, Origin: continuity.Origin{Kind: OriginWindow, ID: w.ID},
		Started: w.now, Exercise: w.Exercise, Shown: w.facts.clocks.Shown(w.Exercise, w.now), Why: why, Title: title,
	}
	if w.State == continuity.WindowOverrun { // since the end that was announced, whenever that was seen
		if d.Began = w.End; w.Exercise == "" {
			d.Started, d.Began = w.End, time.Time{}
		}
	}
	for i := range w.rules.Course.Processes {
		if p := w.rules.Course.Processes[i].ID; w.hits(p) {
			d.Hits = append(d.Hits, p)
		}
	}
	w.also(continuity.Declare(d))
}

// hits says whether the window's work touches a process: by its own name, by something
// that it needs, or by a flow of its own. A window that names nothing is about all.
func (w *window) hits(process string) bool {
	parts := w.rules.Course.Parts
	return len(w.Affected) == 0 || slices.ContainsFunc(w.Affected, func(part string) bool {
		return part == process || slices.Contains(parts[process], part) || slices.Contains(parts[part], process)
	})
}

// follow learns which incident the window became.
func (w *window) follow() {
	var d continuity.Declaration
	if _, ok := w.facts.get(continuity.KindDeclaration, w.declarationID(), &d); ok && d.Incident != "" && w.Incident == "" {
		w.Incident = d.Incident
		w.mark("window.declared")
	}
}

// coreFirst says in which order the business is looked after, and how each goes on
// meanwhile.
func (w *window) coreFirst() continuity.Text {
	lines := func(lang catalogue.Lang) string {
		var b strings.Builder
		for i := range w.rules.Course.Processes {
			p := &w.rules.Course.Processes[i]
			b.WriteString(catalogue.Text(lang, "course.process", catalogue.Args{
				"n": i + 1, "name": in(first(p.Name, plainText(p.ID)), lang), "mtd": catalogue.Lasts(lang, p.MTD), "how": in(p.How, lang),
			}))
			b.WriteByte('\n')
		}
		return strings.TrimRight(b.String(), "\n")
	}
	return continuity.Text{En: lines(catalogue.En), Zh: lines(catalogue.Zh)}
}

// extend puts off the end; those who were told of the window are told so.
func (w *window) extend(end time.Time, reason continuity.Text) {
	w.Course.Extended++
	w.Sequence++ // calendars show another end
	if w.State == continuity.WindowOverrun {
		w.Course.Expected = end
	} else {
		w.End = end
	}
	if reason != (continuity.Text{}) {
		w.Reason = reason
	}
	w.become("window.extended")
	w.silence()
	w.sayAgain(fmt.Sprintf("extended-%d", w.Course.Extended), PhaseOverrun, false)
}

// theirWord has a window that a provider announced go by what they say of its end
// meanwhile, once a person confirmed it.
func (w *window) theirWord() bool {
	var n notice
	if w.Origin.Kind != OriginNotice {
		return false
	}
	if _, ok := w.facts.get(kindNotice, w.Origin.ID, &n); !ok || n.State != "confirmed" || n.Agreed == nil || n.Agreed.At.Equal(w.Noticed) {
		return false
	}
	w.Noticed = n.Agreed.At
	w.mark("window.noticed")
	if end := n.Agreed.End.UTC(); end.After(w.until()) && end.After(w.shown) {
		w.extend(end, continuity.Text{})
	}
	return true
}

// fail ends a window whose work went wrong: from now on it is an incident. What
// stands with relays goes on standing until a person says otherwise, so that nobody
// is let in to what does not work; warnings are told again. Those who were told of the
// window hear that its end does not hold any more.
func (w *window) fail(why string) {
	w.State, w.Ended, w.Course.Failed, w.Course.Over = continuity.WindowFailed, w.now, why, w.shown
	w.Review = w.shown.Add(w.rules.Course.Review)
	w.become("window.failed")
	w.reason = why
	w.unsilence()
	w.sayAgain(StepFailed, PhaseFailed, false)
	w.declare("course.declared.failed", both("course.failed.title", func(catalogue.Lang) catalogue.Args { return nil }))
	w.ask(w.rules.Course.Commander, "course.failed.", continuity.UrgencyPage, map[string]any{"why": w.failure(), "processes": w.coreFirst()})
}

// failure is why the window failed, in words.
func (w *window) failure() any {
	if strings.HasPrefix(w.Course.Failed, "course.failed.") {
		return []string{w.Course.Failed}
	}
	return w.Course.Failed
}
