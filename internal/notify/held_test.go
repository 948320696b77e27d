package notify_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// within requires that a channel got a message with a text for somebody in time.
func (w *world) within(channel, subject, to string, d time.Duration) {
	w.Helper()
	for _, m := range w.posts[channel].all() {
		if strings.Contains(m.Subject, subject) && strings.HasPrefix(m.To, to) && m.at.Sub(w.began) <= d {
			return
		}
	}
	w.Errorf("%s got no %q for %s within %s: %q", channel, subject, to, d, w.texts(channel))
}

func named(n continuity.Notification, subject string) continuity.Notification {
	n.Subject.En = subject
	return n
}

// TestAPageDoesNotWaitForAFullAddress has one address take one message an hour.
func TestAPageDoesNotWaitForAFullAddress(t *testing.T) {
	inBubble(t, func(w *world) {
		for _, id := range []string{"mail", "sms"} {
			k := w.kinds[id]
			k.PerNumber = []notify.Room{{Count: 1, Within: time.Hour}}
			w.kinds[id] = k
		}
		w.lead("a")
		third := named(note("p3", "page", "role:commander"), "Third")
		third.Escalate = recipients("deputies:commander")
		w.tell(named(note("p1", "page", "role:commander"), "First"), named(note("p2", "page", "role:commander"), "Second"), third)
		time.Sleep(2 * time.Minute)
		w.within("mail", "First", "li.wei", 10*time.Second)
		w.within("sms", "Second", "+86138000li.wei", 10*time.Second) // the next way
		w.within("mail", "Third", "zhang.min", 10*time.Second)       // none is left: the next person
	})
}

// TestADeadChannelWithLittleRoom has attempts that hang use up what a channel takes.
func TestADeadChannelWithLittleRoom(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = dead
		w.room["sms"] = 100
		w.lead("a")
		for i := range 8 {
			w.tell(named(note(fmt.Sprintf("p%d", i), "page", "role:commander"), fmt.Sprintf("Page %d", i)))
		}
		time.Sleep(2 * time.Minute)
		for i := range 8 {
			w.within("sms", fmt.Sprintf("Page %d", i), "", 30*time.Second)
		}
	})
}

// TestNoticesDoNotHoldUpPages has notices hang on a channel for as long as they may.
func TestNoticesDoNotHoldUpPages(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = dead
		w.room["mail"] = 100
		w.lead("a")
		for i := range 8 {
			w.tell(note(fmt.Sprintf("n%d", i), "notice", "role:commander"))
		}
		time.Sleep(2 * time.Second)
		w.tell(named(note("p", "page", "role:commander"), "Page"))
		time.Sleep(2 * time.Minute)
		w.within("sms", "Page", "", 32*time.Second)
	})
}

// TestManyPagesOnADeadChannel are more than it is asked to take at once.
func TestManyPagesOnADeadChannel(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = dead
		w.room["mail"], w.room["sms"] = 1000, 1000
		w.lead("a")
		for i := range 60 {
			w.tell(named(note(fmt.Sprintf("p%d", i), "page", "role:commander"), fmt.Sprintf("Page %d.", i)))
		}
		time.Sleep(2 * time.Minute)
		for i := range 60 {
			w.within("sms", fmt.Sprintf("Page %d.", i), "", 30*time.Second)
		}
	})
}

// TestAFurtherAttemptKeepsQuietHours has the first one fail before they begin.
func TestAFurtherAttemptKeepsQuietHours(t *testing.T) {
	inBubble(t, func(w *world) {
		fail := func(context.Context, *notify.Message) error {
			return &notify.Failure{Code: notify.FailProvider, Retry: true}
		}
		w.posts["mail"].fail = fail
		w.posts["sms"].fail = fail
		w.lead("a")
		w.tell(note("n1", "notice", "role:commander"))
		time.Sleep(50 * time.Minute)
		before := len(w.posts["sms"].all()) + len(w.posts["mail"].all())
		w.night, w.until = true, time.Now().Add(9*time.Hour)
		time.Sleep(8 * time.Hour)
		if after := len(w.posts["sms"].all()) + len(w.posts["mail"].all()); after != before {
			t.Errorf("%d attempts at night", after-before)
		}
		w.posts["sms"].fail = nil
		time.Sleep(2 * time.Hour)
		w.want("n1", continuity.NotifyDelivered)
	})
}

// TestAChannelThatWantsADay is left for the next one.
func TestAChannelThatWantsADay(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = func(context.Context, *notify.Message) error {
			return &notify.Failure{Code: notify.FailRate, Retry: true, After: 24 * time.Hour}
		}
		w.lead("a")
		w.tell(note("n1", "notice", "role:commander"))
		time.Sleep(10 * time.Second)
		w.want("n1", continuity.NotifyDelivered)
		w.sent("sms", 1)
	})
}

// TestAddressesThatLookAlikeAreBoundedApart has two people whose masked addresses are
// one, also by a node that takes over.
func TestAddressesThatLookAlikeAreBoundedApart(t *testing.T) {
	inBubble(t, func(w *world) {
		k := w.kinds["mail"]
		k.PerNumber = []notify.Room{{Count: 1, Within: time.Hour}}
		w.kinds["mail"] = k
		w.o.Number = func(address string) string { return "hash of " + address }
		stop, _ := w.lead("a")
		w.tell(note("n1", "notice", "person:li.wei"), note("n2", "notice", "person:lo.wei"))
		time.Sleep(10 * time.Second)
		w.sent("mail", 2)
		stop()
		w.lead("b")
		w.tell(note("n3", "notice", "person:li.wei"))
		time.Sleep(10 * time.Second)
		w.sent("mail", 2)
		if d := w.get("n1").Deliveries[0]; d.Number != "hash of li.wei@example.com" {
			t.Errorf("%+v", d)
		}
	})
}
