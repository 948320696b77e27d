package control

import (
	"testing"
	"time"

	"holdfast/internal/maintenance"
)

// TestTrafficByHourOfWeek takes hours that ended as those in which they were, by local
// clocks: of several weeks the mean, of hours that nobody measured nothing.
func TestTrafficByHourOfWeek(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	sunday := time.Date(2026, 11, 22, 3, 0, 0, 0, shanghai)
	sums := map[time.Time]float64{
		sunday.Add(time.Hour): 10, sunday.Add(time.Hour).AddDate(0, 0, -7): 30, sunday.Add(2 * time.Hour): 7,
	}
	got := trafficOf(sums, sunday.Add(5*time.Hour), shanghai)
	three := maintenance.HourOfWeek(sunday)
	if got.Hours[three] != 20 || got.Hours[three+1] != 7 || !got.Known[three] || got.Known[three-1] || got.Weeks != 2 {
		t.Errorf("%+v", got)
	}
	if three != 6*24+3 {
		t.Errorf("Sunday 03:00 is hour %d", three)
	}
	if trafficOf(nil, sunday, shanghai) != nil {
		t.Error("nothing was measured, and something is known")
	}
}
