package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"holdfast/internal/demo/customers"
)

// score is what the demo found out.
type score struct {
	Seed uint64 `json:"seed"`
	customers.Tally

	LookupsOK     int64 `json:"lookups_ok"`
	LookupsStale  int64 `json:"lookups_stale"`
	LookupsFailed int64 `json:"lookups_failed"`

	// What became of what was accepted, by the receipts.
	Refused int `json:"refused_after_acceptance"`
	Dead    int `json:"dead"`
	Waiting int `json:"waiting"` // accepted, and still not ended
	Doubts  int `json:"in_doubt"`
	Settled int `json:"settled"`

	ShopOutage float64 `json:"outage_shop_seconds"`
	Drain      float64 `json:"drain_seconds"`
	Forecast   float64 `json:"drain_forecast_seconds"`
	Backlog    int64   `json:"backlog"`

	Reconciled bool  `json:"reconciled"` // holdfast reconcile found nothing
	Balanced   bool  `json:"balanced"`   // accepted = delivered + refused + dead + discarded + pending
	Counted    int64 `json:"relay_accepted"`
}

// good says whether everything that the demo promises held.
func (s score) good() bool {
	return s.Books.Clean() && s.Errors == 0 && s.Refused == 0 && s.Dead == 0 && s.Waiting == 0 &&
		s.Reconciled && s.Balanced && s.Delivered == s.Accepted && s.Counted == int64(s.Accepted)
}

func (s score) print(out io.Writer, color bool) {
	row := func(left string, lv any, middle string, mv any, right, rv string) {
		line := fmt.Sprintf("  %-24s %9v    %-17s %6v    %-26s %8s", left, lv, middle, mv, right, rv)
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	count := func(n int) string { return thousands(int64(n)) }
	fmt.Fprintln(out)
	row("accepted by the relay", count(s.Accepted), "lost", s.Books.Lost, "outage, the shop", seconds(s.ShopOutage))
	row("delivered to the shop", count(s.Delivered), "doubled", s.Books.Doubled, "outage, customers ordering", seconds(s.Outage))
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
