package announce

import (
	"cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// window is the one that an incident came of: its own words to audiences are words of
// the incident, too. nil: none, or the incident went on after it.
func (t *turn) window() *continuity.Window {
	k, ok := t.e.windows[t.i.Origin.ID]
	if t.i.Origin.Kind != continuity.KindWindow || !ok || t.i.Reopened > 0 {
		return nil
	}
	return &k.is
}

// toldByWindow reports whether an audience needs no holding statement: the window has
// told it that the work takes longer or failed, or its work is done by now.
func (t *turn) toldByWindow(a *Audience) bool {
	w := t.window()
	if w == nil {
		return false
	}
	step, phase := PhaseFailed, PhaseFirst // the window is over with it: what follows is the incident's
	at, told := w.Told[step+"/"+a.ID]
	if !told {
		step, phase = PhaseOverrun, PhaseOverrun
		at, told = w.Told[step+"/"+a.ID]
	}
	if !told {
		return !w.Course.Agreed.IsZero() && w.State != continuity.WindowFailed
	}
	word := continuity.Word{Phase: phase, At: at, Next: at.Add(t.rules.grade(t.i.Grade).Every)}
	word.Text, _ = saidOfWindow(t.rules, a, step, w)
	if t.i.Public == nil {
		t.i.Public = map[string]continuity.Word{}
	}
	if t.i.Heard.IsZero() {
		if t.i.Heard = at; t.i.Exercise != "" { // there it is what its clock showed
			t.i.Heard = t.now
		}
	}
	t.i.Public[a.ID], t.told = word, true
	return true
}

// endedByWindow reports whether an audience was told by the window alone, its end
// included.
func (t *turn) endedByWindow(audience string) bool {
	w, word := t.window(), t.i.Public[audience]
	if w == nil || word.Phase != PhaseOverrun {
		return false
	}
	if _, told := w.Told["end/"+audience]; !told {
		return false
	}
	word.Phase = PhaseAllClear
	t.i.Public[audience], t.told = word, true
	return true
}

// saidOfWindow is what is said of a window in a phase: in the plan's words or, where it
// has none, in our own, as its messages are.
func saidOfWindow(r *Rules, a *Audience, phase string, w *continuity.Window) (continuity.Text, bool) {
	v := ofWindow(r, w)
	if _, own := r.Find(a.Kind + "/" + phase); own {
		return said(r, a.Kind+"/"+phase, v)
	}
	in := func(lang catalogue.Lang) string {
		args := catalogue.Args{}
		for _, name := range []string{"service", "standby", "end", "expected"} {
			if args[name] = cmp.Or(v[name], v[name+"@"+string(lang)]); args[name] == "" {
				return ""
			}
		}
		return catalogue.Text(lang, "maintenance.say."+phase+".text", args)
	}
	t := continuity.Text{En: in(catalogue.En), Zh: in(catalogue.Zh)}
	return t, t != (continuity.Text{})
}
