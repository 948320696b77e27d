package notify_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// picky is a store that refuses what the engine wants of one notification.
type picky struct {
	*store.Store

	bad   string
	tries int
}

func (p *picky) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	of := func(c continuity.Change) bool {
		return p.bad != "" && (c.ID == p.bad || strings.HasPrefix(c.ID, p.bad+".d-"))
	}
	if slices.ContainsFunc(b.Changes, of) {
		if len(b.Changes) <= 2 {
			p.tries++
		}
		return nil, continuity.E(continuity.CodeInvalid, nil)
	}
	return p.Store.Commit(ctx, b)
}

// TestANotificationThatIsRefusedHoldsUpNoOther has the store refuse whatever becomes
// of the worst of a group: the others are told all the same, by the next of them.
func TestANotificationThatIsRefusedHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(w *world) {
		p := &picky{Store: w.store, bad: "bad"}
		w.o.Store = p
		var told [][]continuity.Refusal
		w.o.Refused = func(_ context.Context, all []continuity.Refusal) error { told = append(told, all); return nil }
		w.lead("a")
		of := func(id string, rank int) continuity.Notification {
			n := note(id, "page", "role:commander")
			n.Group, n.Rank, n.Subject.En = "orders", rank, "Trouble "+id
			return n
		}
		w.tell(of("bad", 3), of("b", 2), of("c", 1), note("other", "notice", "person:wu.hao"))
		time.Sleep(20 * time.Second)
		w.want("other", continuity.NotifyDelivered)
		w.want("b", continuity.NotifyWaiting)
		if d := w.want("c", continuity.NotifyGrouped); d.By != "b" {
			t.Error(d.By)
		}
		w.want("bad", continuity.NotifyNew)
		w.sent("mail", 2)
		if last := told[len(told)-1]; len(last) != 1 || last[0].ID != "bad" || last[0].Service != "orders" || last[0].Code != continuity.CodeInvalid {
			t.Errorf("told: %+v", told)
		}
		if _, err := w.acts.Acknowledge(w.Context(), li, "b", continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if p.tries > 30 {
			t.Errorf("it was tried %d times in an hour", p.tries)
		}
		p.bad = ""
		time.Sleep(6 * time.Minute)
		w.want("bad", continuity.NotifyWaiting)
		w.sent("mail", 3)
		if last := told[len(told)-1]; len(last) != 0 {
			t.Errorf("told: %+v", last)
		}
	})
}

// TestANotificationThatCantBeReadHoldsUpNoOther has one stand there that another
// version of the program wrote, before and after this node begins to lead.
func TestANotificationThatCantBeReadHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(w *world) {
		var told []continuity.Refusal
		w.o.Refused = func(_ context.Context, all []continuity.Refusal) error { told = all; return nil }
		torn := func(id string) {
			c := continuity.Change{Kind: continuity.KindNotification, ID: id, Service: "orders", Version: continuity.VersionNew, Body: json.RawMessage(`{"id": 1}`), Action: "x"}
			if _, err := w.store.Commit(w.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{c}}); err != nil {
				t.Fatal(err)
			}
		}
		torn("x")
		w.lead("a")
		torn("y")
		w.tell(note("n1", "notice", "person:wu.hao"))
		time.Sleep(10 * time.Second)
		w.want("n1", continuity.NotifyDelivered)
		if len(told) != 2 || told[0].ID != "x" || !told[1].Unread {
			t.Errorf("%+v", told)
		}
	})
}
