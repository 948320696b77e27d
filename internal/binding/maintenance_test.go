package binding_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

// TestMaintenanceOfAPlan makes of an example what windows go by: whom they hit and what
// people do meanwhile come of the impact analysis, readiness of checks and channels.
func TestMaintenanceOfAPlan(t *testing.T) {
	const file = "../../examples/plans/im-maintenance.yaml"
	p, _ := plan.Parse(plan.Source{Name: file, Text: read(t, file)}, &plan.Source{Name: plan.TechName(file), Text: read(t, plan.TechName(file))}, nil)
	if p == nil {
		t.Fatal("the example can't be read")
	}
	r := binding.Maintenance(p)
	if r.Owner != "li.wei" || r.Lead != "commander" || r.Whom.Zh != "全公司" || !strings.HasPrefix(r.Meant.En, "Talk by standby mail") || !strings.Contains(r.Contact.En, "5550") {
		t.Errorf("%+v", r)
	}
	if part := r.Affected["internal-talk"]; part.Name.En != "Internal communication" || part.Whom.En != "all" {
		t.Errorf("%+v", part)
	}
	var items []string
	for _, item := range r.Ready {
		items = append(items, item.ID+" "+item.Check+" "+item.Channel)
	}
	want := []string{"backup im-maintenance/backup-fresh ", "standby  im-maintenance/standby-mail", "clients im-maintenance/client-versions ", "people  "}
	if !slices.Equal(items, want) {
		t.Errorf("%q", items)
	}
	tested := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	if until := r.Ready[1].Until(tested); until.Before(tested.AddDate(0, 0, 27)) || until.After(tested.AddDate(0, 0, 32)) {
		t.Errorf("a test of %v counts until %v", tested, until)
	}
	for _, phase := range []string{"notice", "changed", "cancelled"} {
		if r.Audiences["customers"].Words[phase] == nil {
			t.Errorf("customers have no words of %s", phase)
		}
	}
	for _, field := range []string{"start", "end", "affected", "contact", "standby"} {
		if !slices.Contains(r.Audiences["staff"].Words["notice"], field) {
			t.Errorf("the notice to staff does not say %s", field)
		}
	}
	var steps []string
	for _, rung := range r.Ladder(continuity.WindowPlanned, time.Date(2026, 12, 10, 2, 0, 0, 0, r.Zone)) {
		steps = append(steps, rung.Step+" "+rung.Due.In(r.Zone).Format("01-02 15:04"))
	}
	if got := strings.Join(steps, ", "); got != "5d 12-04 08:30, 3d 12-07 02:00, 1d 12-09 02:00, 1h 12-10 01:00" {
		t.Error(got)
	}
	if binding.Maintenance(&plan.Plan{}) != nil {
		t.Error("a plan that says nothing of maintenance has rules of it")
	}
}
