package control

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/controlconfig"
	"holdfast/internal/notify"
	"holdfast/internal/notify/terminal"
)

// onBoard gives a node a channel that writes into a file.
func onBoard(c *controlconfig.Control, id, file string) {
	c.Channels = append(c.Channels, controlconfig.Channel{ID: id, Kind: "terminal", Settings: &terminal.Settings{File: file}})
}

// post sends the form of a page of the public listener.
func post(t *testing.T, address string, form url.Values) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return status(t, r)
}

// page reads a page of the public listener.
func page(t *testing.T, address string) string {
	t.Helper()
	w, err := http.Get(address) // #nosec G107 -- of the test
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestATestIsReadByItsLink sends a test over a channel of a node, looks at the link
// as a preview does, and then presses the button.
func TestATestIsReadByItsLink(t *testing.T) {
	file := filepath.Join(t.TempDir(), "board")
	n := serve(t, func(c *controlconfig.Control) {
		onBoard(c, "board", file)
		c.Public = &controlconfig.Public{Listen: "127.0.0.1:0", URL: "https://ack.example.com"}
	})
	by := continuity.Actor{Kind: "user", ID: "li"}
	out, err := n.channels.Test(t.Context(), by, "board", controlapi.ChannelTest{Language: "en"})
	if err != nil || out.Trial.State != notify.TrialPassed || out.Trial.Read || !out.Linked {
		t.Fatalf("%+v, %v", out, err)
	}
	text, err := os.ReadFile(file) // #nosec G304 -- of the test
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`https://ack\.example\.com(/a/[a-z2-7]{26})`).FindSubmatch(text)
	if link == nil {
		t.Fatalf("no link:\n%s", text)
	}
	address := "http://" + n.public.Addr() + string(link[1])
	shown := page(t, address)
	form := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(shown)
	if form == nil || !strings.Contains(shown, "board") {
		t.Fatalf("no form:\n%s", shown)
	}
	info, err := n.channels.Channel(t.Context(), "board")
	if err != nil || info.Test == nil || info.Test.Read || info.State != notify.ChannelUp {
		t.Fatalf("%+v, %v", info, err)
	}
	if got := post(t, address, url.Values{"form": {form[1]}}); got != http.StatusOK {
		t.Fatal(got)
	}
	info, err = n.channels.Channel(t.Context(), "board")
	if err != nil || !info.Test.Read || info.Test.ID != out.Trial.ID {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestAFailingChannelIsAWarning has a channel fail, by a test and by what is
// delivered, and work again.
func TestAFailingChannelIsAWarning(t *testing.T) {
	dir := t.TempDir()
	n := serve(t, func(c *controlconfig.Control) { onBoard(c, "board", filepath.Join(dir, "none", "board")) })
	by := continuity.Actor{Kind: "user", ID: "li"}
	if out, err := n.channels.Test(t.Context(), by, "board", controlapi.ChannelTest{}); err != nil || out.Trial.State != notify.TrialFailed {
		t.Fatalf("%+v, %v", out, err)
	}
	const id = "_.channel.board"
	signal := func() (s continuity.Signal, there bool) {
		o, err := n.store.Get(t.Context(), "signal", id)
		return s, err == nil && json.Unmarshal(o.Body, &s) == nil
	}
	if err := n.channels.warn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, there := signal(); !there {
		t.Fatal("nobody is warned")
	}
	until(t, "the warning", func() bool { w := standing(t, n, id); return w.Stands() && strings.Contains(w.Text.Zh, "board") })
	// It works for others: a delivery says so.
	body, err := json.Marshal(continuity.Delivery{ID: "o.n-1.d-1", Sender: "board", State: continuity.DeliveryDelivered, Sent: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the failure", func() bool { // the node may begin to follow only now
		_, err := n.store.Commit(t.Context(), continuity.Batch{
			Actor:   continuity.Actor{Kind: continuity.ActorEngine, ID: "notify"},
			Changes: []continuity.Change{{Kind: continuity.KindDelivery, ID: "o.n-1.d-1", Version: continuity.VersionAny, Body: body, Action: "delivery.delivered"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		info, err := n.channels.Channel(t.Context(), "board")
		return err == nil && info.State == notify.ChannelUp && info.Failure == ""
	})
	if err := n.channels.warn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, there := signal(); there {
		t.Errorf("still warned of: %+v", s)
	}
}

func TestEnded(t *testing.T) {
	engine := continuity.Actor{Kind: continuity.ActorEngine, ID: "notify"}
	for name, c := range map[string]struct {
		d    continuity.Delivery
		by   continuity.Actor
		code string
		ok   bool
	}{
		"delivered":            {continuity.Delivery{State: continuity.DeliveryDelivered}, engine, "", true},
		"told by another one":  {continuity.Delivery{State: continuity.DeliveryDelivered, By: "x.d-1"}, engine, "", false},
		"to be tried again":    {continuity.Delivery{State: continuity.DeliveryDue, Failure: "refused"}, engine, "refused", true},
		"failed":               {continuity.Delivery{State: continuity.DeliveryFailed, Failure: "provider"}, engine, "provider", true},
		"new":                  {continuity.Delivery{State: continuity.DeliveryDue}, engine, "", false},
		"on its way":           {continuity.Delivery{State: continuity.DeliverySending, Failure: "refused"}, engine, "", false},
		"as its provider said": {continuity.Delivery{State: continuity.DeliveryFailed, Failure: "address"}, continuity.Actor{Kind: "system", ID: "sms"}, "", false},
	} {
		c.d.Sender = "sms"
		body, err := json.Marshal(c.d)
		if err != nil {
			t.Fatal(err)
		}
		sender, f, ok := ended(&continuity.AuditEvent{Kind: continuity.KindDelivery, Actor: c.by, After: body})
		if ok != c.ok || ok && (sender != "sms" || (f == nil) != (c.code == "") || f != nil && f.Code != c.code) {
			t.Errorf("%s: %q %+v %v", name, sender, f, ok)
		}
	}
}

// flaky is a channel that fails in turn as the test says.
type flaky struct {
	fails []*notify.Failure
	tries int
}

func (f *flaky) Send(_ context.Context, m *notify.Message) (notify.Sent, error) {
	f.tries++
	if m.To == "bad" || f.tries <= len(f.fails) {
		return notify.Sent{}, f.fails[min(f.tries, len(f.fails))-1]
	}
	return notify.Sent{ID: "p-1"}, nil
}

func TestTheEmergencyWayTriesAndWritesDown(t *testing.T) {
	busy := &notify.Failure{Code: notify.FailUnreachable, Retry: true}
	maybe := &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}
	for name, c := range map[string]struct {
		fails    []*notify.Failure
		keys     bool
		sent     bool
		attempts int
	}{
		"at once":                   {nil, false, true, 1},
		"the third time":            {[]*notify.Failure{busy, busy}, false, true, 3},
		"never":                     {[]*notify.Failure{busy, busy, busy}, false, false, 3},
		"refused":                   {[]*notify.Failure{{Code: notify.FailRefused}}, false, false, 1},
		"perhaps sent":              {[]*notify.Failure{maybe}, false, false, 1}, // once more could be twice
		"perhaps sent, under a key": {[]*notify.Failure{maybe}, true, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "data", "emergency.log")
				ch := &flaky{fails: c.fails}
				e := &Emergency{
					sender{controlconfig.Channel{ID: "sms"}, notify.Kind{Address: "phone", Keys: c.keys}, ch}, file, slog.New(slog.DiscardHandler), time.Now, catalogue.En,
				}
				if _, err := e.Send(t.Context(), "li", nil, "s", "t"); continuity.CodeOf(err) != continuity.CodeInvalid {
					t.Errorf("to nobody: %v", err)
				}
				all, err := e.Send(t.Context(), "li", []string{"+8613800138001"}, "Down", "Orders are down")
				if err != nil || len(all) != 1 || all[0].Sent != c.sent || all[0].Attempts != c.attempts || ch.tries != c.attempts {
					t.Fatalf("%+v, %v", all, err)
				}
				text, err := os.ReadFile(file) // #nosec G304 -- of the test
				var line EmergencySent
				if err != nil || json.Unmarshal(text, &line) != nil || line.Sent != c.sent || line.By != "li" || line.Text != "Orders are down" || strings.Count(string(text), "\n") != 1 {
					t.Errorf("%s, %v", text, err)
				}
			})
		})
	}
}

func TestAMutedNodeSaysSoOnceAnHour(t *testing.T) {
	began := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	m := muted{after: mutedAfter}
	var said []string
	for at := began; at.Before(began.Add(3 * time.Hour)); at = at.Add(10 * time.Second) {
		wrote := began.Add(30 * time.Minute) // the last that could be written
		if at.Before(wrote) {
			wrote = at
		}
		if m.look(wrote, at) {
			said = append(said, at.Format("15:04"))
		}
	}
	if got := strings.Join(said, " "); got != "10:32 11:32 12:32" {
		t.Error(got)
	}
	failed := muted{after: mutedAfter}
	if at := began.Add(mutedAfter); !failed.look(began, at) {
		t.Error("nobody is told")
	} else {
		failed.missed(at)
		if failed.look(began, at.Add(mutedRetry/2)) || !failed.look(began, at.Add(mutedRetry)) || failed.look(began, at.Add(2*mutedRetry)) {
			t.Error("what could not be said is said again after a minute, and then after an hour")
		}
	}
}

// TestTheEmergencyChannelSpeaksForAMutedNode has a node say what it says when it can't
// write.
func TestTheEmergencyChannelSpeaksForAMutedNode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "board")
	n := serve(t, func(c *controlconfig.Control) {
		onBoard(c, "board", file)
		c.Emergency = &controlconfig.Emergency{Channel: "board"}
		c.Language = "zh"
	})
	way, err := OpenEmergency(n.o.Config, "board", n.log)
	if err != nil {
		t.Fatal(err)
	}
	if !n.sayMuted(t.Context(), way, nil, time.Now()) {
		t.Error("nobody was told")
	}
	text, err := os.ReadFile(file) // #nosec G304 -- of the test
	if err != nil || !strings.Contains(string(text), "无法写入状态") {
		t.Errorf("%s, %v", text, err)
	}
	if log, err := os.ReadFile(filepath.Join(n.o.Config.Data, "emergency.log")); err != nil || !strings.Contains(string(log), `"by":"control:`) { // #nosec G304 -- of the test
		t.Errorf("%s, %v", log, err)
	}
	if _, err := OpenEmergency(n.o.Config, "none", n.log); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error(err)
	}
	until(t, "that the node notes when it wrote", func() bool { return time.Since(time.Unix(0, n.leader.wrote.Load())) < time.Minute })
}

// box is a channel whose answers have to be fetched.
type box struct {
	flaky

	states []string // that it was asked with
	events []notify.Event
}

func (b *box) Poll(_ context.Context, state []byte) ([]notify.Event, []byte, error) {
	b.states = append(b.states, string(state))
	return b.events, []byte("read-7"), nil
}

// TestWhatWasReadIsNotedAfterItWasTaken has answers that can't be noted be read again.
func TestWhatWasReadIsNotedAfterItWasTaken(t *testing.T) {
	n := serve(t, func(*controlconfig.Control) {})
	b := &box{events: []notify.Event{{Kind: notify.EventReply, Text: "ok"}}}
	taken := 0
	for i, fails := range []error{continuity.E(continuity.CodeDatabase, nil), nil, nil} {
		err := n.poll(t.Context(), nil, "mail", b, func(_ context.Context, channel string, events []notify.Event) error {
			if channel != "mail" || len(events) != 1 {
				t.Error(channel, events)
			}
			taken++
			return fails
		})
		if continuity.CodeOf(err) != continuity.CodeOf(fails) {
			t.Fatal(i, err)
		}
	}
	if got := strings.Join(b.states, ","); got != ",,read-7" || taken != 3 {
		t.Errorf("%q, taken %d times", got, taken)
	}
	events, _, err := n.store.Events(t.Context(), continuity.EventQuery{Action: "answers.read"})
	if err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}
