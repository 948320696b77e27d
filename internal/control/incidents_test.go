package control

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
	"holdfast/internal/notify"
)

// TestAnIncidentPagesAndIsTaken has an incident page who leads, within a minute, and
// whoever acknowledges be in command.
func TestAnIncidentPagesAndIsTaken(t *testing.T) {
	p := newPager(t)
	n := paged(t, p)
	began := time.Now()
	by := incident.By{Actor: li, Trusted: true}
	i, err := n.api.Incidents.Declare(t.Context(), by, incident.Asking{Service: "payment-outage", Title: continuity.Text{En: "Cards fail", Zh: "银行卡支付失败"}, Grade: "SEV-1", Why: "seen at the tills"})
	if err != nil || i.Plan != 1 {
		t.Fatal(i, err)
	}
	asked := func() (pages []beep) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, b := range p.got {
			if strings.Contains(b.Title, "请您担任") && b.Topic == "li-wei-1" {
				pages = append(pages, b)
			}
		}
		return pages
	}
	until(t, "the page", func() bool { return len(asked()) > 0 })
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the first page came after %s", took)
	}
	k, err := n.api.Incidents.Get(t.Context(), i.ID)
	if err != nil {
		t.Fatal(err)
	}
	h := k.Roles["commander"]
	if h.Person != "li.wei" || h.State != continuity.RoleAsked {
		t.Fatalf("%+v", h)
	}
	if _, err := notify.NewActs(n.store, nil, time.Now).Acknowledge(t.Context(), li, h.Page, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	until(t, "the commander", func() bool {
		k, err = n.api.Incidents.Get(t.Context(), i.ID)
		return err == nil && k.Roles["commander"].State == continuity.RoleTook
	})
	if len(k.Command) != 1 || k.Command[0].To != "li.wei" {
		t.Errorf("%+v", k.Command)
	}
	if n := len(asked()); n > 2 { // of several roles of one person one page tells
		t.Errorf("%d pages", n)
	}
}

// TestWhatRelaysDoIsSeen has a route's mode written down when it changes, and else not.
func TestWhatRelaysDoIsSeen(t *testing.T) {
	var mode atomic.Value
	mode.Store("pass")
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"routes":[{"id":"payments","mode":"` + mode.Load().(string) + `","health":"up","switches":[{"route":"payments","owner":"li.wei","reason":"a test"}]}]}`))
	}))
	defer relay.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "relay.token"), "t")
	n := run(t, settings(t, dir, "relays:\n  - {id: relay, admin: \""+relay.URL+"\", token: {file: relay.token}}\n"))
	apply(t, n, "payment-outage", reading(newExporter(t))...)
	actions := func() (all string) {
		events, _, err := n.store.Events(t.Context(), continuity.EventQuery{Kind: continuity.KindRoute, ID: "payment-outage/payments", Oldest: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			all += e.Action + " "
		}
		return all
	}
	until(t, "what passes", func() bool { return actions() == "route.pass " })
	mode.Store("hold")
	until(t, "what is held", func() bool { return actions() == "route.pass route.hold " })
}
