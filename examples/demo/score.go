package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// score is what the demo found out.
type score struct {
	Seed uint64 `json:"seed"`
	// What customers were told, by their own ledger.
	Requests      int      `json:"requests"`
	Errors        int      `json:"order_errors"` // requests about orders that met anything but success
	ErrorExamples []string `json:"order_error_examples,omitempty"`
	Accepted      int      `json:"accepted"` // told "received, to be confirmed" by the relay
	SlowestMS     float64  `json:"slowest_answer_ms"`
	LookupsOK     int64    `json:"lookups_ok"`
	LookupsStale  int64    `json:"lookups_stale"`
	LookupsFailed int64    `json:"lookups_failed"`

	// What became of what was accepted, by the shop's books and the receipts.
	Delivered int `json:"delivered"`
	Refused   int `json:"refused_after_acceptance"`
	Dead      int `json:"dead"`
	Waiting   int `json:"waiting"` // accepted, and still not ended
	Doubts    int `json:"in_doubt"`
	Settled   int `json:"settled"`

	Outage          float64 `json:"outage_shop_seconds"`
	CustomersOutage float64 `json:"outage_customers_seconds"`
	Drain           float64 `json:"drain_seconds"`
	Forecast        float64 `json:"drain_forecast_seconds"`
	Backlog         int64   `json:"backlog"`

	Books      comparison `json:"books"`
	Reconciled bool       `json:"reconciled"` // holdfast reconcile found nothing
	Balanced   bool       `json:"balanced"`   // accepted = delivered + refused + dead + discarded + pending
	Counted    int64      `json:"relay_accepted"`
}

// good says whether everything that the demo promises held.
func (s score) good() bool {
	return s.Books.clean() && s.Errors == 0 && s.Refused == 0 && s.Dead == 0 && s.Waiting == 0 &&
		s.Reconciled && s.Balanced && s.Delivered == s.Accepted && s.Counted == int64(s.Accepted)
}

// tally counts what the customers' ledger and the books say.
func (s *score) tally(steps []step, b books) {
	s.Books = compare(steps, b)
	there := make(map[string]bool, len(b.Events))
	for _, e := range b.Events {
		there[e.Ref] = true
	}
	s.Requests = len(steps)
	for _, st := range steps {
		if !st.acknowledged() {
			s.Errors++
			if len(s.ErrorExamples) < 10 {
				s.ErrorExamples = append(s.ErrorExamples, fmt.Sprintf("%s (%s) at %.1f s: status %d %.200s",
					st.Ref, st.Kind, st.Intended.Seconds(), st.Status, strings.TrimSpace(st.Fault)))
			}
		}
		if st.held() {
			s.Accepted++
			if there[st.Ref] {
				s.Delivered++
			}
		}
		s.SlowestMS = max(s.SlowestMS, float64(st.took().Microseconds())/1000)
	}
	s.CustomersOutage = outage(steps).Seconds()
}

// outage is how long customers could not order: the time from each failed
// request to the next one that succeeded.
func outage(steps []step) time.Duration {
	steps = slices.Clone(steps)
	slices.SortFunc(steps, func(a, b step) int { return int(a.Intended - b.Intended) })
	var total time.Duration
	from := time.Duration(-1)
	for _, s := range steps {
		switch {
		case s.acknowledged() && from >= 0:
			total += s.Intended - from
			from = -1
		case !s.acknowledged() && from < 0:
			from = s.Intended
		}
	}
	if from >= 0 {
		total += steps[len(steps)-1].Answered - from
	}
	return total
}

func (s score) print(out io.Writer, color bool) {
	row := func(left string, lv any, middle string, mv any, right, rv string) {
		line := fmt.Sprintf("  %-24s %9v    %-17s %6v    %-26s %8s", left, lv, middle, mv, right, rv)
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	count := func(n int) string { return thousands(int64(n)) }
	fmt.Fprintln(out)
	row("accepted by the relay", count(s.Accepted), "lost", s.Books.Lost, "outage, the shop", seconds(s.Outage))
	row("delivered to the shop", count(s.Delivered), "doubled", s.Books.Doubled, "outage, customers ordering", seconds(s.CustomersOutage))
	row("in doubt -> settled", fmt.Sprintf("%d -> %d", s.Doubts, s.Settled), "reordered", s.Books.Reordered,
		"slowest answer to an order", fmt.Sprintf("%.0f ms", s.SlowestMS))
	row("refused after acceptance", count(s.Refused), "errors on orders", s.Errors, "drain", seconds(s.Drain))
	row("dead", count(s.Dead), "look-ups stale", s.LookupsStale, "drain, as first forecast", seconds(s.Forecast))
	row("still waiting", count(s.Waiting), "look-ups failed", s.LookupsFailed, "", "")
	fmt.Fprintln(out)
	for _, example := range slices.Concat(s.Books.Examples, s.ErrorExamples) {
		fmt.Fprintln(out, "  !", example)
	}
	if s.Counted != int64(s.Accepted) {
		fmt.Fprintf(out, "  ! the relay counts %d accepted, the customers were told so %d times\n", s.Counted, s.Accepted)
	}
	if !s.Balanced {
		fmt.Fprintln(out, "  ! the relay's ledger does not balance")
	}
	verdict, code := "nothing lost, doubled or reordered; no order met an error", "32"
	if !s.good() {
		verdict, code = "NOT what was promised", "31"
	}
	if color {
		verdict = "\x1b[1;" + code + "m" + verdict + "\x1b[0m"
	}
	fmt.Fprintln(out, " ", verdict)
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }
