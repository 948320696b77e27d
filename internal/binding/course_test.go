package binding_test

import (
	"slices"
	"testing"

	"holdfast/internal/binding"
	"holdfast/internal/plan"
)

// TestCourseOfWindows binds what the examples say of windows from their start.
func TestCourseOfWindows(t *testing.T) {
	file := "../../examples/plans/order-upgrade.yaml"
	c := binding.Maintenance(parsed(t, file, read(t, plan.TechName(file)))).Course
	if len(c.Modes) != 1 || c.Modes[0].Relay != "relay" || c.Modes[0].Route != "orders" || c.Modes[0].Mode != "hold" || len(c.Uploads) != 1 {
		t.Errorf("%+v %+v", c.Modes, c.Uploads)
	}
	for i := 1; i < len(c.Processes); i++ {
		if c.Processes[i-1].MTD > c.Processes[i].MTD {
			t.Errorf("%s, which can wait longer, comes before %s", c.Processes[i-1].ID, c.Processes[i].ID)
		}
	}
	if len(c.Processes) == 0 || c.Processes[0].How.En == "" {
		t.Errorf("%+v", c.Processes)
	}
	all, need := c.Complete.Sources()
	if !slices.Equal(all, []string{"check/order-upgrade/database", "person"}) || need != 2 {
		t.Error(all, need)
	}
	var kinds []string
	for _, v := range c.Verify {
		kinds = append(kinds, v.Kind+" "+v.ID)
	}
	if want := []string{"base check/place-order", "base item/order", "custom item/prices", "integrations check/stock", "integrations item/invoices"}; !slices.Equal(kinds, want) {
		t.Error(kinds)
	}
	if !slices.Equal(c.Parts["database"], []string{"database"}) || !slices.Contains(c.Parts["order-intake"], "database") {
		t.Error(c.Parts)
	}
	if c.Readmit.Errors != "orders failing" || c.Readmit.Most != 0.01 || len(c.Readmit.Lines) != 1 || c.Technical != "technical" || c.Commander != "commander" {
		t.Errorf("%+v", c.Readmit)
	}

	file = "../../examples/plans/im-maintenance.yaml"
	c = binding.Maintenance(parsed(t, file, read(t, plan.TechName(file)))).Course
	if c.Vendor == nil || c.Vendor.Address != "support@messenger.example" || c.Vendor.Channel != "standby-mail" {
		t.Errorf("%+v", c.Vendor)
	}
	if g := c.Readmit.Groups; len(g) != 2 || !slices.Equal(g[0].Leads, []string{"chen.jie"}) || !slices.Contains(g[0].People, "chen.jie") {
		t.Errorf("%+v", g)
	}
	if _, need := c.Complete.Sources(); need != 2 || c.Complete.Notice != "messenger" {
		t.Errorf("%+v", c.Complete)
	}
}
