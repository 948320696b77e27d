package warning

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

func (w *world) inbox() *Inbox { return NewInbox(w.store, func() time.Time { return w.store.now }) }

var bot = continuity.Actor{Kind: "token", ID: "alertmanager"}

func firing(status, severity, summary string) string {
	return fmt.Sprintf(`{"version":"4","status":"firing","receiver":"h","groupKey":"{}","alerts":[{"status":%q,
		"labels":{"alertname":"Disk Full","severity":%q,"service":"orders","instance":"db1"},"annotations":{"summary":%q},
		"startsAt":"2026-03-02T08:55:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom.example/graph?g0.expr=x","fingerprint":"abc"}]}`,
		status, severity, summary)
}

func TestAlertmanager(t *testing.T) {
	w := newWorld(t)
	in := w.inbox()
	send := func(body string) {
		t.Helper()
		if _, _, err := in.Alerts(t.Context(), bot, []byte(body)); err != nil {
			t.Fatal(err)
		}
		w.step()
	}
	only := func() continuity.Warning {
		t.Helper()
		for _, o := range w.store.objects {
			if o.Kind == Kind && strings.HasPrefix(o.ID, "orders.alert.disk-full-") {
				return w.store.of(o.ID)
			}
		}
		t.Fatal("no warning")
		return continuity.Warning{}
	}
	send(firing("firing", "warning", "disk db1 is full soon"))
	n := len(w.store.events)
	send(firing("firing", "warning", "disk db1 is full soon")) // as every repeat_interval does
	if len(w.store.events) != n {
		t.Error("a repeat changed something")
	}
	if got := only(); got.Level != "yellow" || got.Text.En != "disk db1 is full soon" || got.Since.Minute() != 55 || got.Evidence[0].URL == "" || got.Service != "orders" {
		t.Errorf("%+v", got)
	}
	w.e = w.store.engine(w.sees, 1) // a restart
	w.step()
	send(firing("resolved", "warning", "disk db1 is full soon"))
	if got := only(); got.State != "cleared" {
		t.Errorf("%+v", got)
	}
	send(firing("resolved", "warning", "disk db1 is full soon"))
	for severity, level := range map[string]continuity.Level{"critical": "red", "error": "orange", "info": "blue", "": "yellow"} {
		a := alert{Labels: map[string]string{"severity": severity}}
		if got := a.level(); got != level {
			t.Errorf("%s: %s", severity, got)
		}
	}
	for _, bad := range []string{"", "{}", `{"version":"3","alerts":[]}`, `{"version":"4","alerts":[{"status":"?"}]}`, firing("firing", "", "") + "{}"} {
		if _, _, err := in.Alerts(t.Context(), bot, []byte(bad)); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

const hookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="

var pos = Hook{ID: "pos", Secret: func() (string, error) { return hookSecret, nil }}

func signed(id string, at time.Time, body string) http.Header {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + stamp + "." + body))
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", "v1,AAAA v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}

func TestSignedWebhook(t *testing.T) {
	w := newWorld(t)
	in := w.inbox()
	fire := `{"type":"signal.firing","data":{"key":"till-7","service":"orders","level":"orange","text":{"en":"till 7 is offline","zh":"7 号收银机离线"},"url":"https://pos.example/7"}}`
	end := `{"type":"signal.ended","data":{"key":"till-7","service":"orders"}}`
	send := func(id, body string) bool {
		t.Helper()
		again, err := in.Signed(t.Context(), pos, signed(id, w.store.now, body), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		w.step()
		return again
	}
	if send("m1", fire) {
		t.Error("the first message came before")
	}
	if got := w.store.of("orders.hook.pos.till-7"); got.Level != "orange" || got.Text.Zh != "7 号收银机离线" {
		t.Errorf("%+v", got)
	}
	send("m2", end)
	n := len(w.store.events)
	in = w.inbox() // another node
	if !send("m1", fire) || len(w.store.events) != n {
		t.Error("a replayed message was taken")
	}
	if got := w.store.of("orders.hook.pos.till-7"); got.State != "cleared" {
		t.Errorf("%+v", got)
	}
	for name, head := range map[string]http.Header{
		"other body": signed("m3", w.store.now, end),
		"old":        signed("m3", w.store.now.Add(-window-time.Second), fire),
		"future":     signed("m3", w.store.now.Add(window+time.Second), fire),
		"unsigned":   {},
	} {
		if _, err := in.Signed(t.Context(), pos, head, []byte(fire)); continuity.CodeOf(err) != continuity.CodeForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{`{}`, `{"type":"x","data":{"key":"a"}}`, `{"type":"signal.firing","data":{"key":"a","level":"pink"}}`, `{"type":"signal.firing","data":{"level":"red"}}`, fire + fire} {
		if _, err := in.Signed(t.Context(), pos, signed("m4", w.store.now, bad), []byte(bad)); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for i := range mostInWindow {
		_, err := in.Signed(t.Context(), pos, signed(fmt.Sprint("n", i), w.store.now, fire), []byte(fire))
		if i < mostInWindow-2 && err != nil || i >= mostInWindow-2 && continuity.CodeOf(err) != continuity.CodeClientLimit {
			t.Fatalf("message %d: %v", i, err)
		}
	}
}

func TestReports(t *testing.T) {
	rule := ReportRule{Service: "orders", Count: 3, Within: 10 * time.Minute, Level: "yellow", Quiet: time.Hour}
	w := newWorld(t, rule)
	in := w.inbox()
	id := StaffID("orders")
	report := func(by, department, location string) Said {
		t.Helper()
		s, err := in.Report(t.Context(), li, continuity.Report{Service: "orders", By: by, Department: department, Location: location, What: "slow"})
		if err != nil {
			t.Fatal(err)
		}
		w.step()
		return s
	}
	later := func(d time.Duration) {
		w.store.now = w.store.now.Add(d)
		w.step()
	}
	if s := report("ann", "sales", "third floor"); s.Scope != continuity.ScopeOne || s.Reporters != 1 {
		t.Errorf("%+v", s)
	}
	report("ann", "sales", "third floor")
	report("ann", "sales", "third floor")
	if s := report("bob", "sales", "home"); s.Scope != continuity.ScopeOffice {
		t.Errorf("%+v", s)
	}
	if got := w.store.of(id); got.Stands() {
		t.Errorf("two people are three: %+v", got)
	}
	later(10*time.Minute + time.Second)
	report("cid", "stores", "")
	if got := w.store.of(id); got.Stands() {
		t.Error("three people, but not within the time")
	}
	report("ann", "sales", "")
	if s := report("bob", "sales", ""); s.Scope != continuity.ScopeEveryone || s.Reporters != 3 {
		t.Errorf("%+v", s)
	}
	got := w.store.of(id)
	if got.State != "open" || got.Level != "yellow" || got.Scope != continuity.ScopeEveryone || !got.Partial || got.Sign != "slow" || len(got.Evidence) != 3 {
		t.Errorf("%+v", got)
	}
	later(11 * time.Minute)
	w.e = w.store.engine(w.sees, 1, rule)
	w.step()
	if got := w.store.of(id); got.State != "open" {
		t.Error("silence ended it at once")
	}
	later(50 * time.Minute)
	if got := w.store.of(id); got.State != "cleared" {
		t.Errorf("an hour of silence did not end it: %+v", got)
	}
}

// TestReportsCountForOffices: what one office has does not count for another, and
// some people may count twice.
func TestReportsCountForOffices(t *testing.T) {
	rule := ReportRule{Service: "orders", Each: "office", Twice: true, Count: 2, Within: 10 * time.Minute, Level: "blue", Quiet: time.Hour}
	w := newWorld(t, rule)
	in := w.inbox()
	for i, at := range []string{"north", "south", "north"} {
		if _, err := in.Report(t.Context(), li, continuity.Report{Service: "orders", By: "ann", Location: at, What: WhatDown}); err != nil {
			t.Fatal(err)
		}
		w.step()
		var told []string
		for _, o := range w.store.objects {
			if o.Kind == Kind {
				told = append(told, w.store.of(o.ID).Rule)
			}
		}
		if want := i / 2; len(told) != want || want == 1 && told[0] != "north" {
			t.Errorf("after %d: %v", i+1, told)
		}
	}
}

func TestReportsAreBounded(t *testing.T) {
	w := newWorld(t)
	in := w.inbox()
	report := func(by string) error {
		_, err := in.Report(t.Context(), li, continuity.Report{Service: "orders", By: by, What: WhatDown})
		return err
	}
	for range burst {
		if err := report("ann"); err != nil {
			t.Fatal(err)
		}
	}
	if err := report("ann"); continuity.CodeOf(err) != continuity.CodeClientLimit {
		t.Errorf("the sixth at once: %v", err)
	}
	if err := report("bob"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	w.store.now = w.store.now.Add(refill)
	if err := report("ann"); err != nil {
		t.Errorf("after a while: %v", err)
	}
	for _, bad := range []continuity.Report{{By: "a", What: "down"}, {Service: "Orders", By: "a", What: "down"}, {Service: "orders", By: "a", What: "bad"}, {Service: "orders", What: "down"}} {
		if _, err := in.Report(t.Context(), li, bad); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
