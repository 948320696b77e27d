package binding_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// TestIncidents has what the engine gets be what the examples say.
func TestIncidents(t *testing.T) {
	triggers := map[string]incident.Trigger{}
	for _, name := range []string{"order-upgrade", "payment-outage", "im-maintenance", "web-chat-outage"} {
		p := example(t, name)
		r := binding.Incidents(p)
		if len(r.Scenarios) != len(p.Scenarios) || len(r.Grades) != len(p.Grades) || len(r.Processes) != len(p.Impact) || len(r.Roles) != len(p.Roles) {
			t.Errorf("%s: %+v", name, r)
		}
		for _, s := range r.Scenarios {
			g := r.Grades[s.Grade]
			if g.Recover <= 0 || g.Scope <= 0 || g.Escalate <= 0 || g.Review <= 0 {
				t.Errorf("%s/%s: %+v", name, s.ID, g)
			}
			triggers[name+"/"+s.ID] = s.Trigger
		}
		if !slices.Contains(r.Causes, "hardware") || r.Owner == "" {
			t.Error(r.Causes, r.Owner)
		}
	}
	for id, want := range map[string]incident.Trigger{
		"order-upgrade/database-gone": {Check: "order-upgrade/database", State: continuity.CheckDown},
		"order-upgrade/data-broken":   {},
		"order-upgrade/slow":          {Warning: "orders-placed", Level: continuity.LevelYellow},
	} {
		if got := triggers[id]; got != want {
			t.Errorf("%s: %+v", id, got)
		}
	}
	windows, reports, notices := 0, 0, 0
	for _, tr := range triggers {
		if tr.Window != "" {
			windows++
		}
		if tr.Reports > 0 && tr.Within > time.Minute {
			reports++
		}
		if tr.Notice != "" {
			notices++
		}
	}
	if windows == 0 || reports == 0 || notices == 0 {
		t.Errorf("%d windows, %d reports, %d notices", windows, reports, notices)
	}
}
