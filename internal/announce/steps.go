package announce

import (
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// stepWord is what a step of a runbook told an audience of an incident.
type stepWord struct {
	id, audience, template string
	vars                   map[string]string
	at, really             time.Time // by the clock that the incident goes by
}

// step takes what a runbook's step told an audience of an incident: it is a word as
// any other, though no update carries it.
func (e *Engine) step(n *continuity.Notification) {
	id, of := strings.CutPrefix(n.About, continuity.KindIncident+"/")
	if !of || n.Template == "" || len(n.To) != 1 || n.To[0].Kind != continuity.ToAudience || strings.HasPrefix(n.ID, id+".update-") {
		return
	}
	delete(e.steps[id], n.ID)
	switch n.State {
	case continuity.NotifyFailed, continuity.NotifyCancelled, continuity.NotifySilenced:
		return
	}
	s := stepWord{id: n.ID, audience: n.To[0].ID, template: n.Template, vars: n.Vars, at: n.At, really: n.At}
	if !n.Shown.IsZero() {
		s.at = n.Shown
	}
	if e.steps[id] == nil {
		e.steps[id] = map[string]stepWord{}
	}
	e.steps[id][n.ID] = s
}

// byRunbooks notes what runbooks told audiences since the last word to them.
func (t *turn) byRunbooks() {
	all := slices.SortedFunc(maps.Values(t.e.steps[t.i.ID]), func(a, b stepWord) int { return a.really.Compare(b.really) })
	for _, s := range all {
		a, ok := t.rules.audience(s.audience)
		template, known := t.rules.Find(s.template)
		word, told := t.i.Public[s.audience]
		if !ok || !known || told && !word.At.Before(s.at) {
			continue
		}
		text, _ := template.Text.Fill(s.vars)
		phase := template.Phase
		if phase != PhaseFirst {
			phase = PhaseUpdate // that it works is said at its end
		}
		heard(&t.i, a, continuity.Word{
			Update: s.id, Phase: phase, Text: text, At: s.at, Expected: t.i.Expected, Next: t.rules.promised(&t.i, s.audience, s.at),
		}, s.really)
		t.told = true
	}
}

// promised is the time of a further word that one of a time to an audience names.
func (r *Rules) promised(i *continuity.Incident, audience string, at time.Time) time.Time {
	next := nextTo(i, i.Public[audience])
	if _, known := r.audience(audience); known && !next.After(at) && !ended(i) {
		return following(i, r.grade(i.Grade), at)
	}
	return next
}

// Repeats names what told an audience of an incident already, where a template is a
// first word: nobody is to hear that twice. The window is the one that it came of, or nil.
func (r *Rules) Repeats(i *continuity.Incident, w *continuity.Window, audience, template string) (by string, yes bool) {
	if t, ok := r.Find(template); !ok || t.Phase != PhaseFirst {
		return "", false
	}
	if word, told := i.Public[audience]; told && word.Phase != PhaseAllClear {
		return word.Update, true
	}
	if w == nil || i.Reopened > 0 {
		return "", false
	}
	for _, step := range []string{PhaseOverrun, PhaseFailed} {
		if _, told := w.Told[step+"/"+audience]; told {
			return w.ID, true
		}
	}
	return "", false
}
