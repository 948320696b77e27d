package control

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/announce"
	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/evidence"
	"holdfast/internal/incident"
	"holdfast/internal/notify"
)

// TestAudiencesAreToldOfAnIncident has a holding statement go out by itself in a whole
// node, an update be approved by somebody else, and evidence of both verify, with
// nobody's address in it.
func TestAudiencesAreToldOfAnIncident(t *testing.T) {
	p := newPager(t)
	n := run(t, settings(t, t.TempDir(), "channels:\n  - {id: pager, kind: ntfy, with: {server: \""+p.URL+"\"}}\n"))
	apply(t, n, "payment-outage", append(reading(newExporter(t)), "first_message_within: 5m", "first_message_within: 2s")...)
	people := []continuity.Person{
		{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "li-wei-1"}}},
		{ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}, Addresses: []continuity.Address{{Kind: continuity.AddressNtfy, Value: "zhang-min-1"}}},
	}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	k, err := n.api.Incidents.Declare(t.Context(), incident.By{Actor: li, Trusted: true}, incident.Asking{
		Service: "payment-outage", Scenario: "gateway-gone", Why: "a test", Started: time.Now().Add(-30 * time.Minute),
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the holding statement", func() bool {
		i, err := n.incidentOf(t.Context(), k.ID)
		return err == nil && i.Public["customers"].Text.Zh != "" && i.Public["regulator"].Update == ""
	})
	who := func(id string) controlapi.Caller {
		return controlapi.Caller{Actor: continuity.Actor{Kind: access.ActorUser, ID: id}, Name: id, Scopes: access.Responder.Scopes()}
	}
	u, err := n.api.Updates.Say(t.Context(), who("li.wei"), k.ID, announce.Draft{Audience: "customers", Status: continuity.Text{En: "we switch", Zh: "正在切换"}})
	if err != nil || u.State != continuity.UpdateDraft {
		t.Fatalf("%+v, %v", u, err)
	}
	until(t, "the page for the approval", func() bool { return len(p.about("等待您批准"))+len(p.about("wait for your approval")) > 0 })
	until(t, "the approval", func() bool {
		u, err := n.api.Updates.Approve(t.Context(), who("zhang.min"), u.ID, continuity.VersionAny)
		if err != nil {
			t.Fatal(err)
		}
		return u.State == continuity.UpdateSent
	})
	l, err := n.api.Losses.Loss(t.Context(), k.ID)
	if err != nil || !l.Running || len(l.Total) != 1 || l.Total[0].Currency != "CNY" {
		t.Errorf("%+v, %v", l, err)
	}
	file, sum, err := n.api.Evidence.Seal(t.Context(), li, k.ID)
	if err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Verify(file, n.api.Evidence.Key())
	if err != nil || r.Sum != sum || r.Incident != k.ID || !r.Whole || r.Left != 0 || r.Events < 5 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, address := range []string{"li-wei-1", "zhang-min-1"} {
		if bytes.Contains(file, []byte(address)) {
			t.Errorf("%s stands in the evidence", address)
		}
	}
}

// TestWhoWritesIsAnsweredWhileSomethingStands has a chat answer by itself what
// acknowledges nothing, once, and fall silent with what it was about.
func TestWhoWritesIsAnsweredWhileSomethingStands(t *testing.T) {
	p := newPager(t)
	n := paged(t, p)
	a := continuity.Autoreply{ID: continuity.AutoreplyID("payment-outage", "pager"), Service: "payment-outage", Channel: "pager"}
	acks := &notify.Acks{Store: n.store, Now: time.Now, Addresses: n.addressesOf, Unclaimed: n.answerUnclaimed}
	writes := func(from, text string) {
		t.Helper()
		if err := acks.Take(t.Context(), "pager", []notify.Event{{Kind: notify.EventReply, From: from, Text: text}}); err != nil {
			t.Fatal(err)
		}
	}
	stands := func(on bool) {
		t.Helper()
		if a.Drop("incident/x"); on {
			a.Want(continuity.AutoreplyFor{About: "incident/x", Text: continuity.Text{En: "Use the shop's telephone.", Zh: "请致电。"}})
		}
		if _, err := n.store.Commit(t.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{a.Change(continuity.VersionAny)}}); err != nil {
			t.Fatal(err)
		}
	}
	answered := func() (topics []string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, b := range p.got {
			if b.Message == "Use the shop's telephone." {
				topics = append(topics, b.Topic)
			}
		}
		return topics
	}
	writes("customer-1", "where is my order?")
	stands(true)
	writes("customer-2", "where is my order?")
	writes("customer-2", "hello?")
	until(t, "the answer", func() bool { return len(answered()) > 0 })
	stands(false)
	writes("customer-3", "where is my order?")
	page, _, err := notify.NewActs(n.store, nil, time.Now).List(t.Context(), notify.Query{About: "autoreply/" + a.ID, All: true})
	if err != nil || len(page) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if got := answered(); len(got) != 1 || got[0] != "customer-2" {
		t.Errorf("%v were answered", got)
	}
}

// TestRoutesSayWhatStands has a relay told what a route says, anew only where it is
// something else or about to end, and told when it says that no more.
func TestRoutesSayWhatStands(t *testing.T) {
	n := paged(t, newPager(t))
	var mu sync.Mutex
	var told []api.WordsRequest
	failing := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var req api.WordsRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil || r.URL.Path != "/api/v1/words" {
			t.Error(r.URL.Path, err)
		}
		if failing {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		told = append(told, req)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"said":true}`))
	}))
	defer server.Close()
	s := &routeSpeaker{
		node: &Node{name: "here", log: slog.New(slog.DiscardHandler), store: n.store, plans: n.plans}, said: map[relayRoute]routeWord{}, mute: map[string]bool{},
		relays: map[string]*api.Client{"relay": api.ClientOf(server.URL, server.Client(), "control", catalogue.En)},
	}
	speak := func(want int) {
		t.Helper()
		if err := s.speak(t.Context()); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(told) != want {
			t.Fatalf("told %d times: %+v", len(told), told)
		}
	}
	// runs take back what they say; of windows and incidents that are none the node does
	a := continuity.Autoreply{ID: continuity.RouteAutoreplyID("payment-outage", "payments"), Service: "payment-outage", Route: "payments"}
	put := func() {
		t.Helper()
		if _, err := n.store.Commit(t.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{a.Change(continuity.VersionAny)}}); err != nil {
			t.Fatal(err)
		}
	}
	speak(0)
	a.Want(continuity.AutoreplyFor{About: "run/w", Text: continuity.Text{En: "work", Zh: "维护"}})
	put()
	speak(0) // the relay is deaf
	failing = false
	speak(1)
	speak(1)
	a.Want(continuity.AutoreplyFor{About: "run/i", Text: continuity.Text{En: "trouble"}})
	put()
	speak(2)
	a.Drop("run/i")
	put()
	speak(3)
	a.Drop("run/w")
	put()
	speak(4)
	speak(4)
	for i, want := range []string{"work", "trouble", "work", ""} {
		if told[i].En != want || told[i].Route != "payments" || told[i].Node != "here" || told[i].For != routeWordsLast.Seconds() {
			t.Errorf("%d: %+v", i, told[i])
		}
	}
}
