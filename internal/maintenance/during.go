package maintenance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// openEnded is how long a silence lasts at least where the clock by which a window
// goes does not say when it ends.
const openEnded = 24 * time.Hour

// put has stand what is to stand while the work goes on, in the transaction in which
// it begins: settings of relays are wanted, what is named is silenced, the runbook
// is begun.
func (w *window) put() {
	modes := map[string]*Put{}
	var order []string
	for i := range w.rules.Course.Modes {
		p := &w.rules.Course.Modes[i]
		if !p.hits(w.Affected) {
			continue
		}
		key := p.Relay + "/" + p.Route
		stronger, _ := continuity.ParseIntake(p.Mode)
		if was := modes[key]; was == nil {
			order = append(order, key)
			modes[key] = p
		} else if weaker, _ := continuity.ParseIntake(was.Mode); stronger.Over(weaker) {
			modes[key] = p
		}
	}
	for _, key := range order {
		p := modes[key]
		w.during(&continuity.During{What: continuity.DuringMode, Relay: p.Relay, Route: p.Route, Mode: p.Mode, Why: w.why()}, continuity.VersionNew)
	}
	uploads := map[string]*continuity.During{}
	for i := range w.rules.Course.Uploads {
		p := &w.rules.Course.Uploads[i]
		d := uploads[p.Route]
		if d == nil {
			d = &continuity.During{What: continuity.DuringUploads, Relay: p.Relay, Route: p.Route, Why: w.why()}
			if d.Say = p.Say; d.Say == (continuity.Text{}) {
				d.Say = both("course.uploads-paused", func(catalogue.Lang) catalogue.Args { return nil })
			}
			uploads[p.Route] = d
		}
		d.Paths = append(d.Paths, p.Paths...)
	}
	for _, route := range sortedKeys(uploads) {
		w.during(uploads[route], continuity.VersionNew)
	}
	w.silence()
	w.run()
}

// why is what a relay is told.
func (w *window) why() string { return "maintenance window " + w.ID }

// duringID is the id of what is put with a route.
func (w *window) duringID(what, route string) string { return w.ID + "." + what + "-" + route }

// during writes what is to stand with a relay.
func (w *window) during(d *continuity.During, version int64) {
	action := "during." + d.State
	if d.State == "" {
		d.State, action = continuity.DuringWanted, "during.wanted"
	}
	d.ID, d.Window, d.Service, d.Since, d.Exercise = w.duringID(d.What, d.Route), w.ID, w.Service, w.now, w.Exercise
	if w.Exercise != "" {
		d.Shown = w.shown
	}
	w.also(continuity.Set(continuity.KindDuring, d.ID, w.Service, version, action, "", d))
}

// standing is what was put for the window, in order.
func (w *window) standing() (all []continuity.During, versions []int64) {
	for _, id := range w.facts.ids(continuity.KindDuring) {
		if !strings.HasPrefix(id, w.ID+".") {
			continue
		}
		var d continuity.During
		if version, ok := w.facts.get(continuity.KindDuring, id, &d); ok {
			all, versions = append(all, d), append(versions, version)
		}
	}
	return all, versions
}

// take has taken away what was put; kinds: only these.
func (w *window) take(kinds ...string) {
	all, versions := w.standing()
	for i := range all {
		d := &all[i]
		if len(kinds) > 0 && !slices.Contains(kinds, d.What) {
			continue
		}
		switch d.State {
		case continuity.DuringEnding, continuity.DuringEnded:
			continue
		}
		d.State = continuity.DuringEnding
		w.during(d, versions[i])
		w.mark("window.restoring")
	}
}

// taken reports whether nothing that was put stands any more.
func (w *window) taken() bool {
	all, _ := w.standing()
	return !slices.ContainsFunc(all, func(d continuity.During) bool { return !d.Over() })
}

// watchPut asks people about what could not be put, and about what somebody set or
// took away themselves: that is never overwritten.
func (w *window) watchPut() {
	all, _ := w.standing()
	for i := range all {
		d := &all[i]
		args := map[string]any{"route": d.Route, "relay": d.Relay, "what": []string{"course.during." + d.What}}
		switch d.State {
		case continuity.DuringFailed:
			if w.once("failed/" + d.ID) {
				args["why"] = d.Failure
				w.ask(w.rules.Course.Technical, "course.put-failed.", continuity.UrgencyPage, args)
			}
		case continuity.DuringTaken:
			if w.once("taken/" + d.ID) {
				w.ask(w.rules.Course.Commander, "course.taken.", continuity.UrgencyPage, args)
			}
		case continuity.DuringEnded:
			if len(d.Left) > 0 && w.once("left/"+d.ID) {
				args["who"] = strings.Join(d.Left, ", ")
				w.ask(w.rules.Course.Commander, "course.left.", continuity.UrgencyPage, args)
			}
		}
	}
}

// until is when the window is to end, as far as was said.
func (w *window) until() time.Time {
	if w.Course.Expected.After(w.End) {
		return w.Course.Expected
	}
	return w.End
}

// silenced are the checks and components that the window concerns. What else is
// warned of is told.
func (w *window) silenced() (all []string) {
	parts := w.Affected
	if len(parts) == 0 {
		parts, all = sortedKeys(w.rules.Course.Parts), slices.Clone(w.rules.Course.Checks)
	}
	for _, part := range parts {
		checks, known := w.rules.Course.Parts[part]
		if !known {
			continue
		}
		for _, id := range append([]string{part}, checks...) {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// silence keeps warnings of what is worked on from being told, until the end that was
// announced and no longer: what is down after it is trouble.
func (w *window) silence() {
	match := w.silenced()
	if len(match) == 0 || w.Exercise != "" {
		return // a silence that names nothing would be of everything, and warnings are real
	}
	id := w.ID + ".silence"
	var was continuity.Silence
	version, stands := w.facts.get(continuity.KindSilence, id, &was)
	until, known := w.facts.clocks.Due(w.Exercise, w.until())
	switch {
	case !known && stands && was.Until.Sub(w.now) > openEnded/2, stands && was.Until.Equal(until):
		return
	case !known:
		until = w.now.Add(openEnded)
	}
	if !until.After(w.now) && (!stands || !was.Until.After(w.now)) {
		return // it would be over
	}
	s, action := was, "silence.moved"
	if !stands {
		version, action = continuity.VersionNew, "silence.began"
		s = continuity.Silence{
			ID: id, Service: w.Service, Match: match, From: w.now, Window: w.ID, Why: w.why(),
			By: continuity.Actor{Kind: continuity.ActorEngine, ID: "maintenance"},
		}
	}
	s.Until = until
	w.also(continuity.Set(continuity.KindSilence, id, w.Service, version, action, "", s))
	w.mark("window.silenced")
}

// unsilence has warnings told again.
func (w *window) unsilence() {
	var s continuity.Silence
	version, stands := w.facts.get(continuity.KindSilence, w.ID+".silence", &s)
	if !stands || !s.Until.After(w.now) {
		return
	}
	s.Until = w.now
	w.also(continuity.Set(continuity.KindSilence, s.ID, w.Service, version, "silence.ended", "", s))
	w.mark("window.unsilenced")
}

// run begins the plan's runbook of windows.
func (w *window) run() {
	if w.rules.Runbook == "" {
		return
	}
	w.Number++ // as people's runs about the window are numbered
	id := fmt.Sprintf("%s.run-%d", w.ID, w.Number)
	w.Course.Runs = append(w.Course.Runs, id)
	w.Run = id
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "maintenance"}
	w.also(continuity.NewRun(id, w.Service, w.rules.Plan, w.rules.Runbook, continuity.KindWindow+"/"+w.ID, nil, by, w.now, w.Exercise))
}

// watchRun notices that the runbook stopped. By a person it was meant: somebody is
// asked what that means for the window. By itself it failed, and so did the window.
func (w *window) watchRun() (failed bool) {
	var run continuity.Run
	if _, ok := w.facts.get(continuity.KindRun, w.Run, &run); !ok || run.State != continuity.RunStopped || !w.once("run/"+run.ID) {
		return false
	}
	if slices.ContainsFunc(run.Steps, func(s continuity.StepRun) bool { return s.State == continuity.StepFailed }) {
		w.fail("course.failed.run")
		return true
	}
	w.ask(w.rules.Course.Commander, "course.run-stopped.", continuity.UrgencyPage, map[string]any{"run": run.ID})
	return false
}
