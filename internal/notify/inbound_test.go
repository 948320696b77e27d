package notify_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

func TestAgrees(t *testing.T) {
	for text, want := range map[string]bool{
		"ok": true, "OK!": true, "Ok, on it": true, "okay": true, "1": true, "１": true, "yes": true, "Y": true, "ACK": true, "done": true,
		"on it": true, "Got it.": true, "收到": true, "收到！": true, "收到，马上处理": true, "好的我来处理": true, "确认": true, "已处理。": true, "处理中": true,
		"已收到": true, "好": true, "👍": true, "👍🏻": true, "\n\n  ok\n\nOn Monday somebody wrote:\n> not yet": true,
		"收到\n\n发件人: Holdfast": true, "ok k7f3q2ab": true, "[k7f3q2ab] 收到": true,

		"": false, "?": false, "ok?": false, "not ok": false, "no": false, "2": false, "1 of them is down": false, "who is this": false,
		"不行": false, "没收到": false, "收到不到": false, "确认一下是什么": false, "无法处理": false, "好的吗？": false, "I can't": false, "ok but can't": false,
		"> ok": false, "On Monday somebody wrote:\n> ok": false, "发件人: ok": false, "STOP": false, "拒收": false, "okra": false,
	} {
		if got := notify.Agrees(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func (d *desk) take(events ...notify.Event) {
	d.t.Helper()
	if err := d.Take(d.t.Context(), "sms", events); err != nil {
		d.t.Fatal(err)
	}
}

// sent is a message that went out over the channel sms.
func (d *desk) sent(notification, person, provider string, at time.Time) {
	d.write(continuity.KindDelivery, notification+".d-1", continuity.Delivery{
		ID: notification + ".d-1", Notification: notification, Person: person, Sender: "sms", Provider: provider, Sent: at, State: continuity.DeliveryDelivered,
	})
}

func TestAnAnswerAcknowledgesWhatItBelongsTo(t *testing.T) {
	at := time.Now()
	for _, c := range []struct {
		name  string
		event notify.Event
		want  string // which is acknowledged, by whom
	}{
		{"by its code", notify.Event{Kind: notify.EventReply, Text: "CODE ok", From: "+8613900139002"}, "o.n-1 li.wei by sms"},
		{"by its code alone", notify.Event{Kind: notify.EventReply, Text: "CODE"}, "o.n-1 li.wei by sms"},
		{"by a code that the provider found", notify.Event{Kind: notify.EventReply, Text: "收到", Token: "CODE"}, "o.n-1 li.wei by sms"},
		{"by its address, the last that was told", notify.Event{Kind: notify.EventReply, Text: "ok", From: "13800138001"}, "o.n-2 li.wei by sms"},
		{"by the message it answers", notify.Event{Kind: notify.EventReply, Text: "ok", ID: "p-3"}, "o.n-3 zhang.min by sms"},
		{"by a key", notify.Event{Kind: notify.EventAcknowledged, ID: "p-3"}, "o.n-3 zhang.min by sms"},
		{"no", notify.Event{Kind: notify.EventReply, Text: "CODE no", From: "13800138001"}, ""},
		{"from nobody", notify.Event{Kind: notify.EventReply, Text: "ok", From: "13700137003"}, ""},
		{"with a wrong code, from nobody", notify.Event{Kind: notify.EventReply, Text: "ok k7f3q2ab", From: "13700137003"}, ""},
		{"with a wrong token of its provider", notify.Event{Kind: notify.EventReply, Text: "ok", Token: "k7f3q2ab", ID: "p-3", From: "13800138001"}, ""},
		{"a wrong code alone", notify.Event{Kind: notify.EventReply, Text: "k7f3q2ab", From: "13800138001"}, ""},
		{"of a message that nobody sent", notify.Event{Kind: notify.EventAcknowledged, ID: "p-9"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			for i, person := range []string{"li.wei", "li.wei", "zhang.min"} {
				id := []string{"o.n-1", "o.n-2", "o.n-3"}[i]
				d.page(id)
				d.sent(id, person, []string{"p-1", "p-2", "p-3"}[i], at.Add(time.Duration(i)*time.Minute))
			}
			over := d.page("o.n-4") // it was told last, and is over
			over.State, over.Ended = continuity.NotifyCancelled, at
			d.write(continuity.KindNotification, over.ID, over)
			d.sent("o.n-4", "li.wei", "p-4", at.Add(time.Hour))
			code, change := notify.Link{Notification: "o.n-1", Person: "li.wei"}.Code("sms")
			d.put(change)
			replace := func(s *string) {
				for i := range len(*s) - 3 {
					if (*s)[i:i+4] == "CODE" {
						*s = (*s)[:i] + code + (*s)[i+4:]
						return
					}
				}
			}
			if len(c.event.Text) > 3 {
				replace(&c.event.Text)
			}
			if len(c.event.Token) > 3 {
				replace(&c.event.Token)
			}
			d.take(c.event)
			got := ""
			for _, id := range []string{"o.n-1", "o.n-2", "o.n-3"} {
				if state, by := d.state(id); state == continuity.NotifyAcknowledged {
					got += id + " " + by
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestACodeIsGoodOnItsChannelOnly has a code that leaked come over another one.
func TestACodeIsGoodOnItsChannelOnly(t *testing.T) {
	d := newDesk(t)
	d.page("o.n-1")
	code, change := notify.Link{Notification: "o.n-1"}.Code("mail")
	d.put(change)
	d.take(notify.Event{Kind: notify.EventReply, Text: code + " ok"})
	if state, _ := d.state("o.n-1"); state != continuity.NotifyWaiting {
		t.Error(state)
	}
	d.none(code)
}

func TestWhatBecameOfAMessage(t *testing.T) {
	d := newDesk(t)
	d.page("o.n-1")
	d.sent("o.n-1", "li.wei", "p-1", d.now)
	d.sent("o.n-2", "li.wei", "p-2", d.now)
	at := d.now.Add(time.Minute).UTC().Truncate(time.Second)
	d.take(notify.Event{Kind: notify.EventArrived, ID: "p-1", At: at}, notify.Event{Kind: notify.EventFailed, ID: "p-1", Code: notify.FailAddress},
		notify.Event{Kind: notify.EventFailed, ID: "p-2", Code: notify.FailAddress}, notify.Event{Kind: notify.EventArrived, ID: ""}, notify.Event{Kind: notify.EventFailed, ID: "p-9"})
	var one, two continuity.Delivery
	d.read(continuity.KindDelivery, "o.n-1.d-1", &one)
	d.read(continuity.KindDelivery, "o.n-2.d-1", &two)
	if !one.Confirmed.Equal(at) || one.State != continuity.DeliveryDelivered { // what arrived has not failed
		t.Errorf("%+v", one)
	}
	if two.State != continuity.DeliveryFailed || two.Failure != notify.FailAddress {
		t.Errorf("%+v", two)
	}
}

// TestAnAnswerCountsOnce has a provider report an answer again and again, as all do
// that don't hear in time that it was taken.
func TestAnAnswerCountsOnce(t *testing.T) {
	d := newDesk(t)
	at := d.now
	d.page("o.n-1")
	d.sent("o.n-1", "li.wei", "p-1", at)
	d.page("o.n-2")
	d.sent("o.n-2", "li.wei", "p-2", at.Add(time.Second))
	answer := notify.Event{Kind: notify.EventReply, Text: "ok", From: "13800138001", At: at.Add(5 * time.Second)}
	d.take(answer)
	d.take(answer, answer)
	want := func(id, state string) {
		t.Helper()
		if got, _ := d.state(id); got != state {
			t.Errorf("%s is %s, want %s", id, got, state)
		}
	}
	want("o.n-2", continuity.NotifyAcknowledged)
	want("o.n-1", continuity.NotifyWaiting)
	d.page("o.n-3")
	d.sent("o.n-3", "li.wei", "p-3", at.Add(time.Hour))
	answer.At = at.Add(10 * time.Second) // reported an hour late: it can't be of that
	d.take(answer)
	want("o.n-3", continuity.NotifyWaiting)
	want("o.n-1", continuity.NotifyAcknowledged)
	d.now = at.Add(25 * time.Hour)
	if err := d.Sweep(t.Context(), engine, nil); err != nil {
		t.Fatal(err)
	}
	left, _, err := d.store.List(t.Context(), continuity.Query{Kind: notify.KindLink, Limit: 10})
	if err != nil || len(left) != 0 {
		t.Errorf("%d, %v", len(left), err)
	}
}

// TestAnAnswerIsOfAPage leaves what others are still to be told, by whatever it is
// answered.
func TestAnAnswerIsOfAPage(t *testing.T) {
	d := newDesk(t)
	d.page("o.n-1")
	d.sent("o.n-1", "li.wei", "p-1", d.now)
	notice := d.page("o.n-2")
	notice.Urgency, notice.State = continuity.UrgencyNotice, continuity.NotifySending
	d.write(continuity.KindNotification, notice.ID, notice)
	d.sent("o.n-2", "li.wei", "p-2", d.now.Add(time.Minute))
	d.take(notify.Event{Kind: notify.EventReply, Text: "ok", ID: "p-2"}, notify.Event{Kind: notify.EventReply, Text: "ok", From: "13800138001"})
	if state, _ := d.state("o.n-2"); state != continuity.NotifySending {
		t.Error(state)
	}
	if state, _ := d.state("o.n-1"); state != continuity.NotifyAcknowledged {
		t.Error(state)
	}
}

// TestAKeyOnACallWhoseAnswerWasLost has a node die after it had somebody called: what
// the provider calls that call is not known, and the key counts all the same.
func TestAKeyOnACallWhoseAnswerWasLost(t *testing.T) {
	for _, c := range []struct {
		name  string
		d     continuity.Delivery
		event notify.Event
		want  string
	}{
		{"while it is under way", continuity.Delivery{State: continuity.DeliverySending}, notify.Event{}, continuity.NotifyAcknowledged},
		{"after it was made again", continuity.Delivery{State: continuity.DeliveryDelivered, Repeat: true, Provider: "c-2"}, notify.Event{}, continuity.NotifyAcknowledged},
		{"a report without a time", continuity.Delivery{State: continuity.DeliverySending}, notify.Event{At: time.Time{}.Add(-1)}, continuity.NotifyAcknowledged},
		{"of a call that is known by another name", continuity.Delivery{State: continuity.DeliveryDelivered, Provider: "c-2"}, notify.Event{}, continuity.NotifyWaiting},
		{"of somebody else", continuity.Delivery{State: continuity.DeliverySending}, notify.Event{From: "13900139002"}, continuity.NotifyWaiting},
		{"of a call that is long over", continuity.Delivery{State: continuity.DeliverySending}, notify.Event{At: time.Now().Add(time.Hour)}, continuity.NotifyWaiting},
		{"of a call before", continuity.Delivery{State: continuity.DeliverySending}, notify.Event{At: time.Now().Add(-time.Hour)}, continuity.NotifyWaiting},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.page("o.n-1")
			v := c.d
			v.ID, v.Notification, v.Person, v.Sender, v.Attempts, v.Tried = "o.n-1.d-1", "o.n-1", "li.wei", "sms", 1, []time.Time{d.now}
			d.write(continuity.KindDelivery, v.ID, v)
			e := c.event
			e.Kind, e.ID, e.Text = notify.EventAcknowledged, "c-1", "1"
			if e.From == "" {
				e.From = "13800138001"
			}
			switch {
			case e.At.IsZero():
				e.At = d.now.Add(20 * time.Second)
			case e.At.Year() < 2: // its provider says none
				e.At = time.Time{}
			}
			d.take(e)
			if state, _ := d.state("o.n-1"); state != c.want {
				t.Errorf("%s, want %s", state, c.want)
			}
		})
	}
}

// lists counts how often all deliveries are read.
type lists struct {
	notify.SentStore

	n int
}

func (l *lists) List(ctx context.Context, q continuity.Query) ([]continuity.Object, string, error) {
	if q.Kind == continuity.KindDelivery {
		l.n++
	}
	return l.SentStore.List(ctx, q)
}

// TestAProvidersWordReadsNotEverything has receipts come for messages that were sent
// after the first one came.
func TestAProvidersWordReadsNotEverything(t *testing.T) {
	d := newDesk(t)
	l := &lists{SentStore: d.store}
	d.Store = l
	for i := range 5 {
		id := "o.n-" + strconv.Itoa(i)
		d.sent(id, "li.wei", "p-"+id, d.now)
		d.take(notify.Event{Kind: notify.EventFailed, ID: "p-" + id, Code: notify.FailAddress})
		var v continuity.Delivery
		if d.read(continuity.KindDelivery, id+".d-1", &v); v.State != continuity.DeliveryFailed {
			t.Errorf("%+v", v)
		}
	}
	if l.n != 1 {
		t.Errorf("everything was read %d times", l.n)
	}
}
