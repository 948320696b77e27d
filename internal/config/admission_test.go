package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
)

func TestAdmissionAndWaitingLine(t *testing.T) {
	relay := load(t, "admission.yaml")
	type admitting struct {
		A *continuity.Admission
		L *continuity.WaitingLine
	}
	var got []admitting
	for _, r := range relay.Routes {
		got = append(got, admitting{r.Admission, r.Line})
	}
	want := []admitting{
		{
			&continuity.Admission{
				Rate: 500, Burst: 20, Concurrency: 200, Adaptive: &continuity.Adaptive{Least: 5, Most: 500, Start: 50, Slow: 3},
				Capacity: continuity.CapacityMeasured, Hold: true,
				Client:  continuity.ClientLimits{Rate: 20, Burst: 40, Concurrency: 10, Addresses: 1000},
				Classes: continuity.AdmissionClasses{Header: "X-Class", Order: []string{"checkout", "normal", "crawler"}, Otherwise: "normal"},
			},
			&continuity.WaitingLine{
				AfterOutage: true, Outage: 2 * time.Minute, User: continuity.SourceHeader, UserHeader: "X-User", GroupHeader: "X-Department",
				Groups: []continuity.LineGroup{{Name: "cashiers", Values: []string{"cashier", "till"}}}, Shares: []float64{0.2, 1},
				Hold: 3 * time.Minute, Spread: time.Minute, Errors: 0.02, Slow: 1.5, Exempt: []string{"/assets/**"}, Stays: 2 * time.Hour,
			},
		},
		{
			&continuity.Admission{Concurrency: 5},
			&continuity.WaitingLine{
				Outage: time.Minute, Shares: []float64{0.1, 0.25, 0.5, 1}, Hold: time.Minute, Spread: 30 * time.Second,
				Errors: 0.01, Slow: 2, Stays: time.Hour,
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if relay.Limits.ConnsPerAddress != 100 {
		t.Errorf("limits %+v", relay.Limits)
	}
}
