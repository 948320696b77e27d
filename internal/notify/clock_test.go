package notify_test

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestAClockThatIsPutBack has a node write by a clock that is three hours ahead, and
// another one, whose clock is right, go on.
func TestAClockThatIsPutBack(t *testing.T) {
	inBubble(t, func(w *world) {
		w.room["mail"] = 1
		ahead := 3 * time.Hour
		w.o.Now = func() time.Time { return time.Now().Add(ahead) }
		stop, _ := w.lead("a")
		page := func(id string) continuity.Notification {
			n := named(note(id, "page", "role:commander"), id)
			n.Group, n.Same, n.At = "g", "same", w.o.Now()
			return n
		}
		w.tell(page("p1"))
		other := named(note("p2", "page", "person:wu.hao"), "p2")
		other.At, other.Escalate = w.o.Now(), recipients("deputies:commander")
		w.tell(other)
		time.Sleep(70 * time.Second)
		if _, err := w.acts.Acknowledge(w.Context(), li, "p1", continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		stop()
		ahead = 0
		w.lead("b")
		w.tell(page("p3"))
		time.Sleep(2 * time.Minute)
		w.within("mail", "p3", "li.wei", 140*time.Second)
		time.Sleep(6 * time.Minute)
		if d := w.get("p2"); d.Step != 1 {
			t.Errorf("nobody else was told: %+v", d.Notification)
		}
	})
}

// TestANodeWhoseClockIsAhead asks for a page by a time that is to come.
func TestANodeWhoseClockIsAhead(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		n := note("p1", "page", "role:commander")
		n.Group, n.At = "g", time.Now().Add(time.Hour)
		w.tell(n)
		time.Sleep(30 * time.Second)
		w.want("p1", continuity.NotifyWaiting)
		w.sent("mail", 1)
	})
}

// TestWhatOneMessageToldIsNotToldAgain has a node die between the commits that say
// so of each of two notifications.
func TestWhatOneMessageToldIsNotToldAgain(t *testing.T) {
	inBubble(t, func(w *world) {
		var changes []continuity.Change
		for _, id := range []string{"n1", "n2"} {
			n := note(id, "notice", "role:commander")
			n.State, n.Since, n.Told, n.Deliver = continuity.NotifySending, n.At, n.At, 1
			d := continuity.Delivery{
				ID: id + ".d-1", Notification: id, Service: n.Service, Person: "li.wei", Channel: "mail", Sender: "mail", Address: "l…@example.com",
				Language: "en", Target: "li.wei", To: continuity.Recipient{Kind: continuity.ToPerson, ID: "li.wei"}, Due: n.At, State: continuity.DeliveryHeld, By: "n1.d-1",
			}
			if id == "n1" {
				d.State, d.By, d.Sent, d.Attempts, d.With = continuity.DeliveryDelivered, "", n.At, 1, []string{"n2"}
			}
			for _, one := range []struct {
				kind, id string
				body     any
			}{{continuity.KindNotification, n.ID, n}, {continuity.KindDelivery, d.ID, d}} {
				body, err := json.Marshal(one.body)
				if err != nil {
					t.Fatal(err)
				}
				changes = append(changes, continuity.Change{Kind: one.kind, ID: one.id, Service: n.Service, Version: continuity.VersionNew, Body: body, Action: "test"})
			}
		}
		if _, err := w.store.Commit(w.Context(), continuity.Batch{Actor: li, Changes: changes}); err != nil {
			t.Fatal(err)
		}
		w.lead("a")
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifyDelivered)
		w.want("n2", continuity.NotifyDelivered)
		w.sent("mail", 0)
	})
}
