package notify_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

func TestGroup(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		of := func(id string, rank int) continuity.Notification {
			n := note(id, "page", "role:commander")
			n.Group, n.Rank, n.Subject.En = "orders", rank, "Trouble "+id
			return n
		}
		w.tell(of("a", 1), of("b", 3), of("c", 2))
		time.Sleep(10 * time.Second)
		w.want("b", continuity.NotifyWaiting)
		if d := w.want("a", continuity.NotifyGrouped); d.By != "b" {
			t.Error(d.By)
		}
		if m := w.sent("mail", 1)[0]; m.Subject != "Trouble b" || !strings.Contains(m.Text, "And 2 more like it.") || m.at.Sub(w.began) > 5*time.Second {
			t.Errorf("%+v", m)
		}
		w.tell(of("d", 3))
		time.Sleep(4 * time.Minute)
		w.sent("mail", 1)
		time.Sleep(50 * time.Second)
		w.want("d", continuity.NotifyGrouped)
		time.Sleep(20 * time.Second) // five minutes after the first: nobody has answered
		w.want("b", continuity.NotifyFailed)
		w.tell(of("e", 1))
		time.Sleep(time.Minute)
		w.want("e", continuity.NotifyWaiting)
		if _, err := w.acts.Acknowledge(w.Context(), li, "e", continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		w.sums(5)
	})
}

// TestWhatIsWorseWaitsForNothing has something worse than what a group was told
// come within its five minutes: while nobody has answered, after a restart, and just
// after somebody has.
func TestWhatIsWorseWaitsForNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		stop, _ := w.lead("a")
		of := func(id string, rank int) continuity.Notification {
			n := note(id, "page", "role:commander")
			n.Group, n.Rank, n.Subject.En = "orders", rank, "Trouble "+id
			return n
		}
		w.tell(of("a", 2))
		time.Sleep(10 * time.Second)
		w.tell(of("b", 3))
		time.Sleep(10 * time.Second)
		if m := w.sent("mail", 2)[1]; m.Subject != "Trouble b" {
			t.Errorf("%+v", m)
		}
		w.want("a", continuity.NotifyWaiting)
		stop()
		w.lead("b")
		w.tell(of("c", 3))
		time.Sleep(10 * time.Second)
		if d := w.want("c", continuity.NotifyGrouped); d.By != "b" {
			t.Error(d.By)
		}
		if _, err := w.acts.Acknowledge(w.Context(), li, "b", continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.tell(of("d", 4))
		time.Sleep(10 * time.Second)
		all := w.posts["mail"].all()
		if m := all[len(all)-1]; m.Subject != "Trouble d" {
			t.Errorf("%+v", m)
		}
		w.sums(4)
	})
}

// TestGroupedSinceIsTold tells again every five minutes what joined a page that
// stands, and at once what joined one that was acknowledged.
func TestGroupedSinceIsTold(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		of := func(id string) continuity.Notification {
			n := note(id, "page", "role:commander")
			n.Group, n.AckWithin = "orders", time.Hour
			return n
		}
		w.tell(of("a"))
		time.Sleep(10 * time.Second)
		w.tell(of("b"))
		time.Sleep(5 * time.Minute)
		if m := w.sent("mail", 2)[1]; !strings.Contains(m.Text, "And one more like it.") || m.at.Sub(w.began) < 5*time.Minute {
			t.Errorf("%+v", m)
		}
		w.tell(of("c"))
		time.Sleep(10 * time.Second)
		if _, err := w.acts.Acknowledge(w.Context(), li, "c", continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.want("a", continuity.NotifyAcknowledged)
		if m := w.sent("mail", 3)[2]; !strings.Contains(m.Text, "And 2 more like it.") {
			t.Errorf("%+v", m)
		}
	})
}

func TestSameIsToldOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		of := func(id string) continuity.Notification {
			n := note(id, "notice", "role:commander")
			n.Same = "slow"
			return n
		}
		w.tell(of("a"), of("b"))
		time.Sleep(10 * time.Second)
		w.tell(of("c"))
		time.Sleep(10 * time.Second)
		w.want("a", continuity.NotifyDelivered)
		w.want("b", continuity.NotifyRepeated)
		if d := w.want("c", continuity.NotifyRepeated); d.By != "a" {
			t.Error(d.By)
		}
		time.Sleep(time.Hour)
		w.tell(of("d"))
		time.Sleep(10 * time.Second)
		w.want("d", continuity.NotifyDelivered)
		w.sent("mail", 2)
	})
}

// TestOverIsNoEndForOthers keeps a page going that tells of others than what is
// over.
func TestOverIsNoEndForOthers(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		of := func(id string, rank int) continuity.Notification {
			n := note(id, "page", "role:commander")
			n.Group, n.Rank, n.Escalate = "orders", rank, recipients("deputies:commander")
			return n
		}
		w.tell(of("a", 2), of("b", 1))
		time.Sleep(10 * time.Second)
		over := note("end", "notice", "told:")
		over.About, over.Ends = "warning/a", true
		w.tell(over)
		time.Sleep(6 * time.Minute)
		w.want("a", continuity.NotifyWaiting)
		w.want("end", continuity.NotifyDelivered)
		if m := w.sent("mail", 3)[2]; m.To != "zhang.min@example.com" {
			t.Errorf("%+v", m)
		}
	})
}

// TestWhatCantBeToldIsNoLeader has the worst of a group name a template that is not
// there.
func TestWhatCantBeToldIsNoLeader(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		bad, good := note("bad", "page", "role:commander"), note("good", "page", "role:commander")
		bad.Group, bad.Rank, bad.Template, good.Group = "orders", 3, "none", "orders"
		w.tell(bad, good)
		time.Sleep(10 * time.Second)
		w.want("bad", continuity.NotifyFailed)
		if d := w.want("good", continuity.NotifyWaiting); d.Grouped != 0 {
			t.Errorf("%+v", d.Notification)
		}
		w.sent("mail", 1)
	})
}
