package notify_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// TestNobodyWaitsForWhomNoChannelReaches has a page go on at once past those whom no
// message can be sent to, and say who they are.
func TestNobodyWaitsForWhomNoChannelReaches(t *testing.T) {
	inBubble(t, func(w *world) {
		w.o.Router = asking{w, func(a notify.Ask) []notify.Target {
			switch a.To.ID {
			case "he.ping":
				return []notify.Target{{ID: "he.ping", Person: "he.ping"}}
			case "technical":
				return []notify.Target{byMail("sun.lan", "sun.lan@example.com"), {ID: "he.ping", Person: "he.ping"}}
			}
			return []notify.Target{byMail(a.To.ID, a.To.ID+"@example.com")}
		}}
		w.lead("a")
		first, later := note("p1", "page", "person:he.ping"), note("p2", "page", "person:sun.lan")
		first.Escalate, first.AckWithin = recipients("person:sun.lan"), 5*time.Minute
		later.Escalate, later.AckWithin = recipients("person:he.ping", "team:technical"), 5*time.Minute
		w.tell(first, later)
		time.Sleep(5 * time.Second)
		if n := w.get("p1"); n.Step != 1 || !slices.Equal(n.Unreached, []string{"he.ping"}) {
			t.Errorf("%+v", n.Notification)
		}
		w.sent("mail", 2)
		time.Sleep(5*time.Minute + 5*time.Second)
		if n := w.get("p2"); n.Step != 2 || n.State != continuity.NotifyWaiting || !slices.Equal(n.Unreached, []string{"he.ping"}) {
			t.Errorf("%+v", n.Notification)
		}
	})
}
