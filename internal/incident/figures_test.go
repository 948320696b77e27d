package incident_test

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// TestTheFirstMessageIsTheFirst has the time to the first word measured by the first one,
// whatever was said later or the clock of an exercise showed, and go along into what the
// incident was merged into.
func TestTheFirstMessageIsTheFirst(t *testing.T) {
	w := newWorld(t)
	shown := start.AddDate(1, 0, 0)
	x, i := w.drill(shown)
	first := func(id string) *float64 {
		return must[incident.Figures](t)(w.acts.Figures(t.Context(), id)).First
	}
	if first(i.ID) != nil {
		t.Error("nobody was told anything")
	}
	// As the words of the incident have it: the last word is an all-clear, hours later.
	k := i.Incident
	k.Heard = k.Started.Add(40 * time.Second)
	k.Public = map[string]continuity.Word{"customers": {Update: "u", Phase: "all-clear", At: shown.Add(3 * time.Hour)}}
	w.put(continuity.KindIncident, k.ID, k)
	if s := first(i.ID); s == nil || *s != 40 {
		t.Errorf("%v", s)
	}
	w.step(2 * time.Minute)
	into := must[incident.Kept](t)(w.acts.Declare(t.Context(), li, incident.Asking{Service: "orders", Scenario: "theft", Exercise: x.ID, Why: "a drill"}))
	late := into.Incident
	late.Heard = w.now.Add(time.Minute)
	w.put(continuity.KindIncident, late.ID, late)
	must[incident.Kept](t)(w.acts.Merge(t.Context(), li, i.ID, latest, into.ID, "the same"))
	if s := first(into.ID); s == nil || *s != 40 {
		t.Errorf("%v", s)
	}
}

// TestExpectingSaysWhen has it kept when it was said when people are told next, by the
// clock that the incident goes by.
func TestExpectingSaysWhen(t *testing.T) {
	w := newWorld(t)
	shown := start.AddDate(1, 0, 0)
	_, i := w.drill(shown)
	k := must[incident.Kept](t)(w.acts.Expect(t.Context(), li, i.ID, latest, time.Time{}, shown.Add(time.Minute), ""))
	if !k.Next.Equal(shown.Add(time.Minute)) || !k.NextSaid.Equal(shown) {
		t.Errorf("%s, said at %s", k.Next, k.NextSaid)
	}
}
