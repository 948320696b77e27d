package main

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

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
