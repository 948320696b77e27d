package announce

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// standing is what has automatic replies given.
type standing struct {
	about, exercise string
	service         string
	since           time.Time
	text            func(*Rules, *Audience) (continuity.Text, bool)
}

// stands are the incidents and windows that stand, in the order in which they began.
func (e *Engine) stands() (all []standing) {
	for id, k := range e.incidents {
		i := k.is
		if !i.Stands() || e.clocks.Over(i.Exercise) {
			continue
		}
		all = append(all, standing{
			about: continuity.KindIncident + "/" + id, exercise: i.Exercise, service: i.Service, since: i.Declared,
			text: func(r *Rules, a *Audience) (continuity.Text, bool) {
				if !a.hears(i.Grade) {
					return continuity.Text{}, false
				}
				word := i.Public[a.ID]
				v := ofIncident(r, &i, a, saying{expected: i.Expected, next: nextTo(&i, word)})
				return said(r, a.Kind+"/"+PhaseFirst, v)
			},
		})
	}
	for id, k := range e.windows {
		w := k.is
		phase := PhaseStart
		switch w.State {
		case continuity.WindowRunning, continuity.WindowVerifying, continuity.WindowReadmitting:
		case continuity.WindowOverrun:
			phase = PhaseOverrun
		default:
			continue
		}
		if e.clocks.Over(w.Exercise) {
			continue
		}
		all = append(all, standing{
			about: continuity.KindWindow + "/" + id, exercise: w.Exercise, service: w.Service, since: cmp.Or(w.Began, w.Start),
			text: func(r *Rules, a *Audience) (continuity.Text, bool) { return saidOfWindow(r, a, phase, &w) },
		})
	}
	slices.SortFunc(all, func(a, b standing) int {
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return cmp.Compare(a.about, b.about)
	})
	return all
}

// said is a template's text, if all that it says is known.
func said(r *Rules, template string, v values) (continuity.Text, bool) {
	t, ok := r.Find(template)
	if !ok {
		return continuity.Text{}, false
	}
	_, text, missing := compose(&t, v)
	return text, len(missing) == 0
}

// answers keeps automatic replies as what stands wants them. Of those that others
// have given, such as a step of a runbook, only what has ended is taken back.
func (e *Engine) answers(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time) {
	stands := e.stands()
	about := map[string]bool{}
	wanted := map[string]map[string]continuity.AutoreplyFor{} // by reply and what it is for
	order := map[string][]string{}
	of := map[string]continuity.Autoreply{}
	known := map[string]bool{} // services whose plans are known
	for _, s := range stands {
		about[s.about] = true
		r, ok := e.plans.Of(s.service, now)
		if !ok {
			next = now.Add(planless)
			continue
		}
		known[s.service] = true
		for n := range r.Answers {
			answering := &r.Answers[n]
			a, ok := r.audience(answering.Audience)
			if !ok {
				continue
			}
			text, ok := s.text(r, a)
			if !ok {
				continue
			}
			if s.exercise != "" {
				text = Marked(text)
			}
			id := answering.ID(s.service)
			of[id] = continuity.Autoreply{ID: id, Service: s.service, Channel: answering.Channel, Route: answering.Route}
			if wanted[id] == nil {
				wanted[id] = map[string]continuity.AutoreplyFor{}
			}
			wanted[id][s.about] = continuity.AutoreplyFor{About: s.about, Text: text, Since: s.since, Exercise: s.exercise, By: byEngine}
			order[id] = append(order[id], s.about)
		}
	}
	ids := slices.Sorted(maps.Keys(wanted))
	for _, id := range slices.Sorted(maps.Keys(e.replies)) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		was, there := e.replies[id]
		a := was.is
		if !there {
			a = of[id]
		}
		a.Wanted = slices.Clone(a.Wanted)
		changed := false
		for _, w := range was.is.Wanted {
			kind, _, _ := strings.Cut(w.About, "/")
			_, still := wanted[id][w.About]
			next = sooner(next, e.until(w, now))
			switch {
			case e.clocks.Over(w.Exercise): // whoever wanted it
				changed = a.Drop(w.About) || changed
			case !w.Until.IsZero() && !e.clocks.At(w.Exercise, now).Before(w.Until):
				changed = a.Drop(w.About) || changed
			case kind != continuity.KindIncident && kind != continuity.KindWindow: // it says itself when it ends
			case !about[w.About], w.By == byEngine && known[a.Service] && !still:
				changed = a.Drop(w.About) || changed
			}
		}
		for _, what := range order[id] {
			w := wanted[id][what]
			i := slices.IndexFunc(a.Wanted, func(have continuity.AutoreplyFor) bool { return have.About == what })
			if i < 0 || a.Wanted[i].By == byEngine && a.Wanted[i].Text != w.Text {
				a.Want(w)
				changed = true
			}
		}
		if changed {
			changes = append(changes, follow.Free(ctx, []continuity.Change{a.Change(was.version)})...)
		}
	}
	return changes, next
}

const byEngine = "announce"

// until is when a reply will end, really.
func (e *Engine) until(w continuity.AutoreplyFor, now time.Time) time.Time {
	if real, ok := e.clocks.Due(w.Exercise, w.Until); ok && !w.Until.IsZero() && real.After(now) {
		return real
	}
	return time.Time{}
}

// Marked says that a text is part of an exercise.
func Marked(t continuity.Text) continuity.Text {
	if t.En != "" {
		t.En = catalogue.Text(catalogue.En, "notify.exercise", nil) + t.En
	}
	if t.Zh != "" {
		t.Zh = catalogue.Text(catalogue.Zh, "notify.exercise", nil) + t.Zh
	}
	return t
}
