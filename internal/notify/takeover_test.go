package notify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// TestTakenOverIsRepeatedOnce has a node lose the lead while it sends: the next one
// sends once more, marked, and not marked where the provider knows the key.
func TestTakenOverIsRepeatedOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		hang := make(chan struct{})
		wait := func(ctx context.Context, m *notify.Message) error {
			if !m.Repeat {
				select {
				case <-hang:
				case <-ctx.Done():
				}
			}
			return nil
		}
		w.posts["mail"].fail, w.posts["room"].fail = wait, wait
		stop, lose := w.lead("a")
		w.tell(note("n1", "notice", "role:commander", "audience:staff"))
		time.Sleep(5 * time.Second)
		w.sent("mail", 1)
		lose()
		w.lead("b")
		time.Sleep(5 * time.Second)
		close(hang)
		stop()
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifyDelivered)
		mails, rooms := w.sent("mail", 2), w.sent("room", 2)
		if mails[0].Key != mails[1].Key || !mails[1].Repeat || !strings.HasPrefix(mails[1].Text, "(repeat) ") || mails[0].Repeat {
			t.Errorf("%+v", mails)
		}
		if rooms[0].Key != rooms[1].Key || rooms[0].Text != rooms[1].Text {
			t.Errorf("%+v", rooms)
		}
	})
}

// TestWhoLeadsNoLongerSendsNothing takes the lease between the word that an attempt
// begins and the attempt.
func TestWhoLeadsNoLongerSendsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		_, lose := w.lead("a")
		lose()
		w.tell(note("n1", "page", "role:commander"))
		time.Sleep(time.Minute)
		w.sent("mail", 0)
		w.want("n1", continuity.NotifyNew)
	})
}

// TestStoppedInOrderRepeatsNothing stops a node while it sends, as an upgrade does.
func TestStoppedInOrderRepeatsNothing(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = func(ctx context.Context, _ *notify.Message) error {
			select {
			case <-time.After(500 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}
			}
		}
		stop, _ := w.lead("a")
		time.Sleep(time.Second)
		w.tell(note("n1", "notice", "role:commander"))
		time.Sleep(1100 * time.Millisecond)
		w.sent("mail", 1)
		stop()
		w.lead("b")
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifyDelivered)
		w.sent("mail", 1)
	})
}
