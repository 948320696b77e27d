package incident_test

import (
	"slices"
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

// TestWhomNoMessageReachedWasNotAsked has the page of a role go past somebody whom no
// channel reaches: they are not among those who were asked.
func TestWhomNoMessageReachedWasNotAsked(t *testing.T) {
	w := newWorld(t)
	w.check("database", continuity.CheckDown)
	w.step(5 * time.Minute)
	i := w.only()
	p := w.page(i.ID, "commander")
	w.became(p, func(n *continuity.Notification) {
		n.State, n.Step, n.Unreached = continuity.NotifyWaiting, 1, []string{"zhang.min"}
	})
	w.step(time.Second)
	if h := w.only().Roles["commander"]; h.State != continuity.RoleAsked || h.Person != "li.wei" || !slices.Equal(h.Asked, []string{"li.wei"}) {
		t.Errorf("%+v", h)
	}
	w.became(w.page(i.ID, "commander"), func(n *continuity.Notification) { n.Unreached = []string{"li.wei"} })
	w.step(time.Second)
	if h := w.only().Roles["commander"]; h.Person != "zhang.min" || !slices.Equal(h.Asked, []string{"zhang.min"}) {
		t.Errorf("%+v", h)
	}
}
