package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

var li = continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}

// post is a channel that keeps what it was given, and fails as a test wants.
type post struct {
	mu   sync.Mutex
	got  []received
	fail func(ctx context.Context, m *notify.Message) error
}

type received struct {
	at time.Time
	notify.Message
}

func (p *post) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	p.mu.Lock()
	p.got = append(p.got, received{time.Now(), *m})
	fail := p.fail
	p.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, m); err != nil {
			return notify.Sent{}, err
		}
	}
	return notify.Sent{ID: "p", Arrived: true}, nil
}

func (p *post) all() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// dead never answers.
func dead(ctx context.Context, _ *notify.Message) error {
	<-ctx.Done()
	return &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}
}

// world is an engine over a real database, in a time of its own. Its people have
// mail and phone, li.wei leads, and everybody is the team.
type world struct {
	*testing.T

	store *store.Store
	acts  *notify.Acts
	posts map[string]*post
	kinds map[string]notify.Kind
	room  map[string]int
	night bool // hours of quiet until the hour of a test
	until time.Time
	words map[string]notify.Words
	o     notify.Options
	began time.Time
}

func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, store: storetest.Open(t, filepath.Join(t.TempDir(), "state.db")), began: time.Now()}
		w.posts = map[string]*post{"mail": {}, "sms": {}, "room": {}}
		w.kinds = map[string]notify.Kind{
			"mail": {Name: "mail", Address: "mail", Serves: []string{"mail"}}, "sms": {Name: "sms", Address: "phone", Serves: []string{"sms"}},
			"room": {Name: "webhook", Serves: []string{"board"}, Keys: true},
		}
		w.room, w.words = map[string]int{}, map[string]notify.Words{}
		w.acts = notify.NewActs(w.store, w, time.Now)
		w.o = notify.Options{Store: w.store, Node: "a", Router: w, Channels: w, Seed: 1, Every: time.Second, Log: slog.New(slog.DiscardHandler)}
		test(w)
	})
}

func (w *world) Sender(id string) (notify.Opened, bool) {
	p, ok := w.posts[id]
	return notify.Opened{ID: id, Kind: w.kinds[id], Channel: p, PerMinute: w.room[id]}, ok
}

func (w *world) Words(_, template string) (words notify.Words, ok bool) {
	words, ok = w.words[template]
	return words, ok
}

func (w *world) Resolve(_ context.Context, a notify.Ask) (all []notify.Target, err error) {
	people := map[string][]string{
		"role/commander": {"li.wei"}, "deputies/commander": {"zhang.min"}, "team/technical": {"li.wei", "zhang.min", "wu.hao"}, "audience/crew": {"li.wei", "zhang.min", "wu.hao"},
	}[a.To.Kind+"/"+a.To.ID]
	if a.To.Kind == continuity.ToPerson {
		people = []string{a.To.ID}
	}
	for _, id := range people {
		t := notify.Target{ID: id, Person: id, Name: id, Languages: []string{"en"}, Ways: []notify.Way{
			{Channel: "mail", Sender: "mail", Kind: "mail", Address: id + "@example.com"}, {Channel: "sms", Sender: "sms", Kind: "phone", Address: "+86138000" + id},
		}}
		if id == "wu.hao" {
			t.Languages = []string{"zh"}
		}
		if w.night {
			t.Free = func(at time.Time) time.Time {
				if at.Before(w.until) {
					return w.until
				}
				return at
			}
		}
		all = append(all, t)
	}
	if a.To.Kind == continuity.ToAudience && people == nil {
		all = append(all, notify.Target{ID: a.To.ID + "/room", Languages: []string{"zh", "en"}, Ways: []notify.Way{{Channel: "room", Sender: "room"}}})
	}
	return all, nil
}

// lead makes a node the leader and runs its engine until stop is called; lose has
// it lead no longer, without a word.
func (w *world) lead(name string) (stop, lose func()) {
	w.Helper()
	lease, ok, err := w.store.Lead(w.Context(), "control", name, time.Nanosecond)
	if err != nil || !ok {
		w.Fatal(ok, err)
	}
	var mu sync.Mutex
	leads := true
	o := w.o
	o.Node = name
	o.Lease = func() (continuity.Lease, bool) {
		mu.Lock()
		defer mu.Unlock()
		return lease, leads
	}
	ctx, cancel := context.WithCancel(w.Context())
	var running sync.WaitGroup
	running.Go(func() { notify.New(o).Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	w.Cleanup(stop)
	return stop, func() { mu.Lock(); leads = false; mu.Unlock() }
}

func note(id, urgency string, to ...string) continuity.Notification {
	n := continuity.Notification{
		ID: id, Service: "orders", About: "warning/" + id, Urgency: urgency, At: time.Now(),
		Subject: continuity.Text{En: "Orders are slow", Zh: "订单变慢"}, Text: continuity.Text{En: "Since 10:02.", Zh: "自 10:02 起。"},
	}
	n.To = recipients(to...)
	return n
}

func recipients(texts ...string) (all []continuity.Recipient) {
	for _, text := range texts {
		kind, name, _ := strings.Cut(text, ":")
		all = append(all, continuity.Recipient{Kind: kind, ID: name})
	}
	return all
}

func (w *world) tell(all ...continuity.Notification) {
	w.Helper()
	for chunk := range slices.Chunk(all, 1000) {
		b := continuity.Batch{Actor: continuity.Actor{Kind: "engine", ID: "test"}}
		for _, n := range chunk {
			b.Changes = append(b.Changes, continuity.Tell(n))
		}
		if _, err := w.store.Commit(w.Context(), b); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) get(id string) notify.Detail {
	w.Helper()
	d, _, err := w.acts.Get(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func (w *world) want(id, state string) notify.Detail {
	w.Helper()
	d := w.get(id)
	if d.State != state {
		body, _ := json.Marshal(d)
		w.Errorf("%s is %s, want %s: %s", id, d.State, state, body)
	}
	return d
}

func (w *world) sent(channel string, want int) []received {
	w.Helper()
	got := w.posts[channel].all()
	if len(got) != want {
		w.Fatalf("%s got %d messages, want %d: %v", channel, len(got), want, w.texts(channel))
	}
	return got
}

func (w *world) texts(channel string) (all []string) {
	for _, m := range w.posts[channel].all() {
		all = append(all, fmt.Sprintf("%v %s %s: %s | %s", m.at.Sub(w.began), m.Key, m.To, m.Subject, m.Text))
	}
	return all
}

func TestNotice(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		w.tell(note("n1", "notice", "person:wu.hao", "audience:staff"))
		time.Sleep(5 * time.Second)
		d := w.want("n1", continuity.NotifyDelivered)
		if m := w.sent("mail", 1)[0]; m.Subject != "订单变慢" || m.Text != "自 10:02 起。" || m.To != "wu.hao@example.com" || m.Urgent || m.Language != "zh" {
			t.Errorf("%+v", m)
		}
		if m := w.sent("room", 1)[0]; m.Text != "自 10:02 起。\n\nSince 10:02." || m.To != "" {
			t.Errorf("%+v", m)
		}
		if len(d.Deliveries) != 2 || d.Deliveries[0].Address != "w…@example.com" || d.Deliveries[0].State != continuity.DeliveryDelivered {
			t.Errorf("%+v", d.Deliveries)
		}
	})
}

func TestPageAcknowledged(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		n := note("n1", "page", "role:commander")
		n.Escalate = recipients("deputies:commander")
		w.tell(n)
		time.Sleep(4 * time.Minute)
		w.want("n1", continuity.NotifyWaiting)
		if m := w.sent("mail", 1)[0]; !m.Urgent {
			t.Errorf("%+v", m)
		}
		if _, err := w.acts.Acknowledge(w.Context(), li, "n1", continuity.VersionAny); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if d := w.want("n1", continuity.NotifyAcknowledged); d.AckBy == nil || d.AckBy.ID != "li.wei" {
			t.Errorf("%+v", d)
		}
		w.sent("mail", 1)
		if _, err := w.acts.Acknowledge(w.Context(), li, "n1", continuity.VersionAny); continuity.CodeOf(err) != continuity.CodeState {
			t.Error(err)
		}
	})
}

func TestEscalation(t *testing.T) {
	inBubble(t, func(w *world) {
		var failed []string
		w.o.Failed = func(n *continuity.Notification, _ time.Time) []continuity.Change {
			failed = append(failed, n.ID)
			return []continuity.Change{{Kind: "signal", ID: "untold", Version: continuity.VersionAny, Body: json.RawMessage(`{}`), Action: "signal.firing"}}
		}
		w.lead("a")
		n := note("n1", "page", "role:commander")
		n.Escalate = recipients("deputies:commander", "team:nobody", "team:technical")
		w.tell(n)
		time.Sleep(20 * time.Minute)
		d := w.want("n1", continuity.NotifyFailed)
		var at []time.Duration
		for _, m := range w.sent("mail", 5) {
			at = append(at, m.at.Sub(w.began).Truncate(10*time.Second))
		}
		if want := []time.Duration{0, 5 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute}; !slices.Equal(at, want) {
			t.Error(at)
		}
		if d.Failure != notify.FailUnacknowledged || len(d.Escalated) != 3 || len(failed) != 1 {
			t.Errorf("%+v, %v", d.Notification, failed)
		}
		if _, err := w.store.Get(w.Context(), "signal", "untold"); err != nil {
			t.Error(err)
		}
	})
}

func TestDeadChannelFallsBack(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = dead
		w.lead("a")
		w.tell(note("n1", "page", "role:commander"))
		time.Sleep(40 * time.Second)
		d := w.want("n1", continuity.NotifyWaiting)
		m := w.sent("sms", 1)[0]
		if after := m.at.Sub(w.began); after > 30*time.Second || m.Repeat || m.Text != "Since 10:02." {
			t.Errorf("after %s: %+v", after, m)
		}
		two := w.sent("mail", 2)
		if !two[1].Repeat || !strings.HasPrefix(two[1].Text, "(repeat) ") || two[0].Repeat {
			t.Errorf("%+v", two)
		}
		if d.Deliveries[0].State != continuity.DeliveryFailed || d.Deliveries[0].Next != d.Deliveries[1].ID {
			t.Errorf("%+v", d.Deliveries)
		}
	})
}

// TestAllChannelsDead escalates at once, tries on, and ends failed.
func TestAllChannelsDead(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail, w.posts["sms"].fail = dead, dead
		w.room["mail"], w.room["sms"] = 100, 100
		w.lead("a")
		n := note("n1", "page", "role:commander")
		n.Escalate = recipients("deputies:commander")
		w.tell(n)
		time.Sleep(time.Minute)
		w.posts["mail"].mu.Lock()
		second := slices.IndexFunc(w.posts["mail"].got, func(m received) bool { return m.To == "zhang.min@example.com" })
		w.posts["mail"].mu.Unlock()
		if second < 0 {
			t.Fatal("the deputy was not told at once")
		}
		time.Sleep(9 * time.Minute)
		if d := w.want("n1", continuity.NotifyFailed); d.Failure != notify.FailUncertain || len(d.Escalated) != 0 {
			t.Errorf("%+v", d.Notification)
		}
	})
}

func TestRetrySchedule(t *testing.T) {
	inBubble(t, func(w *world) {
		w.o.Every = time.Hour
		w.tell(note("n1", "notice", "audience:staff"))
		w.posts["room"].fail = func(context.Context, *notify.Message) error {
			f := &notify.Failure{Code: notify.FailProvider, Retry: true}
			if time.Since(w.began) < 2*time.Second {
				f.After = time.Minute
			}
			return f
		}
		w.lead("a")
		time.Sleep(5 * 24 * time.Hour)
		if d := w.want("n1", continuity.NotifyFailed); d.Failure != notify.FailProvider || d.Deliveries[0].Attempts != 10 {
			t.Errorf("%+v", d)
		}
		got := w.sent("room", 10)
		for i, least := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour} {
			if gap := got[i+1].at.Sub(got[i].at); gap < least || gap > least+least/9+2*time.Second {
				t.Errorf("%d: %s, want %s", i, gap, least)
			}
		}
	})
}

func TestQuietHours(t *testing.T) {
	inBubble(t, func(w *world) {
		w.night, w.until = true, w.began.Add(7*time.Hour)
		w.lead("a")
		w.tell(note("n1", "notice", "role:commander"), note("n2", "info", "role:commander"), note("p1", "page", "role:commander"))
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifySending)
		w.want("p1", continuity.NotifyWaiting)
		w.sent("mail", 1)
		time.Sleep(7 * time.Hour)
		w.want("n1", continuity.NotifyDelivered)
		w.want("n2", continuity.NotifyDelivered)
		if m := w.sent("mail", 2)[1]; m.at.Before(w.until) || !strings.Contains(m.Text, "Also:\n- Orders are slow") {
			t.Errorf("%+v", m)
		}
	})
}

func TestSilence(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		s, err := w.acts.Silence(w.Context(), li, continuity.Silence{Service: "orders", Match: []string{"slow"}, Until: time.Now().Add(time.Hour), Why: "a test"})
		if err != nil {
			t.Fatal(err)
		}
		touched := note("orders.other", "notice", "role:commander")
		touched.Touches = []string{"database", "slow"}
		window := note("n3", "notice", "role:commander")
		window.About = "incident/orders.slow"
		w.tell(note("orders.slow", "notice", "role:commander"), note("orders.gone", "notice", "role:commander"), touched, window)
		time.Sleep(10 * time.Second)
		if d := w.want("orders.slow", continuity.NotifySilenced); d.By != "silence/"+s.ID {
			t.Error(d.By)
		}
		w.want("orders.other", continuity.NotifySilenced)
		w.want("orders.gone", continuity.NotifyDelivered)
		w.want("n3", continuity.NotifyDelivered)
		if _, err := w.acts.EndSilence(w.Context(), li, s.ID, s.Version); err != nil {
			t.Fatal(err)
		}
		again := note("n4", "notice", "role:commander")
		again.About = "warning/orders.slow"
		w.tell(again)
		time.Sleep(10 * time.Second)
		w.want("n4", continuity.NotifyDelivered)
	})
}

func TestTemplate(t *testing.T) {
	inBubble(t, func(w *world) {
		w.words["first"] = notify.Words{
			Text:  continuity.Text{En: "{service} is disturbed since {start}.", Zh: "{service} 自 {start} 起异常。"},
			Known: map[string]string{"service@en": "Orders", "service@zh": "订单"},
		}
		w.lead("a")
		whole := note("n1", "notice", "audience:customers")
		whole.Template, whole.Subject, whole.Text = "first", continuity.Text{}, continuity.Text{}
		whole.Vars = map[string]string{"start": "10:02"}
		hole := whole
		hole.ID, hole.Vars = "n2", map[string]string{"service": "Orders"}
		w.tell(whole, hole)
		time.Sleep(10 * time.Second)
		w.want("n1", continuity.NotifyDelivered)
		if d := w.want("n2", continuity.NotifyFailed); d.Failure != notify.FailTemplate {
			t.Error(d.Failure)
		}
		if m := w.sent("room", 1)[0]; m.Subject != "" || m.Text != "订单 自 10:02 起异常。\n\nOrders is disturbed since 10:02." {
			t.Errorf("%+v", m)
		}
	})
}

// TestAnExerciseSaysSo has what is sent in an exercise say that it is one.
func TestAnExerciseSaysSo(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		drill := note("n1", "notice", "person:wu.hao")
		drill.Exercise = "drill"
		w.tell(drill)
		time.Sleep(5 * time.Second)
		w.want("n1", continuity.NotifyDelivered)
		if m := w.sent("mail", 1)[0]; m.Subject != "（演练）订单变慢" || m.Text != "（演练）自 10:02 起。" {
			t.Errorf("%+v", m)
		}
	})
}

// TestAudiencesHearNothingOfOurs has an audience and whoever is in command told of one
// thing: that it is over is told to the second in our words, and to the first in
// none.
func TestAudiencesHearNothingOfOurs(t *testing.T) {
	inBubble(t, func(w *world) {
		stop, _ := w.lead("a")
		public := note("n2", "notice", "audience:customers")
		public.About, public.Subject = "warning/n1", continuity.Text{}
		public.Exercise = "drill"
		w.tell(note("n1", "page", "role:commander"), public)
		time.Sleep(10 * time.Second)
		if m := w.sent("room", 1)[0]; m.Subject != "" || !strings.HasPrefix(m.Text, "（演练）") {
			t.Errorf("%+v", m)
		}
		stop()
		w.lead("b")
		over := note("n3", "notice", "told:")
		over.About, over.Ends = "warning/n1", true
		w.tell(over)
		time.Sleep(time.Minute)
		w.want("n3", continuity.NotifyDelivered)
		w.sent("mail", 2)
		w.sent("room", 1)
		word := note("n4", "notice", "told:")
		word.About, word.To[0].Of = "warning/n1", "customers"
		w.tell(word)
		time.Sleep(time.Minute)
		w.sent("mail", 2)
		w.sent("room", 2)
	})
}

// TestOverIsToldToThoseWhoWereTold tells nobody else, and what was on its way is
// told no more.
func TestOverIsToldToThoseWhoWereTold(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		n := note("n1", "page", "role:commander")
		n.Escalate = recipients("deputies:commander")
		w.tell(n)
		time.Sleep(10 * time.Second)
		over := func(id, about string) continuity.Notification {
			n := note(id, "notice", "told:"+w.began.Format(time.RFC3339Nano))
			n.About, n.Ends, n.Subject.En = about, true, "Over"
			return n
		}
		w.posts["mail"].fail = nil
		w.tell(over("n2", "warning/n1"), over("n3", "warning/other"))
		time.Sleep(10 * time.Minute)
		if d := w.want("n1", continuity.NotifyDelivered); d.By != "n2" {
			t.Error(d.By)
		}
		w.want("n2", continuity.NotifyDelivered)
		w.want("n3", continuity.NotifyCancelled)
		if m := w.sent("mail", 2)[1]; m.Subject != "Over" || m.To != "li.wei@example.com" {
			t.Errorf("%+v", m)
		}
	})
}

// TestWhatIsSaidWithTheEndIsTold has one audience told that all is over in the moment
// in which others are told what that means for them: that is told, too, and what was
// to be told before is not, though nobody could tell any of it then.
func TestWhatIsSaidWithTheEndIsTold(t *testing.T) {
	inBubble(t, func(w *world) {
		w.tell(note("n1", "page", "role:commander"))
		time.Sleep(time.Minute)
		word, over := note("n2", "notice", "audience:customers"), note("n3", "notice", "role:commander")
		word.About, over.About, over.Ends = "warning/n1", "warning/n1", true
		w.tell(word, over)
		w.lead("a")
		time.Sleep(time.Minute)
		w.want("n1", continuity.NotifyCancelled)
		w.want("n2", continuity.NotifyDelivered)
		w.want("n3", continuity.NotifyDelivered)
	})
}

// TestWhoWasPagedIsStillOfTheAudience has one of an audience paged after all of it was
// told: what is told to the audience again is told to them, too.
func TestWhoWasPagedIsStillOfTheAudience(t *testing.T) {
	inBubble(t, func(w *world) {
		stop, _ := w.lead("a")
		of := func(id, urgency, to string) continuity.Notification {
			n := note(id, urgency, to)
			n.About = "window/w"
			return n
		}
		w.tell(of("n1", "notice", "audience:crew"))
		time.Sleep(time.Minute)
		w.sent("mail", 3)
		w.tell(of("n2", "notice", "role:commander"))
		time.Sleep(time.Minute)
		stop()
		w.lead("b")
		again := of("n3", "notice", "told:")
		again.To[0].Of = "crew"
		w.tell(again)
		time.Sleep(time.Minute)
		w.want("n3", continuity.NotifyDelivered)
		w.sent("mail", 3+1+3)
	})
}

func TestDoubled(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		n := note("n1", "notice", "role:commander")
		n.Doubled = true
		w.tell(n)
		time.Sleep(10 * time.Second)
		w.want("n1", continuity.NotifyDelivered)
		w.sent("mail", 1)
		w.sent("sms", 1)
	})
}

// sums requires that each notification is in one state that there is.
func (w *world) sums(asked int) notify.Standing {
	w.Helper()
	s, err := w.acts.Standing(w.Context(), "")
	sum := 0
	for _, n := range s.States {
		sum += n
	}
	if err != nil || s.Asked != asked || sum != asked {
		w.Errorf("%+v, %v", s, err)
	}
	return s
}
