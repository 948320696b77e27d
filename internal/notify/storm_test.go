package notify_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestStorm has 10,000 things fail at once: a page for each group at most, no more
// messages a minute than a channel takes, and none unaccounted for.
func TestStorm(t *testing.T) {
	inBubble(t, func(w *world) {
		const failures, groups = 10_000, 40
		w.lead("a")
		var all []continuity.Notification
		for i := range failures {
			n := note(fmt.Sprintf("s%05d", i), "page", "role:commander")
			n.Group, n.Rank = fmt.Sprintf("group-%d", i%groups), i%5
			all = append(all, n)
		}
		w.tell(all...)
		time.Sleep(4 * time.Minute)
		s := w.sums(failures)
		if s.States[continuity.NotifyGrouped] != failures-groups || s.States[continuity.NotifyWaiting] != groups {
			t.Errorf("%+v", s)
		}
		got := w.posts["mail"].all()
		if len(got) == 0 || len(got) > groups {
			t.Errorf("%d messages", len(got))
		}
		for i := range got {
			n := 0
			for j := i; j < len(got) && got[j].at.Sub(got[i].at) < time.Minute; j++ {
				n++
			}
			if n > 5 {
				t.Errorf("%d messages within a minute", n)
			}
		}
		if first := got[0].at.Sub(w.began); first > time.Minute {
			t.Errorf("the first page came after %s", first)
		}
		t.Logf("%d messages, %v", len(got), s.States)
	})
}

// TestBoundsHoldOverRestarts has another node lead within the minute.
func TestBoundsHoldOverRestarts(t *testing.T) {
	inBubble(t, func(w *world) {
		delete(w.posts, "sms") // a page would go that way at once
		stop, _ := w.lead("a")
		for i := range 5 {
			w.tell(note(fmt.Sprint("p", i), "page", "role:commander"))
		}
		time.Sleep(10 * time.Second)
		w.sent("mail", 5)
		stop()
		w.lead("b")
		w.tell(note("p5", "page", "role:commander"), note("p6", "page", "role:commander"), note("p7", "notice", "role:commander"))
		time.Sleep(40 * time.Second)
		w.sent("mail", 5)
		time.Sleep(2 * time.Minute)
		for _, id := range []string{"p5", "p6"} {
			w.want(id, continuity.NotifyWaiting)
		}
		w.want("p7", continuity.NotifyDelivered)
		if d := w.get("p6"); d.Deliveries[0].State != continuity.DeliveryDelivered {
			t.Errorf("%+v", d.Deliveries)
		}
	})
}
