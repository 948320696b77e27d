package notify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// TestToldAsAnAudience tells each of several audiences in words of its own what became
// of something: those whom messages reached as that audience, once more after that, and
// nobody of one that was never told.
// TestWhoWasStillToBeToldHearsTheChangeInItsPlace has hours of quiet hold a first
// notice while what it tells of is changed: the old words never go out, and whoever was
// to hear them hears the new ones.
func TestWhoWasStillToBeToldHearsTheChangeInItsPlace(t *testing.T) {
	for _, instead := range []bool{true, false} {
		inBubble(t, func(w *world) {
			w.night, w.until = true, w.began.Add(7*time.Hour)
			stop, _ := w.lead("a")
			first := note("n1", "notice", "role:commander")
			first.About = "window/w"
			w.tell(first)
			time.Sleep(time.Minute)
			w.want("n1", continuity.NotifySending)
			change := note("n2", "notice", "told:")
			change.About, change.Subject.En, change.Ends, change.Instead = "window/w", "Changed", true, instead
			w.tell(change)
			time.Sleep(time.Second)
			stop()
			w.lead("b") // who takes over knows it, too
			time.Sleep(8 * time.Hour)
			w.want("n1", continuity.NotifyCancelled)
			if !instead {
				w.want("n2", continuity.NotifyCancelled)
				w.sent("mail", 0)
				return
			}
			w.want("n2", continuity.NotifyDelivered)
			if m := w.sent("mail", 1)[0]; !strings.Contains(m.Subject, "Changed") {
				t.Errorf("%+v", m)
			}
		})
	}
}

// TestTheNewestWordIsTheLast has words of a new end and of the end itself be about to be
// told at one instant: only the newest goes out to the audience. What another audience
// is told, and who is paged, is not touched.
func TestTheNewestWordIsTheLast(t *testing.T) {
	inBubble(t, func(w *world) {
		words := func(id, urgency, to, subject string, instead bool) continuity.Notification {
			n := note(id, urgency, to)
			n.About, n.Subject.En, n.Subject.Zh, n.Instead = "window/w", subject, subject, instead
			return n
		}
		w.tell(words("n1", "notice", "audience:staff", "Begun", false), words("n2", "notice", "audience:customers", "Begun", false), words("n3", "page", "role:commander", "Overruns", false))
		time.Sleep(time.Second)
		longer := words("n4", "notice", "told:", "Longer", true)
		longer.To[0].Of = "staff"
		w.tell(longer)
		time.Sleep(time.Second)
		w.tell(words("n5", "notice", "audience:staff", "Ended", true))
		w.lead("a")
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifyCancelled)
		w.want("n2", continuity.NotifyDelivered)
		w.want("n3", continuity.NotifyWaiting)
		if d := w.want("n4", continuity.NotifyCancelled); d.By != "n5" {
			t.Error(d.By)
		}
		w.want("n5", continuity.NotifyDelivered)
		for _, m := range w.posts["room"].all() {
			if strings.Contains(m.Subject, "Longer") {
				t.Errorf("%+v", m)
			}
		}
	})
}

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

// TestTheSameWordsAreSaidOnce has an audience of two languages told a text that is the
// same in both.
func TestTheSameWordsAreSaidOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		n := note("n1", "notice", "audience:staff")
		n.Subject, n.Text = continuity.Text{En: "Lift", Zh: "Lift"}, continuity.Text{En: "hello staff", Zh: "hello staff"}
		w.tell(n)
		time.Sleep(10 * time.Second)
		w.want("n1", continuity.NotifyDelivered)
		if m := w.sent("room", 1)[0]; m.Subject != "Lift" || m.Text != "hello staff" {
			t.Errorf("%+v", m)
		}
	})
}

// TestAWordThatFailsUnderTheChangeIsHeardInTheNewOne has the only word that an audience
// is to get be under way when what it says is changed, and then not arrive: the audience
// hears the change, and so it does where the node dies in between.
func TestAWordThatFailsUnderTheChangeIsHeardInTheNewOne(t *testing.T) {
	for _, dies := range []bool{false, true} {
		inBubble(t, func(w *world) {
			tries := 0
			w.posts["room"].fail = func(ctx context.Context, _ *notify.Message) error {
				if tries++; tries > 1 {
					return nil
				}
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Second):
				}
				return &notify.Failure{Code: "unreachable", Retry: true}
			}
			_, lose := w.lead("a")
			first := note("n1", "notice", "audience:staff")
			first.About = "window/w"
			w.tell(first)
			time.Sleep(2 * time.Second)
			failed := note("n2", "notice", "told:")
			failed.About, failed.Subject.En, failed.Instead, failed.To[0].Of = "window/w", "Failed", true, "staff"
			w.tell(failed)
			time.Sleep(time.Second)
			if dies {
				lose()
				w.lead("b")
			}
			time.Sleep(time.Hour)
			w.want("n2", continuity.NotifyDelivered)
		})
	}
}

// TestAWordThatWasNotRoutedIsHeardInTheNewOne has what was to be told be changed before
// anybody knew who is meant.
func TestAWordThatWasNotRoutedIsHeardInTheNewOne(t *testing.T) {
	for _, ends := range []bool{false, true} {
		inBubble(t, func(w *world) {
			first := note("n1", "notice", "audience:staff")
			first.About = "window/w"
			w.tell(first)
			time.Sleep(time.Second)
			failed := note("n2", "notice", "told:")
			failed.About, failed.Subject.En, failed.Instead, failed.Ends, failed.To[0].Of = "window/w", "Failed", true, ends, "staff"
			w.tell(failed)
			w.lead("a")
			time.Sleep(time.Hour)
			w.want("n1", continuity.NotifyCancelled)
			w.want("n2", continuity.NotifyDelivered)
			w.sent("room", 1)
		})
	}
}

// TestOfTwoChangesTheLastIsTold has a change not get through, and another one come after
// it: what the first one said is tried no more.
func TestOfTwoChangesTheLastIsTold(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		first := note("n1", "notice", "audience:staff")
		first.About = "window/w"
		w.tell(first)
		time.Sleep(time.Minute)
		w.posts["room"].fail = func(context.Context, *notify.Message) error {
			if time.Since(w.began) < 3*time.Minute {
				return &notify.Failure{Code: "unreachable", Retry: true}
			}
			return nil
		}
		for _, id := range []string{"n2", "n3"} {
			change := note(id, "notice", "told:")
			change.About, change.Subject.En, change.Ends, change.Instead, change.To[0].Of = "window/w", "Changed "+id, true, true, "staff"
			w.tell(change)
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour)
		w.want("n2", continuity.NotifyCancelled)
		w.want("n3", continuity.NotifyDelivered)
		if all := w.posts["room"].all(); !strings.Contains(all[len(all)-1].Subject, "n3") {
			t.Errorf("%+v", all)
		}
	})
}
