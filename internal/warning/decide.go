package warning

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

const (
	// soon is within what time a warning that comes back is the same one.
	soon = 15 * time.Minute
	// firstQuiet is how long one that came back once has to be better, doubled
	// each time it comes back, up to longestQuiet.
	firstQuiet   = time.Minute
	longestQuiet = 30 * time.Minute
	// blindAfter is how long nothing is known of a warning before that is told.
	blindAfter = time.Minute
	// mostEvidence bounds what a warning bears.
	mostEvidence = 20
)

// decide says what changes.
func (e *Engine) decide(ctx context.Context, now time.Time) []outcome {
	var out []outcome
	whole := map[string]map[string]bool{} // kinds, each with the services of which more may be watched
	unread, seen := map[string]bool{}, map[string]bool{}
	take := func(look Sight) {
		for _, kind := range look.Of {
			whole[kind] = look.Unread
		}
		maps.Copy(unread, look.Unread)
		for i := range look.All {
			s := &look.All[i]
			if seen[s.ID] {
				continue
			}
			seen[s.ID] = true
			out = append(out, e.remember(s)...)
			out = append(out, e.settle(s, now)...)
		}
	}
	for _, source := range e.o.Sources {
		take(source.Look(ctx, now))
	}
	if e.o.Rules != nil {
		rules := e.o.Rules()
		take(Sight{e.lookChecks(rules.Checks, now), []string{continuity.FromCheck}, rules.Unread})
		take(Sight{e.lookReports(rules.Reports, now), []string{continuity.FromStaff}, rules.Unread})
	}
	take(e.lookSignals())
	for _, id := range slices.Sorted(maps.Keys(e.warnings)) {
		w := e.warnings[id]
		if more, is := whole[w.Source]; is && !seen[id] {
			out = append(out, e.settle(gone(w, !more[w.Service]), now)...)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.memories)) {
		if _, is := whole[sourceOf(id)]; is && !seen[id] && !unread[e.memories[id].service] {
			out = append(out, e.remember(&Sighting{ID: id})...)
		}
	}
	return out
}

// gone is the last sighting of what is watched no longer, where that is known.
func gone(w *kept, known bool) *Sighting {
	return &Sighting{
		ID: w.ID, Service: w.Service, Source: w.Source, Rule: w.Rule, Owner: w.Owner, Text: w.Text, Known: known,
		Partial: w.Partial, Sign: w.Sign, Scope: w.Scope, Evidence: w.Evidence, Reason: "warning.unwatched",
	}
}

// remember stores what a source wants to remember, where that changed.
func (e *Engine) remember(s *Sighting) []outcome {
	m, there := e.memories[s.ID]
	if bytes.Equal(m.body, s.Memory) {
		return nil
	}
	c := continuity.Change{Kind: KindMemory, ID: s.ID, Service: s.Service, Version: m.version, Body: s.Memory, Action: "rule.noted"}
	switch {
	case s.Memory == nil:
		c.Service, c.Action = m.service, "rule.settled"
	case !there:
		c.Version = continuity.VersionNew
	}
	return []outcome{{change: c, memory: s.Memory}}
}

// settle makes of a sighting what it makes of its warning.
func (e *Engine) settle(s *Sighting, now time.Time) []outcome {
	before := continuity.Warning{}
	version := continuity.VersionNew
	if k := e.warnings[s.ID]; k != nil {
		before, version = k.Warning, k.version
	}
	after, action := e.next(before, s, now)
	if action == "" {
		return nil
	}
	body, err := json.Marshal(after)
	if err != nil { // of plain values: it never fails
		e.o.Log.Error("a warning can't be written", "warning", s.ID, "err", err)
		return nil
	}
	change := continuity.Change{Kind: Kind, ID: s.ID, Service: s.Service, Version: version, Body: body, Action: action, Reason: s.Reason}
	o := outcome{change: change, became: &after}
	if e.o.Tell != nil {
		o.tell = e.o.Tell(before, after, action, now)
	}
	return []outcome{o}
}

// next is a warning after a sighting, and the action that made it so; none: it
// stays as it is.
func (e *Engine) next(w continuity.Warning, s *Sighting, now time.Time) (continuity.Warning, string) {
	if !s.Known {
		delete(e.easing, s.ID) // a better level has to be seen all the time
		return e.unseen(w, now)
	}
	delete(e.blind, s.ID)
	standing := continuity.LevelNone
	if w.Stands() {
		standing = w.Level
	}
	switch {
	case s.Level.Over(standing):
		delete(e.easing, s.ID)
		if w.State == continuity.WarningDismissed && !s.Level.Over(w.Dismissed.Level) {
			return w, ""
		}
		if e.o.Silenced != nil && e.o.Silenced(s.Service, now) {
			return w, ""
		}
		return worse(w, s, now)
	case !w.Stands():
		return w, ""
	case standing.Over(s.Level):
		return e.better(w, s, now)
	}
	delete(e.easing, s.ID)
	if w.Blind {
		w.Blind = false
		return w, Seen
	}
	if s.Scope != w.Scope {
		w.Scope, w.Evidence = s.Scope, evidence(s)
		return w, Widened
	}
	return w, ""
}

// unseen notes that nothing is known of a warning that stands.
func (e *Engine) unseen(w continuity.Warning, now time.Time) (continuity.Warning, string) {
	if !w.Stands() || w.Blind {
		return w, ""
	}
	since, known := e.blind[w.ID]
	if !known {
		e.blind[w.ID] = now
		return w, ""
	}
	if now.Sub(since) < blindAfter {
		return w, ""
	}
	w.Blind = true
	return w, Blinded
}

func worse(w continuity.Warning, s *Sighting, now time.Time) (continuity.Warning, string) {
	since := now
	if !s.Since.IsZero() && s.Since.Before(now) {
		since = s.Since
	}
	action := Raised
	switch {
	case w.State == "" || w.State == continuity.WarningCleared && now.Sub(w.Until) >= soon:
		w = continuity.Warning{ID: s.ID, State: continuity.WarningOpen, Since: since, Episode: w.Episode + 1}
		action = Opened
	case w.State == continuity.WarningCleared:
		w.Returns++
		w.State, w.Until, w.Confirmed, w.Dismissed = continuity.WarningOpen, time.Time{}, nil, nil
		action = Returned
	case w.State == continuity.WarningDismissed:
		w.State, w.Dismissed = continuity.WarningOpen, nil
		action = Returned
	case w.Peak.Over(w.Level): // it had been lowered
		w.Returns++
	}
	w.Service, w.Source, w.Rule, w.Owner, w.Text = s.Service, s.Source, s.Rule, s.Owner, s.Text
	w.Level, w.Blind, w.Partial, w.Sign, w.Scope, w.Evidence = s.Level, false, s.Partial, s.Sign, s.Scope, evidence(s)
	if w.Level.Over(w.Peak) {
		w.Peak = w.Level
	}
	return w, action
}

// better takes a better level over, where it has been so for long enough.
func (e *Engine) better(w continuity.Warning, s *Sighting, now time.Time) (continuity.Warning, string) {
	way, going := e.easing[w.ID]
	if !going {
		way = easing{s.Level, now}
	}
	if s.Level.Over(way.to) {
		way.to = s.Level
	}
	if now.Sub(way.since) < quiet(w.Returns) {
		e.easing[w.ID] = way
		return w, ""
	}
	delete(e.easing, w.ID)
	w.Blind, w.Evidence = false, evidence(s)
	if way.to != continuity.LevelNone {
		w.Level = way.to
		return w, Lowered
	}
	w.State, w.Until = continuity.WarningCleared, now
	return w, Cleared
}

// quiet is how long a warning has to be better before that counts.
func quiet(returns int64) time.Duration {
	if returns <= 0 {
		return 0
	}
	d := firstQuiet
	for i := int64(1); i < returns && d < longestQuiet; i++ {
		d *= 2
	}
	return min(d, longestQuiet)
}

func evidence(s *Sighting) []continuity.Evidence {
	return s.Evidence[:min(len(s.Evidence), mostEvidence)]
}
