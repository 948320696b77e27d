package notify_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/store"
)

var engine = continuity.Actor{Kind: continuity.ActorEngine, ID: "test"}

// desk is a store with what is acknowledged in it, at a time that tests set.
type desk struct {
	*notify.Acks

	t     *testing.T
	store *store.Store
	kept  notify.AckStore // what is read; nil: store
	now   time.Time
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d := &desk{t: t, store: s, now: time.Now()}
	d.Acks = &notify.Acks{Store: s, Now: func() time.Time { return d.now }, Addresses: func(_ context.Context, person string) ([]string, error) {
		return map[string][]string{"li.wei": {"+86 138-0013-8001", "li.wei@example.com"}, "zhang.min": {"+8613900139002"}}[person], nil
	}}
	return d
}

func (d *desk) put(changes ...continuity.Change) {
	d.t.Helper()
	if _, err := d.store.Commit(d.t.Context(), continuity.Batch{Actor: engine, Changes: changes}); err != nil {
		d.t.Fatal(err)
	}
}

// write stores an object as it is, whatever there was.
func (d *desk) write(kind, id string, v any) {
	d.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(continuity.Change{Kind: kind, ID: id, Version: continuity.VersionAny, Body: body, Action: "test.put"})
}

func (d *desk) page(id string) continuity.Notification {
	n := continuity.Notification{
		ID: id, Service: "orders", About: "incident/orders-2026-7", Urgency: continuity.UrgencyPage, At: d.now,
		Subject: continuity.Text{En: "Orders are down", Zh: "订单不可用"}, State: continuity.NotifyWaiting,
	}
	d.write(continuity.KindNotification, id, n)
	return n
}

func (d *desk) read(kind, id string, v any) {
	d.t.Helper()
	from := d.kept
	if from == nil {
		from = d.store
	}
	o, err := from.Get(d.t.Context(), kind, id)
	if err == nil {
		err = json.Unmarshal(o.Body, v)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// state of a notification, and who acknowledged it.
func (d *desk) state(id string) (state, by string) {
	d.t.Helper()
	var n continuity.Notification
	d.read(continuity.KindNotification, id, &n)
	if n.AckBy != nil {
		by = n.AckBy.ID + " by " + n.AckBy.Via
	}
	return n.State, by
}

func (d *desk) token(l notify.Link) string {
	d.t.Helper()
	token, c := l.Token()
	d.put(c)
	return token
}

// none requires the one answer to tokens that open nothing.
func (d *desk) none(token string) {
	d.t.Helper()
	_, looked := d.Look(d.t.Context(), token)
	_, acked := d.Acknowledge(d.t.Context(), token, "")
	for _, err := range []error{looked, acked} {
		if continuity.CodeOf(err) != continuity.CodeNotFound || strings.Contains(err.Error(), "n-1") {
			d.t.Errorf("%q: %v", token, err)
		}
	}
}

func TestALinkShowsAndAcknowledges(t *testing.T) {
	d := newDesk(t)
	d.page("o.n-1")
	token := d.token(notify.Link{Notification: "o.n-1", Person: "li.wei"})
	if len(token) != 26 {
		t.Errorf("%q is no 128 bits", token)
	}
	shown, err := d.Look(t.Context(), token)
	if err != nil || shown.Done || shown.Subject.Zh != "订单不可用" || !shown.Urgent || shown.Person != "li.wei" {
		t.Fatalf("%+v, %v", shown, err)
	}
	if state, _ := d.state("o.n-1"); state != continuity.NotifyWaiting {
		t.Errorf("looking made it %s", state)
	}
	for range 2 { // the second time changes nothing
		shown, err = d.Acknowledge(t.Context(), token, "somebody else")
		if err != nil || !shown.Done || shown.By != "li.wei" {
			t.Fatalf("%+v, %v", shown, err)
		}
	}
	events, _, err := d.store.Events(t.Context(), continuity.EventQuery{Action: "notification.acknowledged"})
	if err != nil || len(events) != 1 || events[0].Actor != (continuity.Actor{Kind: "person", ID: "li.wei", Via: "link"}) {
		t.Errorf("%+v, %v", events, err)
	}
	all, _, err := d.store.Events(t.Context(), continuity.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if text := all[i].ID + string(all[i].Before) + string(all[i].After); strings.Contains(text, token) {
			t.Errorf("an event bears the token: %s", text)
		}
	}
	// Others who were told see who it was, for a time.
	other := d.token(notify.Link{Notification: "o.n-1", Person: "zhang.min"})
	if shown, err = d.Look(t.Context(), other); err != nil || shown.By != "li.wei" {
		t.Errorf("%+v, %v", shown, err)
	}
	d.now = d.now.Add(2 * time.Hour)
	d.none(token)
	d.none(other)
}

func TestTokensThatOpenNothingGetOneAnswer(t *testing.T) {
	d := newDesk(t)
	n := d.page("o.n-1")
	token := d.token(notify.Link{Notification: "o.n-1"})
	_, change := notify.Link{Notification: "o.n-1"}.Code("sms")
	for _, wrong := range []string{"", "x", token[1:], token + "a", strings.ToUpper(token), strings.Repeat("a", 26), change.ID, "../" + token[3:]} {
		d.none(wrong)
	}
	n.State, n.Ended = continuity.NotifyCancelled, d.now
	d.write(continuity.KindNotification, n.ID, n)
	d.none(token)
	d.none(d.token(notify.Link{Notification: "o.n-2"}))
}

func TestWhoeverOpensARoomsLinkSaysWhoTheyAre(t *testing.T) {
	d := newDesk(t)
	d.page("o.n-1")
	token := d.token(notify.Link{Notification: "o.n-1"})
	if shown, err := d.Acknowledge(t.Context(), token, " Sun\x1b[2J \n Lan "); err != nil || shown.By != "Sun [2J Lan" {
		t.Errorf("%+v, %v", shown, err)
	}
}

func TestWhatAMessageTellsBesidesIsAcknowledgedWithIt(t *testing.T) {
	d := newDesk(t)
	d.page("o.n-1")
	d.page("o.n-2")
	d.page("o.n-3")
	d.write(continuity.KindDelivery, "o.n-1.d-1", continuity.Delivery{ID: "o.n-1.d-1", Notification: "o.n-1", With: []string{"o.n-2", "gone"}})
	token := d.token(notify.Link{Notification: "o.n-1", Delivery: "o.n-1.d-1", Person: "li.wei"})
	if _, err := d.Acknowledge(t.Context(), token, ""); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"o.n-1": continuity.NotifyAcknowledged, "o.n-2": continuity.NotifyAcknowledged, "o.n-3": continuity.NotifyWaiting} {
		if state, _ := d.state(id); state != want {
			t.Errorf("%s is %s", id, state)
		}
	}
}

func TestLinksAreForgottenOnceTheyOpenNothing(t *testing.T) {
	d := newDesk(t)
	n := d.page("o.n-1")
	d.page("o.n-2")
	d.token(notify.Link{Notification: "o.n-1"})
	d.token(notify.Link{Notification: "o.n-2"})
	d.token(notify.Link{Trial: "mail/abc"})
	count := func() int {
		page, _, err := d.store.List(t.Context(), continuity.Query{Kind: notify.KindLink})
		if err != nil {
			t.Fatal(err)
		}
		return len(page)
	}
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{0, 3}, {2 * time.Hour, 2}, {23 * time.Hour, 1}} {
		d.now = d.now.Add(step.after)
		if step.after == 0 {
			n.State, n.Ended = continuity.NotifyDelivered, d.now
			d.write(continuity.KindNotification, n.ID, n)
		}
		if err := d.Sweep(t.Context(), engine, nil); err != nil {
			t.Fatal(err)
		}
		if got := count(); got != step.left {
			t.Errorf("after %s: %d links", step.after, got)
		}
	}
}
