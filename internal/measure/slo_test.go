package measure_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/measure"
)

// TestBudgetBurns lets an order service fail in different ways for a day and a half
// and looks which warnings stand when.
func TestBudgetBurns(t *testing.T) {
	for name, c := range map[string]struct {
		share func(since time.Duration) float64 // of bad requests
		want  string                            // warnings that opened and ended, and after how long
	}{
		"in the budget":      {func(time.Duration) float64 { return 0.0009 }, ""},
		"everything at once": {from(30*time.Hour, 31*time.Hour, 1), "+fast 30h5m +slow 30h5m +ticket 30h5m -fast 31h5m -slow 31h30m -ticket 37h"},
		"twice the budget":   {from(0, 48*time.Hour, 0.002), "+ticket 29h"},
		"a tenth for 5 min":  {from(30*time.Hour, 30*time.Hour+5*time.Minute, 0.1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			db := open(t, measure.Options{})
			slo := measure.SLO{Name: "orders", Target: 0.999, Good: `requests_total{route="orders",code!~"5.."}`, Total: `requests_total{route="orders"}`}
			e := measure.NewEvaluator(db, quiet(), nil)
			set(t, e, slo.Rules()...)
			ok := measure.Series("requests_total", "route", "orders", "code", "200")
			failed := measure.Series("requests_total", "route", "orders", "code", "503")
			var good, bad float64
			var got []string
			for since := time.Duration(0); since < 38*time.Hour; since += 150 * time.Second {
				at := noon.Add(since)
				if err := db.Append(t.Context(), []measure.Sample{{Labels: ok, At: at, Value: good}, {Labels: failed, At: at, Value: bad}}); err != nil {
					t.Fatal(err)
				}
				share := c.share(since)
				good, bad = good+1000*(1-share), bad+1000*share
				if since < 29*time.Hour || since%(5*time.Minute) != 0 {
					continue
				}
				before := e.States(at)
				e.Evaluate(t.Context(), at)
				states := e.States(at)
				for _, r := range slo.Rules() {
					if states[r.ID].Open == before[r.ID].Open {
						continue
					}
					sign := "-"
					if states[r.ID].Open {
						sign = "+"
					}
					after := strings.TrimSuffix(strings.TrimSuffix(since.String(), "0s"), "h0m")
					if strings.HasSuffix(since.String(), "h0m0s") {
						after += "h"
					}
					got = append(got, fmt.Sprintf("%s%s %s", sign, strings.TrimPrefix(r.ID, "orders."), after))
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got  %s\nwant %s", s, c.want)
			}
		})
	}
}

func from(begin, end time.Duration, share float64) func(time.Duration) float64 {
	return func(since time.Duration) float64 {
		if since >= begin && since < end {
			return share
		}
		return 0
	}
}

func TestBudgetWithoutRequestsIsUnknown(t *testing.T) {
	db := open(t, measure.Options{})
	slo := measure.SLO{Name: "orders", Target: 0.99, Good: `s_bucket{le="0.5"}`, Total: "s_count"}
	e := measure.NewEvaluator(db, quiet(), nil)
	set(t, e, slo.Rules()...)
	e.Evaluate(t.Context(), noon)
	for id, s := range e.States(noon) {
		if s.Status != measure.Unknown || s.Open {
			t.Errorf("%s: %+v", id, s)
		}
	}
	for i := range 61 {
		at, n := noon.Add(time.Duration(i)*time.Minute), float64(i)
		add(t, db, at, 50*n, "s_bucket", "le", "0.5")
		add(t, db, at, 100*n, "s_count")
	}
	e.Evaluate(t.Context(), noon.Add(time.Hour))
	if s := e.States(noon.Add(time.Hour))["orders.fast"]; !s.Open || s.Value < 49.9 || s.Value > 50.1 {
		t.Errorf("half of them slow, of a hundredth allowed: %+v", s)
	}
}

func TestPromises(t *testing.T) {
	slo := measure.SLO{Name: "pay", Target: 0.995, Good: `paid{route="pay"}`, Total: "asked", Fast: "red", Slow: "yellow"}
	if err := slo.Check(); err != nil {
		t.Fatal(err)
	}
	var levels []string
	for _, r := range slo.Rules() {
		levels = append(levels, fmt.Sprintf("%s %g %s", r.ID, r.Limit, r.Level))
	}
	if want := []string{"pay.fast 14.4 red", "pay.slow 6 red", "pay.ticket 1 yellow"}; !slices.Equal(levels, want) {
		t.Errorf("got %v", levels)
	}
	for _, bad := range []measure.SLO{
		{Good: "a", Total: "b"}, {Target: 1, Good: "a", Total: "b"}, {Target: -0.1, Up: "a"},
		{Target: 0.99, Good: "rate(a[5m])", Total: "b"}, {Target: 0.99, Good: "a", Total: "5"}, {Target: 0.99, Up: "a + b"},
	} {
		if err := bad.Check(); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%+v: %v; want invalid", bad, err)
		}
	}
}
