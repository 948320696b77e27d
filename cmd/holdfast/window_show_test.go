package main

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestLongerThanPeopleKnow puts off ends that lie ahead and ends that are past.
func TestLongerThanPeopleKnow(t *testing.T) {
	now := time.Date(2026, 12, 12, 9, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ end, expected, want time.Time }{
		"it runs":                       {now.Add(2 * time.Hour), time.Time{}, now.Add(150 * time.Minute)},
		"it overran":                    {now.Add(-2 * time.Hour), time.Time{}, now.Add(30 * time.Minute)},
		"another end is expected":       {now.Add(-2 * time.Hour), now.Add(time.Hour), now.Add(90 * time.Minute)},
		"what was expected is past too": {now.Add(-2 * time.Hour), now.Add(-time.Hour), now.Add(30 * time.Minute)},
	} {
		w := &continuity.Window{End: c.end, Course: continuity.Course{Expected: c.expected}}
		if got := putOff(w, now, 30*time.Minute); !got.Equal(c.want) {
			t.Errorf("%s: until %v, want %v", name, got, c.want)
		}
	}
}

// TestTellingsInTheOrderTold has two things be told of a window while its clock stands.
func TestTellingsInTheOrderTold(t *testing.T) {
	at := time.Date(2026, 12, 18, 9, 0, 0, 0, time.UTC)
	w := &continuity.Window{
		Told:     map[string]time.Time{"overrun/customers": at, "overrun/staff": at, "failure/customers": at, "failure/staff": at},
		Tellings: []string{"overrun/customers", "overrun/staff", "failure/customers", "failure/staff"},
	}
	var steps []string
	for _, x := range tellings(w, nil) {
		steps = append(steps, x.step)
	}
	if !slices.Equal(steps, []string{"overrun", "failure"}) {
		t.Error(steps)
	}
}

func TestTypedLength(t *testing.T) {
	for d, want := range map[time.Duration]string{2 * time.Hour: "2h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 30 * time.Second: "30s", 10 * time.Hour: "10h"} {
		if got := typedLength(d); got != want {
			t.Errorf("%v is typed %s, want %s", d, got, want)
		}
	}
}
