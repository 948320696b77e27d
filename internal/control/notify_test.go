package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// pager is a server that people's phones listen to.
type pager struct {
	*httptest.Server

	mu  sync.Mutex
	got []beep
}

type beep struct {
	Topic, Title, Message string
	Priority              int
}

func newPager(t *testing.T) *pager {
	t.Helper()
	p := &pager{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b beep
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		p.got = append(p.got, b)
		n := len(p.got)
		p.mu.Unlock()
		_, _ = fmt.Fprintf(w, `{"id":"m%d","event":"message"}`, n)
	}))
	t.Cleanup(p.Close)
	return p
}

// about are the messages whose title ends so.
func (p *pager) about(end string) (found []beep) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.got {
		if strings.HasSuffix(b.Title, end) {
			found = append(found, b)
		}
	}
	return found
}

// paged is a node over whose one channel li.wei and zhang.min can be told.
func paged(t *testing.T, p *pager, edit ...string) *Node {
	t.Helper()
	n := run(t, settings(t, t.TempDir(), "channels:\n  - {id: pager, kind: ntfy, with: {server: \""+p.URL+"\"}}\n"))
	apply(t, n, "payment-outage", append(reading(newExporter(t)), edit...)...)
	people := []continuity.Person{
		{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}, Language: "zh", Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "li-wei-1"}}},
		{ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "zhang-min-1"}}},
	}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAWarningPagesWhoAnswersForIt has a red warning page the commander, in their
// language, within a minute of the fault; when it is over, those who were told
// learn it, and nobody else.
func TestAWarningPagesWhoAnswersForIt(t *testing.T) {
	p := newPager(t)
	n := paged(t, p)
	began := time.Now()
	fault := continuity.Signal{
		Service: "payment-outage", Source: continuity.FromAlert, Rule: "database", Level: continuity.LevelRed,
		Text: continuity.Text{En: "The database is gone", Zh: "数据库不可用"},
	}
	if err := n.inbox.Raise(t.Context(), li, fault); err != nil {
		t.Fatal(err)
	}
	until(t, "the page", func() bool { return len(p.about(fault.Text.Zh)) > 0 })
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the first page came after %s", took)
	}
	if b := p.about(fault.Text.Zh)[0]; b.Topic != "li-wei-1" || b.Priority != 5 || b.Title != "payment-outage：红色预警：数据库不可用" {
		t.Errorf("%+v", b)
	}
	const about = "warning/payment-outage.alert.database"
	acts := notify.NewActs(n.store, nil, time.Now)
	page, _, err := acts.List(t.Context(), notify.Query{About: about, All: true})
	if err != nil || len(page) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if _, err := acts.Acknowledge(t.Context(), li, page[0].ID, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	if err := n.inbox.End(t.Context(), li, fault.Service, fault.Source, fault.Rule); err != nil {
		t.Fatal(err)
	}
	until(t, "the end", func() bool { return len(p.about(fault.Text.Zh)) > 1 })
	if b := p.about(fault.Text.Zh)[1]; b.Topic != "li-wei-1" || b.Priority == 5 || b.Title != "payment-outage：已解除：数据库不可用" {
		t.Errorf("%+v", b)
	}
	until(t, "what became of both", func() bool {
		page, _, err := acts.List(t.Context(), notify.Query{About: about, All: true})
		return err == nil && len(page) == 2 && page[0].State == continuity.NotifyAcknowledged && page[1].State == continuity.NotifyDelivered
	})
	if d, _, err := acts.Get(t.Context(), page[0].ID); err != nil || len(d.Deliveries) != 1 || len(d.Deliveries[0].Number) != 16 {
		t.Errorf("%+v, %v", d.Deliveries, err)
	}
	until(t, "how the channel does", func() bool {
		info, err := n.channels.Channel(t.Context(), "pager")
		return err == nil && info.State == notify.ChannelUp && !info.LastSent.IsZero()
	})
}

func TestWhoIsMeant(t *testing.T) {
	n := paged(t, newPager(t))
	way := &router{node: n, senders: n.channels.senders}
	night := time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)
	who, version, err := n.store.People().Get(t.Context(), "zhang.min")
	if err != nil {
		t.Fatal(err)
	}
	who.Zone, who.Quiet = "UTC", []continuity.QuietHours{{From: "22:00", To: "07:00"}}
	who.Addresses = append(who.Addresses, continuity.Address{Kind: continuity.AddressNtfy, Value: "zhang-min-loud", For: continuity.ForPage})
	if _, err := n.store.People().Put(t.Context(), li, who, version, ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to      continuity.Recipient
		urgency string
		want    string
	}{
		{continuity.Recipient{Kind: continuity.ToRole, ID: "commander"}, continuity.UrgencyPage, "li.wei zh [li-wei-1]"},
		{continuity.Recipient{Kind: continuity.ToDeputies, ID: "commander"}, continuity.UrgencyNotice, "zhang.min en [zhang-min-1]"},
		{continuity.Recipient{Kind: continuity.ToPerson, ID: "zhang.min"}, continuity.UrgencyPage, "zhang.min en [zhang-min-1 zhang-min-loud]"},
		{continuity.Recipient{Kind: continuity.ToRole, ID: "nobody"}, continuity.UrgencyPage, ""},
		{continuity.Recipient{Kind: continuity.ToAddress, ID: "pager", Address: "night-shift"}, continuity.UrgencyPage, "pager/nig…ift en [night-shift]"},
	} {
		targets, err := way.Resolve(t.Context(), notify.Ask{Service: "payment-outage", To: c.to, Urgency: c.urgency, At: night})
		got := ""
		for _, target := range targets {
			var to []string
			for _, w := range target.Ways {
				to = append(to, w.Address)
			}
			got += fmt.Sprintf("%s %s %v", target.ID, target.Languages[0], to)
		}
		if err != nil || got != c.want {
			t.Errorf("%v %s: %q, %v, want %q", c.to, c.urgency, got, err, c.want)
		}
		if len(targets) > 0 && targets[0].Person == "zhang.min" {
			if free := targets[0].Free(night); !free.Equal(night.Add(8 * time.Hour)) {
				t.Errorf("free at %s", free)
			}
		}
	}
}

// TestWhatStandsAfterASilenceIsTold silences a service while a warning begins.
func TestWhatStandsAfterASilenceIsTold(t *testing.T) {
	p := newPager(t)
	n := paged(t, p)
	acts := notify.NewActs(n.store, nil, time.Now)
	silence, err := acts.Silence(t.Context(), li, continuity.Silence{Service: "payment-outage", Until: time.Now().Add(time.Hour), Why: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	fault := continuity.Signal{
		Service: "payment-outage", Source: continuity.FromAlert, Rule: "database", Level: continuity.LevelRed,
		Text: continuity.Text{En: "The database is gone", Zh: "数据库不可用"},
	}
	if err := n.inbox.Raise(t.Context(), li, fault); err != nil {
		t.Fatal(err)
	}
	const about = "warning/payment-outage.alert.database"
	until(t, "the silenced page", func() bool {
		page, _, err := acts.List(t.Context(), notify.Query{About: about, State: continuity.NotifySilenced})
		return err == nil && len(page) == 1
	})
	if len(p.about(fault.Text.Zh)) > 0 {
		t.Error("it was told")
	}
	if _, err := acts.EndSilence(t.Context(), li, silence.ID, silence.Version); err != nil {
		t.Fatal(err)
	}
	until(t, "the page", func() bool { return len(p.about(fault.Text.Zh)) == 1 })
}

// TestWhatIsCriticalReachesPeopleToo has an audience that looks into a room told there
// and, of what is critical, one by one by text message.
func TestWhatIsCriticalReachesPeopleToo(t *testing.T) {
	n := paged(t, newPager(t))
	p := *n.planOf("payment-outage")
	p.Audiences["staff"].Channels = []string{"standby-mail"}
	people := []continuity.Person{
		{ID: "chen.jie", Names: map[string]string{"zh": "陈洁"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "chen-1"}, {Kind: continuity.AddressPhone, Value: "+8613800138003"}}},
		{ID: "he.ping", Names: map[string]string{"zh": "何平"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "he-1"}}},
	}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	way := &router{node: n, senders: map[string]sender{
		"pager":        n.channels.senders["pager"],
		"standby-mail": {kind: notify.Kind{Name: "webhook"}},
		"sms":          {kind: notify.Kind{Name: "sms-http", Serves: []string{"sms"}, Address: continuity.AddressPhone}},
	}}
	for doubled, want := range map[bool]string{false: "staff/standby-mail[standby-mail]", true: "staff/standby-mail[standby-mail] chen.jie[sms]"} {
		targets, err := way.Resolve(t.Context(), notify.Ask{
			Service: "payment-outage", To: continuity.Recipient{Kind: continuity.ToAudience, ID: "staff"}, Urgency: continuity.UrgencyNotice, Doubled: doubled, At: time.Now(),
		})
		var got []string
		for _, target := range targets {
			var senders []string
			for _, w := range target.Ways {
				senders = append(senders, w.Sender)
			}
			got = append(got, target.ID+fmt.Sprint(senders))
		}
		if all := strings.Join(got, " "); err != nil || all != want {
			t.Errorf("doubled %v: %q, %v, want %q", doubled, all, err, want)
		}
	}
}

// TestEachMessageThatFailsIsToldToOthers has two messages reach nobody, one after the
// other.
func TestEachMessageThatFailsIsToldToOthers(t *testing.T) {
	p := newPager(t)
	n := paged(t, p)
	acts := notify.NewActs(n.store, nil, time.Now)
	for i, subject := range []string{"The first", "The second"} {
		lost := continuity.Notification{
			ID: fmt.Sprintf("payment-outage.lost-%d", i), Service: "payment-outage", About: "service/payment-outage", Urgency: continuity.UrgencyNotice, At: time.Now(),
			To:      []continuity.Recipient{{Kind: continuity.ToPerson, ID: "nobody"}},
			Subject: continuity.Text{En: subject, Zh: subject}, Text: continuity.Text{En: subject, Zh: subject},
		}
		if _, err := n.store.Commit(t.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{continuity.Tell(lost)}}); err != nil {
			t.Fatal(err)
		}
		until(t, "others are told of it", func() bool {
			page, _, err := acts.List(t.Context(), notify.Query{About: "notification/" + lost.ID, All: true})
			return err == nil && len(page) == 1 && page[0].To[0].ID == "commander"
		})
		if i == 0 {
			until(t, "the message", func() bool { return len(p.about("："+subject)) == 1 })
			if b := p.about("：" + subject)[0]; b.Topic != "li-wei-1" {
				t.Errorf("%+v", b)
			}
		}
	}
	all, _, err := acts.List(t.Context(), notify.Query{All: true, Limit: 100})
	if err != nil || len(all) != 4 {
		t.Errorf("%d, %v", len(all), err) // the second is told with the first, after five minutes
	}
}
