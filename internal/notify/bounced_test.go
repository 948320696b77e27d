package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// bounce has a provider take a delivery back that it had taken.
func (w *world) bounce(id string) {
	w.Helper()
	o, err := w.store.Get(w.Context(), continuity.KindDelivery, id)
	if err != nil {
		w.Fatal(err)
	}
	var d continuity.Delivery
	if err := json.Unmarshal(o.Body, &d); err != nil || d.State != continuity.DeliveryDelivered {
		w.Fatal(d, err)
	}
	d.State, d.Failure = continuity.DeliveryFailed, notify.FailAddress
	body, err := json.Marshal(d)
	if err != nil {
		w.Fatal(err)
	}
	bounced := continuity.Change{Kind: o.Kind, ID: o.ID, Service: o.Service, Version: o.Version, Body: body, Action: "delivery.bounced"}
	if _, err := w.store.Commit(w.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{bounced}}); err != nil {
		w.Fatal(err)
	}
}

// TestWhatBouncesWhileNobodyLeads comes back between two terms: whoever leads next
// sends it another way, once.
func TestWhatBouncesWhileNobodyLeads(t *testing.T) {
	inBubble(t, func(w *world) {
		stop, _ := w.lead("a")
		w.tell(note("p1", "page", "role:commander"), note("n1", "notice", "person:zhang.min"))
		time.Sleep(10 * time.Second)
		w.sent("sms", 0)
		stop()
		w.bounce("p1.d-1")
		w.bounce("n1.d-1")
		for range 3 {
			stop, _ = w.lead("b")
			time.Sleep(10 * time.Second)
			w.sent("sms", 2)
			stop()
		}
	})
}

func TestBounced(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		w.tell(note("p1", "page", "role:commander"))
		time.Sleep(10 * time.Second)
		w.want("p1", continuity.NotifyWaiting)
		w.bounce("p1.d-1")
		time.Sleep(10 * time.Second)
		w.sent("sms", 1)
	})
}

// TestWhatIsOverBounces is delivered, as it seemed, when its message comes back; and
// again, over the last way.
func TestWhatIsOverBounces(t *testing.T) {
	inBubble(t, func(w *world) {
		var failed []string
		w.o.Failed = func(n *continuity.Notification, _ time.Time) []continuity.Change {
			failed = append(failed, n.ID+" "+n.Failure)
			return nil
		}
		w.lead("a")
		w.tell(note("n1", "notice", "role:commander", "person:wu.hao"))
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifyDelivered)
		w.sent("mail", 2)
		w.bounce("n1.d-1")
		time.Sleep(10 * time.Second)
		if m := w.sent("sms", 1)[0]; !strings.HasSuffix(m.To, "li.wei") {
			t.Errorf("%+v", m.Message)
		}
		w.bounce("n1.d-3")
		time.Sleep(10 * time.Second)
		if len(failed) != 1 || failed[0] != "n1 "+notify.FailAddress {
			t.Error(failed)
		}
		w.sent("mail", 2)
		w.sent("sms", 1)
	})
}
