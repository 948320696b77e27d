package ledger_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
)

// Of standing settings the lowest limit wins, and forced ones beat all others.
func TestLowestAdmissionWins(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000)
	line := func(step int) *continuity.LineState { return &continuity.LineState{Since: at, Step: step, Stepped: at} }
	for _, c := range []struct {
		name     string
		switches []continuity.Switch
		want     continuity.Admitting
	}{
		{"none", []continuity.Switch{{Owner: "a", Intake: continuity.IntakeHold}}, continuity.Admitting{Holding: true}},
		{"lowest of each kind", []continuity.Switch{{Owner: "a", Rate: 10, Concurrency: 9}, {Owner: "b", Rate: 20, Concurrency: 3}, {Owner: "c", Line: line(2)}},
			continuity.Admitting{Rate: 10, Concurrency: 3, Line: line(2)}},
		{"a lifted one counts no more", []continuity.Switch{{Owner: "a", Rate: 10}, {Owner: "b", Rate: 20}, {Owner: "a", Lift: true}},
			continuity.Admitting{Rate: 20}},
		{"forced", []continuity.Switch{{Owner: "a", Rate: 10, Line: line(0)}, {Owner: "b", Rate: 20, Force: true}, {Owner: "c", Rate: 5}},
			continuity.Admitting{Rate: 20}},
		{"a forced intake says nothing about admission", []continuity.Switch{{Owner: "a", Rate: 10}, {Owner: "b", Intake: continuity.IntakePass, Force: true}},
			continuity.Admitting{Rate: 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, newMemLog(), nil)
			for _, s := range c.switches {
				s.Route = "orders"
				if err := l.Switch(s); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, l.Admitting("orders")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
