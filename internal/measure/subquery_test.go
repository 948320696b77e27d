package measure_test

import (
	"testing"
	"time"

	"holdfast/internal/measure"
)

// TestASubqueryWithoutAStep takes one point a minute.
func TestASubqueryWithoutAStep(t *testing.T) {
	d := open(t, measure.Options{})
	for expr, want := range map[string]float64{
		"count_over_time(vector(1)[1h:])":                                     60,
		"count_over_time(vector(1)[1h:]) + 0 * absent(max_over_time(a[1h:]))": 60,
	} {
		got, err := d.Query(t.Context(), expr, time.Now())
		if err != nil || len(got) != 1 || got[0].Value != want {
			t.Errorf("%s: %v, %v", expr, got, err)
		}
	}
}
