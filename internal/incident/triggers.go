package incident

import (
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// firing is why a scenario begins.
type firing struct {
	origin   continuity.Origin
	since    time.Time
	exercise string
	why      string
	once     bool // it is one incident for good: times don't tell it from the one before
}

// mostReported is how far back reports are looked at.
const mostReported = 24 * time.Hour

// fires says whether a scenario's trigger is met by what began after ended.
func (e *Engine) fires(r *Rules, s *Scenario, ended, now time.Time) (f firing, ok bool) {
	t := &s.Trigger
	switch {
	case t.Check != "":
		c, known := e.checks[t.Check]
		if !known || !asBad(c.State, t.State) || e.worked(r, []string{t.Check}) {
			return f, false
		}
		return firing{origin: continuity.Origin{Kind: "check", ID: t.Check}, since: c.Since}, true
	case t.Warning != "":
		return e.warned(r, t)
	case t.Reports > 0:
		return e.reported(r.Service, t, ended, now)
	case t.Notice != "":
		return e.announced(r.Service, t.Notice, now)
	case t.Window != "":
		return e.opened(r, s, now)
	}
	return f, false
}

// announced is the newest notice of a provider by which something is so now: an outage
// from when somebody confirmed it, a window from its start to its end.
func (e *Engine) announced(service, provider string, now time.Time) (f firing, ok bool) {
	for _, id := range slices.Sorted(maps.Keys(e.notices)) {
		n := e.notices[id]
		since := n.Agreed.At
		if n.Type == continuity.KindWindow {
			since = n.Agreed.Start
			if now.Before(since) || !now.Before(n.Agreed.End) {
				continue
			}
		}
		if n.Service == service && n.Provider == provider && since.After(f.since) {
			f = firing{origin: continuity.Origin{Kind: kindNotice, ID: id}, since: since}
		}
	}
	return f, !f.since.IsZero()
}

// asBad reports whether a check is in a state, or in a worse one.
func asBad(is, wanted continuity.CheckState) bool {
	return is == wanted || wanted == continuity.CheckDegraded && is == continuity.CheckDown
}

func (e *Engine) warned(r *Rules, t *Trigger) (f firing, ok bool) {
	for _, id := range slices.Sorted(maps.Keys(e.warnings)) {
		w := e.warnings[id]
		ours := w.Source == continuity.FromMeasure || w.Source == continuity.FromCheck || w.Source == continuity.FromSLO
		if !ours || w.Service != r.Service || w.Rule != t.Warning || w.State == continuity.WarningDismissed || t.Level.Over(w.Level) {
			continue
		}
		if e.worked(r, checksOf(w)) {
			continue
		}
		return firing{origin: continuity.Origin{Kind: kindWarning, ID: id}, since: w.Since}, true
	}
	return f, false
}

// checksOf are the checks that a warning rests on.
func checksOf(w *continuity.Warning) (all []string) {
	for i := range w.Evidence {
		if w.Evidence[i].Kind == "check" {
			all = append(all, w.Evidence[i].ID)
		}
	}
	return all
}

// reported counts how many people said that something does not work.
func (e *Engine) reported(service string, t *Trigger, ended, now time.Time) (f firing, ok bool) {
	e.reports = slices.DeleteFunc(e.reports, func(r continuity.Report) bool { return now.Sub(r.At) > mostReported })
	who := map[string]bool{}
	from := later(now.Add(-t.Within), ended)
	for i := range e.reports {
		if r := &e.reports[i]; r.Service == service && r.At.After(from) {
			who[r.By] = true
			if f.since.IsZero() || r.At.Before(f.since) {
				f.since = r.At
			}
		}
	}
	f.origin = continuity.Origin{Kind: "reports", ID: service}
	return f, len(who) >= t.Reports
}

// opened says whether a window that begins, or lasts longer than was said, is one for
// a scenario that was not begun for it yet.
func (e *Engine) opened(r *Rules, s *Scenario, now time.Time) (f firing, ok bool) {
	for _, id := range slices.Sorted(maps.Keys(e.windows)) {
		w := e.windows[id]
		if e.clocks.Over(w.Exercise) {
			continue
		}
		is := w.State == continuity.WindowOverrun
		if s.Trigger.Window == "starts" {
			is = is || w.State == continuity.WindowRunning
		}
		f = firing{origin: continuity.Origin{Kind: continuity.KindWindow, ID: id}, since: now, exercise: w.Exercise, once: true}
		if w.Exercise == "" && s.Trigger.Window != "starts" && w.End.Before(now) {
			f.since = w.End
		}
		if is && w.Service == r.Service && !e.came(s.ID, f.origin) {
			return f, true
		}
	}
	return firing{}, false
}

// came reports whether there is, or was, an incident of an origin.
func (e *Engine) came(scenario string, of continuity.Origin) bool {
	for _, k := range e.incidents {
		if k.Origin == of && k.Scenario == scenario {
			return true
		}
	}
	return false
}

// worked reports whether a service is worked on just where checks look: that they find
// it down then is no incident. That a window lasts too long is one of its own.
func (e *Engine) worked(r *Rules, checks []string) bool {
	for _, w := range e.windows {
		if w.Service != r.Service || w.Exercise != "" {
			continue
		}
		switch w.State {
		case continuity.WindowRunning, continuity.WindowVerifying, continuity.WindowReadmitting:
		case continuity.WindowOverrun:
			if !slices.ContainsFunc(r.Scenarios, func(s Scenario) bool { return s.Trigger.Window == "overruns" }) {
				continue
			}
		default:
			continue
		}
		if len(w.Affected) == 0 {
			return true
		}
		if len(checks) > 0 && !slices.ContainsFunc(checks, func(check string) bool { return !r.touches(check, w.Affected) }) {
			return true
		}
	}
	return false
}

// touches reports whether a check looks at one of some components, or at what needs
// one of them.
func (r *Rules) touches(check string, components []string) bool {
	for i := range r.Components {
		c := &r.Components[i]
		if slices.Contains(c.Checks, check) && r.hit(&Process{ID: c.ID, Needs: c.Needs}, components) {
			return true
		}
	}
	return false
}

// downNow are the components of a service of which a check says that they are down.
func (e *Engine) downNow(r *Rules) (all []string) {
	for i := range r.Components {
		c := &r.Components[i]
		for _, check := range c.Checks {
			if e.checks[check].State == continuity.CheckDown && strings.HasPrefix(check, r.Service+"/") && !e.worked(r, []string{check}) {
				all = append(all, c.ID)
				break
			}
		}
	}
	return all
}
