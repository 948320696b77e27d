package continuity

import "testing"

func TestAnAutomaticReplyFallsBackToTheOneBefore(t *testing.T) {
	a := Autoreply{ID: AutoreplyID("orders", "desk"), Service: "orders", Channel: "desk"}
	a.Want(AutoreplyFor{About: "window/w", Text: Text{En: "window"}})
	a.Want(AutoreplyFor{About: "incident/i", Text: Text{En: "incident"}})
	a.Want(AutoreplyFor{About: "window/w", Text: Text{En: "longer window"}})
	if !a.On || a.About != "incident/i" || a.Text.En != "incident" {
		t.Fatalf("given is %+v, not the last that began", a)
	}
	if !a.Drop("incident/i") || !a.On || a.Text.En != "longer window" {
		t.Fatalf("given is %+v, not the one before, as it was changed meanwhile", a)
	}
	if a.Drop("incident/i") || !a.Drop("window/w") || a.On || a.About != "" || a.Text != (Text{}) {
		t.Fatalf("given is %+v, and nothing is wanted any more", a)
	}
	if c := a.Change(7); c.Action != "autoreply.off" || c.Version != 7 || c.ID != "orders.desk" {
		t.Fatalf("the change is %+v", c)
	}
}
