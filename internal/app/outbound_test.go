package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/internal/webhook"
)

const hookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// messenger is a provider that answers everything with 200, wants its own Host
// and a token that it issued.
type messenger struct {
	mu    sync.Mutex
	code  int // errcode of messages
	token int
	got   []string
}

func (m *messenger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.Host != "qyapi.test":
		http.Error(w, "whose?", http.StatusMisdirectedRequest)
	case r.URL.Path == "/cgi-bin/gettoken" && r.URL.Query().Get("corpsecret") == "s3cret":
		m.token++
		fmt.Fprintf(w, `{"errcode":0,"access_token":"t%d","expires_in":7200}`, m.token)
	case r.URL.Query().Get("access_token") != fmt.Sprint("t", m.token) || m.token == 0:
		fmt.Fprint(w, `{"errcode":42001}`)
	case r.URL.Path == "/cgi-bin/message/send" && r.Header.Get("X-Forwarded-For") == "":
		if m.code == 0 {
			m.got = append(m.got, string(body))
		}
		fmt.Fprintf(w, `{"errcode":%d}`, m.code)
	default:
		http.Error(w, "no", http.StatusNotFound)
	}
}

func (m *messenger) answer(code int) { m.mu.Lock(); m.code = code; m.mu.Unlock() }
func (m *messenger) expire()         { m.mu.Lock(); m.token += 10; m.mu.Unlock() }

// An outbound route from end to end: what the provider does not take for now,
// inside a 200, is kept and sent later, signed with a token of then; its client
// is told at its own endpoint, even if the relay was started again meanwhile.
func TestOutboundFromEndToEnd(t *testing.T) {
	provider := &messenger{}
	upstream := httptest.NewServer(provider)
	defer upstream.Close()
	told := make(chan webhook.Message, 100)
	client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		wh, _ := webhooks.NewWebhook(hookSecret)
		if err := wh.Verify(body, r.Header); err != nil {
			t.Error("the library refuses:", err)
		}
		var m webhook.Message
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		if want := m.Data.Receipt + "-" + m.Data.State; r.Header.Get("webhook-id") != want {
			t.Errorf("id %s, want %s", r.Header.Get("webhook-id"), want)
		}
		told <- m
	}))
	defer client.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"wecom.secret": "s3cret", "hook.secret": hookSecret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := write(t, dir, fmt.Sprintf(`listen: 127.0.0.1:0
admin: {listen: "127.0.0.1:0"}
journal: {segment: 1MiB, size: 16MiB}
routes:
  - id: messages
    match: {path: /wecom/**}
    upstream: %s
    rewrite: {host: qyapi.test, strip: /wecom}
    sign: {by: wecom, id: corp, secret: {file: wecom.secret}}
    key: json:/touser
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 8MiB}
    answer: {status: 202}
    outcome:
      body: {pointer: /errcode, delivered: [0], retry: [-1, 45009], other: refused}
    receipt:
      webhook: {url: %q, secret: {file: hook.secret}}
    settle: 1s
    timeouts: {connect: 500ms, attempt: 1s}
`, upstream.URL, client.URL))
	var logged bytes.Buffer
	var logging sync.Mutex
	open := func() *App {
		a := New(Options{ConfigFile: file, Version: "test", Logger: slog.New(slog.NewJSONHandler(locked{&logging, &logged}, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, a) })
		return a
	}
	a := open()
	post := func(body string) (int, string) {
		t.Helper()
		res, err := http.Post("http://"+a.Addr()+"/wecom/cgi-bin/message/send", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	if status, text := post(`{"touser":"a","n":1}`); status != 200 || text != `{"errcode":0}` {
		t.Fatalf("live: %d %s", status, text)
	}
	provider.answer(45009)
	if status, text := post(`{"touser":"a","n":2}`); status != 202 {
		t.Fatalf("throttled: %d %s", status, text)
	}
	if status, _ := post(`{"touser":"a","n":3}`); status != 202 { // behind the second
		t.Fatalf("behind: %d", status)
	}
	stop(t, a)
	provider.expire()
	a = open()
	provider.answer(0)
	for _, want := range []string{"delivered", "delivered"} {
		select {
		case m := <-told:
			if m.Data.State != want || m.Data.Route != "messages" || m.Data.Status != 200 {
				t.Errorf("told %+v", m)
			}
		case <-time.After(patience):
			logging.Lock()
			text := logged.String()
			logging.Unlock()
			t.Fatalf("nobody was told:\n%s", text)
		}
	}
	for deadline := time.Now().Add(patience); ; { // the couriers book what they told a little later
		text := scrape(t, a)
		if strings.Contains(text, `holdfast_relay_webhook_ends_total{route="messages",what="told"} 2`) && strings.Contains(text, `holdfast_relay_webhook_waiting{route="messages"} 0`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the metrics don't tell:\n%s", text)
		}
	}
	provider.mu.Lock()
	got := strings.Join(provider.got, " ")
	provider.mu.Unlock()
	if got != `{"touser":"a","n":1} {"touser":"a","n":2} {"touser":"a","n":3}` {
		t.Errorf("the provider got %s", got)
	}
	stop(t, a)
	logging.Lock()
	defer logging.Unlock()
	for _, secret := range []string{"s3cret", "MfKQ9r8", "access_token"} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("the log tells %q", secret)
		}
	}
}

// locked is a writer for many.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// A reload begins and ends the telling; one route's webhook does not concern
// another's.
func TestReloadChangesWhoIsTold(t *testing.T) {
	shop := newShop(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hook.secret"), []byte(hookSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	with := orders(shop.address) + "    receipt: {webhook: {url: http://127.0.0.1:9/, secret: {file: hook.secret}}}\n"
	a := start(t, write(t, dir, with))
	if len(a.couriers) != 1 {
		t.Fatalf("%d couriers", len(a.couriers))
	}
	first := a.couriers["orders"]
	reload := func(config string) {
		t.Helper()
		write(t, dir, config)
		if r, err := a.Reload(t.Context()); err != nil || !r.Applied {
			t.Fatal(r.Problems, err)
		}
	}
	reload(with + "    capacity: 5/s\n")
	if a.couriers["orders"] != first {
		t.Error("another setting of the route exchanged the courier")
	}
	reload(strings.Replace(with, ":9/", ":9/other", 1))
	if a.couriers["orders"] == first || a.couriers["orders"] == nil {
		t.Error("the courier tells the old URL")
	}
	reload(orders(shop.address))
	if len(a.couriers) != 0 {
		t.Error("somebody is still told")
	}
}
