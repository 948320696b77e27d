package control

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/notify"
	"holdfast/internal/runbook"
)

// route is a relay's admin API with one route, whose settings it keeps as a relay does.
type route struct {
	*httptest.Server

	mu       sync.Mutex
	standing map[string]api.Switch
	asked    []api.SwitchRequest
}

func newRoute(t *testing.T, id string) *route {
	t.Helper()
	r := &route{standing: map[string]api.Switch{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(req.URL.Path, "/switches") {
			var s api.SwitchRequest
			if err := json.NewDecoder(req.Body).Decode(&s); err != nil {
				t.Error(err)
			}
			r.asked = append(r.asked, s)
			owner := "operator:" + s.Person
			if s.Intake == "" {
				owner += ":replay"
			}
			if s.Intake == "auto" || s.Replay == "auto" {
				delete(r.standing, owner)
			} else {
				r.standing[owner] = api.Switch{Route: s.Route, Owner: owner, Intake: s.Intake, Replay: s.Replay, Reason: s.Why}
			}
			_, _ = w.Write([]byte("[]"))
			return
		}
		now := api.Route{ID: id, Intake: "pass"}
		for _, s := range r.standing {
			now.Switches = append(now.Switches, s)
			if s.Intake != "" && s.Intake != "pass" {
				now.Intake = s.Intake
			}
		}
		now.Mode = continuity.Mode(now.Intake)
		if err := json.NewEncoder(w).Encode(api.Status{Routes: []api.Route{now}}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestARunSwitchesARelay has a run divert a route in the name of its incident, take that
// back, and fail where somebody else's setting keeps the route from passing.
func TestARunSwitchesARelay(t *testing.T) {
	t.Setenv("RELAY_TOKEN", "t")
	relay := newRoute(t, "payments")
	n := run(t, settings(t, t.TempDir(), "relays:\n  - {id: relay, admin: \""+relay.URL+"\", token: {env: RELAY_TOKEN}}\n"))
	apply(t, n, "payment-outage", reading(newExporter(t))...)
	put := continuity.Put(continuity.KindIncident, "payment-outage-2026-1", "payment-outage", "incident.declared", map[string]any{
		"id": "payment-outage-2026-1", "service": "payment-outage", "state": "monitoring", "grade": "SEV-2",
	})
	if _, err := n.store.Apply(t.Context(), li, []continuity.Change{put}); err != nil {
		t.Fatal(err)
	}
	desk := n.api.Runs
	by := desk.Who(controlapi.Caller{Actor: continuity.Actor{Kind: "user", ID: "chen.jie"}})
	k, err := desk.Start(t.Context(), by, runbook.Begin{Service: "payment-outage", Runbook: "divert", Steps: []string{"divert"}, Why: "a test", About: "incident/payment-outage-2026-1"})
	if err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		until(t, want, func() bool {
			d, _, err := desk.Get(t.Context(), k.ID)
			return err == nil && len(d.Steps) == 1 && d.State+" "+d.Steps[0].State == want
		})
	}
	state("done done")
	relay.mu.Lock()
	s := relay.standing["operator:payment-outage-2026-1"]
	if s.Intake != "divert" || !strings.Contains(s.Reason, k.ID) || !strings.Contains(s.Reason, "chen.jie") {
		t.Errorf("%+v", relay.standing)
	}
	relay.mu.Unlock()
	if _, err := desk.Undo(t.Context(), by, k.ID, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	state("undone undone")
	relay.mu.Lock()
	if len(relay.standing) != 0 {
		t.Errorf("%+v", relay.standing)
	}
	relay.standing["operator:zhang.min"] = api.Switch{Owner: "operator:zhang.min", Intake: "hold", Reason: "the bank called"}
	relay.mu.Unlock()

	back := runbook.Step{ID: "back", Do: "relay.pass", With: map[string]string{"route": "payments"}}
	r := n.actions()[back.Do].Do(t.Context(), runbook.Call{
		Run: &k.Run, Step: &back, Keep: func(context.Context, json.RawMessage) error { return nil },
	})
	if r.Failed == nil || r.Failed.Code != "runbook.failed.held-by" || r.Failed.Args["by"] != "zhang.min" {
		t.Errorf("%+v", r)
	}
}

// TestARunLiftsWhatAMergedIncidentPut has a route kept by an incident that then goes on in
// another one: that one's run lets requests through, and taking it back keeps them again.
func TestARunLiftsWhatAMergedIncidentPut(t *testing.T) {
	t.Setenv("RELAY_TOKEN", "t")
	relay := newRoute(t, "payments")
	n := run(t, settings(t, t.TempDir(), "relays:\n  - {id: relay, admin: \""+relay.URL+"\", token: {env: RELAY_TOKEN}}\n"))
	apply(t, n, "payment-outage", reading(newExporter(t))...)
	var puts []continuity.Change
	for _, i := range []continuity.Incident{
		{ID: "payment-outage-2026-1", State: continuity.Merged, Into: "payment-outage-2026-2"},
		{ID: "payment-outage-2026-2", State: continuity.Closed, From: []string{"payment-outage-2026-1", "payment-outage-2026-3"}},
		{ID: "payment-outage-2026-3", State: continuity.Closed}, // which that one was split from
	} {
		i.Service = "payment-outage"
		puts = append(puts, continuity.Put(continuity.KindIncident, i.ID, i.Service, "incident.declared", i))
	}
	if _, err := n.store.Apply(t.Context(), li, puts); err != nil {
		t.Fatal(err)
	}
	relay.standing["operator:payment-outage-2026-1"] = api.Switch{Owner: "operator:payment-outage-2026-1", Intake: "hold"}
	relay.standing["operator:payment-outage-2026-3:replay"] = api.Switch{Owner: "operator:payment-outage-2026-3:replay", Replay: "off"}
	call := runbook.Call{
		Run:  &continuity.Run{ID: "payment-outage-2026-2.run-1", Service: "payment-outage", About: "incident/payment-outage-2026-2"},
		Step: &runbook.Step{ID: "drain", Do: "relay.drain", With: map[string]string{"route": "payments"}},
	}
	call.Keep = func(_ context.Context, undo json.RawMessage) error { call.Undo = undo; return nil }
	owners := func() []string {
		relay.mu.Lock()
		defer relay.mu.Unlock()
		return slices.Sorted(maps.Keys(relay.standing))
	}
	if r := n.actions()["relay.drain"].Do(t.Context(), call); r.Failed != nil {
		t.Errorf("%+v", r.Failed)
	}
	if got := owners(); !slices.Equal(got, []string{"operator:payment-outage-2026-2:replay", "operator:payment-outage-2026-3:replay"}) {
		t.Errorf("%q", got)
	}
	if r := n.actions()["relay.drain"].Undo(t.Context(), call); r.Failed != nil {
		t.Errorf("%+v", r.Failed)
	}
	if got := owners(); !slices.Equal(got, []string{"operator:payment-outage-2026-1", "operator:payment-outage-2026-3:replay"}) {
		t.Errorf("%q", got)
	}
}

// TestAnotherSystemIsAsked has a step ask as far as the plan lets checks reach, and judge
// the answer.
func TestAnotherSystemIsAsked(t *testing.T) {
	var keys []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusConflict)
		}
		_, _ = w.Write([]byte(`{"state": "on", "saw": "` + r.Header.Get("Authorization") + `"}`))
	}))
	defer other.Close()
	n := run(t, settings(t, t.TempDir(), ""))
	e := newExporter(t)
	apply(t, n, "payment-outage", reading(e)...)
	ask := func(with map[string]string) runbook.Result {
		step := runbook.Step{ID: "ask", Do: "http", With: with}
		return n.ask(t.Context(), runbook.Call{Run: &continuity.Run{ID: "r", Service: "payment-outage"}, Step: &step, Until: time.Now().Add(time.Minute)})
	}
	// What the plan does not allow is not reached, whatever the node would let out.
	if r := ask(map[string]string{"url": "http://10.1.2.3:1/"}); r.Failed == nil || r.Failed.Args["why"] != string(continuity.CodeOutgoing) {
		t.Errorf("%+v", r.Failed)
	}
	for name, c := range map[string]struct{ path, status, json, equals, want string }{
		"fine": {"/", "", "", "", ""}, "another status": {"/no", "", "", "", "runbook.failed.http-status"}, "an expected one": {"/no", "409", "", "", ""},
		"a value": {"/", "", "/state", "on", ""}, "another value": {"/", "", "/state", "off", "runbook.failed.http-json"},
	} {
		r := ask(map[string]string{"url": other.URL + c.path, "status": c.status, "json": c.json, "equals": c.equals})
		got := ""
		if r.Failed != nil {
			got = r.Failed.Code
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q: %s", name, got, c.want, r.Output)
		}
	}
	for _, key := range keys {
		if key != "r/ask" {
			t.Errorf("its key is %q", key)
		}
	}
}

// TestAChannelIsTestedBeforeItIsSwitchedTo has one channel take the place of another
// when its test passed, and not when it is dead; then the first comes back.
func TestAChannelIsTestedBeforeItIsSwitchedTo(t *testing.T) {
	p := newPager(t)
	n := paged(t, p, "channels:\n", "channels:\n  - {id: pager, name: Pager, kind: messenger}\n")
	step := runbook.Step{ID: "switch", Do: "channel.switch", Owner: "li.wei", With: map[string]string{"from": "pager", "to": "pager"}}
	call := runbook.Call{Run: &continuity.Run{ID: "r", Service: "payment-outage"}, Step: &step}
	action := n.actions()[step.Do]
	take := func(r runbook.Result) {
		t.Helper()
		if r.Failed != nil {
			t.Fatalf("%+v", r.Failed)
		}
		if _, err := n.store.Apply(t.Context(), li, r.Changes); err != nil {
			t.Fatal(err)
		}
	}
	step.With["from"] = "standby"
	r := action.Do(t.Context(), call)
	take(r)
	p.mu.Lock()
	if len(p.got) != 1 || p.got[0].Topic != "li-wei-1" {
		t.Errorf("its test: %+v", p.got)
	}
	p.mu.Unlock()
	over, err := n.way().switched(t.Context(), "payment-outage")
	if err != nil || over["standby"] != "pager" {
		t.Errorf("%v, %v", over, err)
	}
	call.Undo = r.Undo
	take(action.Undo(t.Context(), call))
	if over, err = n.way().switched(t.Context(), "payment-outage"); err != nil || len(over) != 0 {
		t.Errorf("%v, %v", over, err)
	}
	p.Close()
	if r := action.Do(t.Context(), call); r.Failed == nil || len(r.Changes) != 0 {
		t.Errorf("it was switched to a dead channel: %+v", r)
	}
	// The way back is tested, too: the dead one does not come back.
	step.With["from"], step.With["to"] = "pager", "standby"
	if r := action.Undo(t.Context(), call); r.Failed == nil || len(r.Changes) != 0 {
		t.Errorf("a dead channel came back: %+v", r)
	}
}

// TestAStepSaysWhatAnUpdateWould fills a template for a step of a run as one of an update
// is filled: times in the zone of the service, and the same words for a state.
func TestAStepSaysWhatAnUpdateWould(t *testing.T) {
	n := run(t, settings(t, t.TempDir(), ""))
	apply(t, n, "payment-outage", reading(newExporter(t))...)
	began := time.Date(2026, 3, 6, 2, 0, 0, 0, time.UTC)
	i := continuity.Incident{
		ID: "payment-outage-2026-1", Service: "payment-outage", State: continuity.Identified, Grade: "SEV-3", Started: began, Declared: began,
		Public: map[string]continuity.Word{"customers": {Phase: "first", Next: began.Add(time.Hour)}},
	}
	if _, err := n.store.Apply(t.Context(), li, []continuity.Change{continuity.Put(continuity.KindIncident, i.ID, i.Service, "incident.declared", i)}); err != nil {
		t.Fatal(err)
	}
	say := func(about, template string) runbook.Result {
		return n.actions()["notify"].Do(t.Context(), runbook.Call{
			Run:  &continuity.Run{ID: "r", Service: "payment-outage", About: about, Started: began},
			Step: &runbook.Step{ID: "tell", Do: "notify", With: map[string]string{"to": "customers", "template": template}}, Attempt: 1, Now: began,
		})
	}
	r := say("incident/"+i.ID, "customers/update")
	if r.Failed != nil {
		t.Fatalf("%+v", r.Failed)
	}
	var note continuity.Notification
	if err := json.Unmarshal(r.Changes[0].Body, &note); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"start": "2026-03-06 10:00 UTC+08:00", "next_update": "2026-03-06 11:00 UTC+08:00",
		"status@zh": catalogue.Text(catalogue.Zh, "announce.status.identified", nil), "expected@en": catalogue.Text(catalogue.En, "announce.unknown.expected", nil),
	} {
		if note.Vars[name] != want {
			t.Errorf("%s is %q, want %q", name, note.Vars[name], want)
		}
	}
	// It is no first word any more.
	if r := say("incident/"+i.ID, "customers/first"); r.Failed != nil || len(r.Changes) != 0 {
		t.Errorf("%+v", r)
	}
	// Of a run that is for nothing too little is known.
	if r := say("", "customers/update"); r.Failed == nil || r.Failed.Code != "runbook.failed.template-lacks" {
		t.Errorf("%+v", r)
	}
}

// TestADrillsAnswerSaysSo has a step of a run in an exercise answer whoever writes.
func TestADrillsAnswerSaysSo(t *testing.T) {
	n := run(t, settings(t, t.TempDir(), ""))
	apply(t, n, "payment-outage", reading(newExporter(t))...)
	i := continuity.Incident{ID: "payment-outage-2026-1", Service: "payment-outage", State: continuity.Identified, Grade: "SEV-3", Started: time.Now(), Exercise: "drill-1"}
	if _, err := n.store.Apply(t.Context(), li, []continuity.Change{continuity.Put(continuity.KindIncident, i.ID, i.Service, "incident.declared", i)}); err != nil {
		t.Fatal(err)
	}
	r := n.actions()["autoreply.on"].Do(t.Context(), runbook.Call{
		Run:  &continuity.Run{ID: "r", Service: "payment-outage", About: "incident/" + i.ID, Exercise: "drill-1"},
		Step: &runbook.Step{ID: "answer", Do: "autoreply.on", With: map[string]string{"channel": "chat", "template": "customers/first"}},
	})
	if r.Failed != nil {
		t.Fatalf("%+v", r.Failed)
	}
	var a continuity.Autoreply
	if err := json.Unmarshal(r.Changes[0].Body, &a); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(a.Text.En, "(exercise) ") || !strings.HasPrefix(a.Text.Zh, "（演练）") || a.Drill != "drill-1" {
		t.Errorf("%+v", a)
	}
	if err := n.answer(t.Context(), "pager", &a, &notify.Event{From: "me"}); err != nil {
		t.Fatal(err)
	}
	page, _, err := n.store.List(t.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 100})
	page = slices.DeleteFunc(page, func(o continuity.Object) bool { return !strings.HasPrefix(o.ID, "payment-outage.chat.") }) // the engines tell of the incident meanwhile
	var note continuity.Notification
	if err != nil || len(page) != 1 || json.Unmarshal(page[0].Body, &note) != nil || note.Exercise != "drill-1" {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestWhatAStepTellsAgain has a group opened twice, as its proof had failed: what each
// attempt tells becomes true, and what another step tells, whose name reads alike.
func TestWhatAStepTellsAgain(t *testing.T) {
	n := run(t, settings(t, t.TempDir(), ""))
	apply(t, n, "payment-outage", reading(newExporter(t))...)
	seen := map[string]bool{}
	for _, step := range []struct {
		id      string
		attempt int
	}{{"open-1", 1}, {"open-1", 2}, {"open1", 1}, {"more/open-1", 1}} {
		r := n.actions()["group.open"].Do(t.Context(), runbook.Call{
			Run: &continuity.Run{ID: "r", Service: "payment-outage"}, Attempt: step.attempt,
			Step: &runbook.Step{ID: step.id, Do: "group.open", With: map[string]string{"channel": "chat", "join": "8826"}},
		})
		if r.Failed != nil {
			t.Fatalf("%+v", r.Failed)
		}
		if _, err := n.store.Apply(t.Context(), li, r.Changes); err != nil {
			t.Errorf("%+v: %v", step, err)
		}
		for _, c := range r.Changes {
			if c.Kind == continuity.KindNotification && seen[c.ID] {
				t.Errorf("%s was told before", c.ID)
			}
			seen[c.ID] = true
		}
	}
}
