package customers

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Tally is what customers were told, by their own ledger, and what became of it, by
// the shop's books.
type Tally struct {
	Requests      int      `json:"requests"`
	Errors        int      `json:"order_errors"` // requests about orders that met anything but success
	ErrorExamples []string `json:"order_error_examples,omitempty"`
	Accepted      int      `json:"accepted"` // told "received, to be confirmed" by the relay
	SlowestMS     float64  `json:"slowest_answer_ms"`
	Delivered     int      `json:"delivered"` // of what was accepted
	Outage        float64  `json:"outage_customers_seconds"`

	Books Comparison `json:"books"`
}

// Count makes a tally of the customers' steps and the shop's books.
func Count(steps []Step, b Books) Tally {
	t := Tally{Books: Compare(steps, b), Requests: len(steps), Outage: Outage(steps).Seconds()}
	there := make(map[string]bool, len(b.Events))
	for _, e := range b.Events {
		there[e.Ref] = true
	}
	for _, s := range steps {
		if !s.Acknowledged() {
			t.Errors++
			if len(t.ErrorExamples) < 10 {
				t.ErrorExamples = append(t.ErrorExamples, fmt.Sprintf("%s (%s) at %.1f s: status %d %.200s",
					s.Ref, s.Kind, s.Intended.Seconds(), s.Status, strings.TrimSpace(s.Fault)))
			}
		}
		if s.Held() {
			t.Accepted++
			if there[s.Ref] {
				t.Delivered++
			}
		}
		t.SlowestMS = max(t.SlowestMS, float64(s.Took().Microseconds())/1000)
	}
	return t
}

// Outage is how long customers could not order: the time from each failed request to
// the next one that succeeded.
func Outage(steps []Step) time.Duration {
	steps = slices.Clone(steps)
	slices.SortFunc(steps, func(a, b Step) int { return int(a.Intended - b.Intended) })
	var total time.Duration
	from := time.Duration(-1)
	for _, s := range steps {
		switch {
		case s.Acknowledged() && from >= 0:
			total += s.Intended - from
			from = -1
		case !s.Acknowledged() && from < 0:
			from = s.Intended
		}
	}
	if from >= 0 {
		total += steps[len(steps)-1].Answered - from
	}
	return total
}
