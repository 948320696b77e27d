package notify_test

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestToldAsAnAudience tells each of several audiences in words of its own what became
// of something: those whom messages reached as that audience, once more after that, and
// nobody of one that was never told.
func TestToldAsAnAudience(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		first := note("n1", "notice", "audience:staff")
		second := note("n2", "notice", "person:li.wei")
		first.About, second.About = "window/w", "window/w"
		w.tell(first, second)
		time.Sleep(10 * time.Second)
		again := func(id, of string) continuity.Notification {
			n := note(id, "notice", "told:")
			n.About, n.To[0].Of, n.Subject.En, n.Subject.Zh = "window/w", of, "Changed "+of, "变更 "+of
			return n
		}
		w.tell(again("n3", "staff"), again("n4", "customers"))
		time.Sleep(time.Minute)
		w.tell(again("n5", "staff")) // whoever was told again was told as the audience, too
		time.Sleep(time.Minute)
		w.want("n3", continuity.NotifyDelivered)
		w.want("n4", continuity.NotifyCancelled)
		w.want("n5", continuity.NotifyDelivered)
		if all := w.sent("room", 3); all[1].Subject != "变更 staff / Changed staff" {
			t.Errorf("%+v", all[1])
		}
		w.sent("mail", 1)
	})
}
