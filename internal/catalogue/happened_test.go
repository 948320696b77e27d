package catalogue

import "testing"

func TestHappened(t *testing.T) {
	for action, want := range map[string]string{"task.assigned": "分派任务", "incident.declared": "宣布", "exercise.ended": "演练结束", "no.such": "no.such"} {
		if got := Happened(Zh, action); got != want {
			t.Errorf("%s: %s", action, got)
		}
	}
}

func TestBecause(t *testing.T) {
	for reason, want := range map[string]string{
		"restore-orders; asked commander; scope-due": "restore-orders；请求担任角色 commander；要求说明影响范围",
		"maintenance.cancelled.unready":              "到时仍未就绪",
		"check/orders/database":                      "check/orders/database",
		"":                                           "",
		`target.no-place {"target":"/srv/nas"}`:      Text(Zh, "target.no-place", Args{"target": "/srv/nas"}),
		"target.no-place and no JSON":                "target.no-place and no JSON",
	} {
		if got := Because(Zh, "incident", reason); got != want {
			t.Errorf("%q: %q", reason, got)
		}
	}
	if got := Because(En, "incident", "x; asked commander"); got != "x; role asked for commander" {
		t.Error(got)
	}
}
