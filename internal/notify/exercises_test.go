package notify_test

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestAnEndedExerciseIsToldNoMore has a page of an exercise that has ended wait for
// nobody, and what is told after its end be told. What becomes of it bears both times.
func TestAnEndedExerciseIsToldNoMore(t *testing.T) {
	inBubble(t, func(w *world) {
		stop, _ := w.lead("a")
		x := continuity.Exercise{ID: "drill", Real: time.Now(), Shown: time.Now().AddDate(0, 1, 0)}
		set := func() {
			change := continuity.Put(continuity.KindExercise, x.ID, "", "exercise.set", x)
			if _, err := w.store.Commit(w.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{change}}); err != nil {
				t.Fatal(err)
			}
		}
		set()
		page := note("n1", "page", "person:li.wei")
		page.Exercise, page.Escalate = x.ID, []continuity.Recipient{{Kind: continuity.ToPerson, ID: "zhang.min"}}
		w.tell(page)
		time.Sleep(10 * time.Second)
		d := w.want("n1", continuity.NotifyWaiting)
		if !d.Shown.Equal(x.Shown) || len(d.Deliveries) == 0 || !d.Deliveries[0].Shown.Equal(x.Shown) || d.Deliveries[0].Exercise != x.ID {
			t.Errorf("%+v", d)
		}
		x.Ended = time.Now()
		set()
		time.Sleep(10 * time.Second)
		if d := w.want("n1", continuity.NotifyCancelled); d.By != "exercise/drill" {
			t.Errorf("%+v", d)
		}
		later := note("n2", "notice", "person:li.wei")
		later.Exercise, later.At = x.ID, time.Now()
		w.tell(later)
		time.Sleep(20 * time.Minute)
		w.want("n2", continuity.NotifyDelivered)
		if n := len(w.sent("mail", 2)); n != 2 {
			t.Errorf("%d mails", n)
		}
		stop()
	})
}
