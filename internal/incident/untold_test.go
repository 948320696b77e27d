package incident_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestWhomNoMessageReachedDidNotFailToAnswer has the page of one role reach nobody and
// that of another stay without an answer: only the second is silence.
func TestWhomNoMessageReachedDidNotFailToAnswer(t *testing.T) {
	w := newWorld(t)
	w.check("database", continuity.CheckDown)
	w.step(5 * time.Minute)
	i := w.only()
	for role, why := range map[string]string{"commander": continuity.FailUnacknowledged, "technical": "nobody"} {
		w.became(w.page(i.ID, role), func(n *continuity.Notification) {
			n.State, n.Failure, n.Ended = continuity.NotifyFailed, why, w.now
		})
	}
	w.step(0)
	i = w.only()
	if i.Roles["commander"].State != continuity.RolePassed || i.Roles["technical"].State != continuity.RoleUntold {
		t.Errorf("%+v", i.Roles)
	}
	said := ""
	for _, n := range w.told(i.ID) {
		if strings.Contains(n.Subject.En, "nobody has the role") {
			said += n.Text.En + n.Text.Zh
		}
	}
	if !strings.Contains(said, "could be asked") || strings.Contains(said, "answered") || !strings.Contains(said, "未能请求") {
		t.Error(said)
	}
	w.step(16 * time.Minute)
	if h := w.only().Roles["technical"]; h.State != continuity.RoleAsked {
		t.Errorf("it was not tried again: %+v", h)
	}
}
