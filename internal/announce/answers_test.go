package announce_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

func (w *world) reply(id string) continuity.Autoreply {
	w.Helper()
	a, _ := read[continuity.Autoreply](w, continuity.KindAutoreply, id)
	return a
}

// TestAutomaticRepliesStandWithWhatTheyAreAbout has the answer of an incident go
// before that of a window in which it began, and the window's come back; what a step
// of a runbook wants is left alone.
func TestAutomaticRepliesStandWithWhatTheyAreAbout(t *testing.T) {
	w := newWorld(t)
	window := continuity.Window{ID: "orders-w-1", Service: "orders", State: continuity.WindowRunning, Start: w.now, End: w.now.Add(time.Hour), Began: w.now}
	w.put(continuity.KindWindow, window.ID, window)
	w.step()
	for _, id := range []string{"orders.chat", "orders.route.shop"} {
		if a := w.reply(id); !a.On || a.About != "window/orders-w-1" || a.Text.En != "Maintenance until 2026-03-02 17:00 UTC+08:00." {
			t.Errorf("%+v", a)
		}
	}
	if a := w.reply("orders.route.shop"); a.Route != "shop" || a.Channel != "" {
		t.Errorf("%+v", a)
	}
	w.now = w.now.Add(time.Minute)
	w.begin(nil)
	if a := w.reply("orders.chat"); a.About != "incident/"+incident || len(a.Wanted) != 2 {
		t.Errorf("%+v", a)
	}
	window.State, window.End = continuity.WindowOverrun, w.now.Add(2*time.Hour)
	w.put(continuity.KindWindow, window.ID, window)
	w.restart()
	w.step()
	a := w.reply("orders.chat")
	a.Want(continuity.AutoreplyFor{About: "run/r-1", Text: continuity.Text{En: "by hand"}, Since: w.now, Until: w.now.Add(30 * time.Minute)})
	w.put(continuity.KindAutoreply, a.ID, a)
	w.pass(time.Minute)
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved = continuity.Resolved, w.now })
	if a := w.reply("orders.chat"); a.Text.En != "by hand" || len(a.Wanted) != 2 {
		t.Errorf("%+v", a)
	}
	w.pass(29*time.Minute - time.Second)
	if a := w.reply("orders.chat"); a.Text.En != "by hand" {
		t.Errorf("%+v", a)
	}
	w.pass(time.Second)
	if a := w.reply("orders.chat"); a.Text.En != "It takes longer: 2026-03-02 18:01 UTC+08:00." {
		t.Errorf("%+v", a)
	}
	w.known = false // it ends though no plan is known
	window.State = continuity.WindowDone
	w.put(continuity.KindWindow, window.ID, window)
	w.step()
	for _, id := range []string{"orders.chat", "orders.route.shop"} {
		if a := w.reply(id); a.On || len(a.Wanted) != 0 {
			t.Errorf("%+v", a)
		}
	}
}

// TestAnswersGoByThePlan has the text follow what is said, an exercise be marked, and
// a channel that the plan no longer names fall silent.
func TestAnswersGoByThePlan(t *testing.T) {
	w := newWorld(t)
	w.begin(func(i *continuity.Incident) { i.Exercise = "drill" })
	if a := w.reply("orders.chat"); a.Text.En != "(exercise) Order desk is disturbed since 2026-03-02 15:59 UTC+08:00. Use help@standby.example. Again at a later time." {
		t.Errorf("%q", a.Text.En)
	}
	w.pass(4 * time.Minute)
	if a := w.reply("orders.chat"); a.Text.Zh != "（演练）订单服务 自 2026-03-02 15:59 UTC+08:00 异常，请用 help@standby.example，2026-03-02 16:24 UTC+08:00 再报。" {
		t.Errorf("%q", a.Text.Zh)
	}
	w.rules.Answers = w.rules.Answers[1:]
	w.pass(time.Second)
	if a := w.reply("orders.chat"); a.On {
		t.Errorf("%+v", a)
	}
	w.becomes(func(i *continuity.Incident) { i.Grade = "SEV-3" }) // customers are told from SEV-2 on
	if a := w.reply("orders.route.shop"); a.On {
		t.Errorf("%+v", a)
	}
}

// forgetful is a store whose answer to a commit is lost.
type forgetful struct {
	follow.Store
	lose *bool
}

var errLost = errors.New("the answer was lost")

func (f forgetful) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	objects, err := f.Store.Commit(ctx, b)
	if *f.lose && err == nil {
		*f.lose = false
		return nil, errLost
	}
	return objects, err
}

// TestNoWordTwiceWhereTheAnswerIsLost has the engine begin anew where it does not know
// whether its words became true.
func TestNoWordTwiceWhereTheAnswerIsLost(t *testing.T) {
	w := newWorld(t)
	lose := false
	w.f = follow.New(follow.Options{
		Store: forgetful{w.store, &lose}, Name: "announce", Node: "n", Kinds: announce.Kinds, Now: func() time.Time { return w.now },
		Lease: func() (continuity.Lease, bool) {
			lease, ok, err := w.store.Lead(context.Background(), "control", "node", time.Hour)
			return lease, ok && err == nil
		},
	}, announce.New(w))
	w.begin(nil)
	w.now = w.now.Add(4 * time.Minute)
	lose = true
	if _, err := w.f.Step(t.Context()); !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	w.step()
	w.want(firstCustomers + " " + firstStaff)
}
