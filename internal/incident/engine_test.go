package incident_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/incident"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

var (
	start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	li    = incident.By{Actor: continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}}
	zhang = incident.By{Actor: continuity.Actor{Kind: "user", ID: "zhang.min", Via: "cli"}}
	chen  = incident.By{Actor: continuity.Actor{Kind: "user", ID: "chen.jie", Via: "cli"}}
	guest = incident.By{Actor: continuity.Actor{Kind: "user", ID: "guest", Via: "cli"}}
	robot = incident.By{Actor: continuity.Actor{Kind: "token", ID: "t-1", Via: "api"}}
)

// plans is what one plan says.
type plans struct{ rules incident.Rules }

func (p *plans) Of(service string) (*incident.Rules, bool) {
	return &p.rules, service == p.rules.Service
}

func (p *plans) All() []*incident.Rules { return []*incident.Rules{&p.rules} }

// Ladder asks the people of a role in turn.
func (p *plans) Ladder(_, role, _ string, _ time.Time) (all []continuity.Recipient, err error) {
	for _, id := range p.rules.Roles[role].People {
		all = append(all, continuity.Recipient{Kind: continuity.ToPerson, ID: id})
	}
	return all, nil
}

func shop() *plans {
	return &plans{incident.Rules{
		Service: "orders", Version: 3, Name: continuity.Text{En: "Orders"}, Owner: "li.wei",
		Scenarios: []incident.Scenario{
			{ID: "database-gone", Name: continuity.Text{En: "Database gone", Zh: "数据库不可用"}, Hits: []string{"database"}, Grade: "SEV-2", Scope: "everyone", Runbook: "bring-back", Trigger: incident.Trigger{Check: "orders/database", State: continuity.CheckDown}},
			{ID: "slow", Name: continuity.Text{En: "Slow"}, Partial: true, Grade: "SEV-3", Trigger: incident.Trigger{Warning: "orders-slow", Level: continuity.LevelOrange}},
			{ID: "reported", Name: continuity.Text{En: "Reported"}, Grade: "SEV-3", Trigger: incident.Trigger{Reports: 3, Within: 10 * time.Minute}},
			{ID: "carrier", Name: continuity.Text{En: "Carrier down"}, Grade: "SEV-3", Trigger: incident.Trigger{Notice: "carrier"}},
			{ID: "overrun", Name: continuity.Text{En: "Window overruns"}, Grade: "SEV-2", Hits: []string{"order-intake"}, Trigger: incident.Trigger{Window: "overruns"}},
			{ID: "theft", Name: continuity.Text{En: "Data stolen"}, Grade: "SEV-1"},
		},
		Grades: map[string]incident.Grade{
			"SEV-1": {Recover: 30 * time.Minute, Scope: 10 * time.Minute, Escalate: 5 * time.Minute, Review: 72 * time.Hour},
			"SEV-2": {Recover: time.Hour, Scope: 10 * time.Minute, Escalate: 5 * time.Minute, Review: 5 * 24 * time.Hour},
			"SEV-3": {Recover: 4 * time.Hour, Scope: 10 * time.Minute, Escalate: 5 * time.Minute, Review: 5 * 24 * time.Hour},
		},
		Processes: []incident.Process{
			{ID: "order-intake", RTO: 40 * time.Minute, MTD: 4 * time.Hour, Needs: []string{"app"}},
			{ID: "dispatch", RTO: 2 * time.Hour, MTD: 8 * time.Hour, Needs: []string{"app"}},
		},
		Components: []incident.Component{
			{ID: "app", Needs: []string{"database"}, Checks: []string{"orders/place-order"}},
			{ID: "database", Checks: []string{"orders/database"}},
		},
		Roles: map[string]incident.Role{
			"commander": {Name: continuity.Text{En: "Incident commander"}, People: []string{"li.wei", "zhang.min"}, May: []string{"declare", "grade", "close"}},
			"technical": {People: []string{"chen.jie", "wu.hao"}, May: []string{"switch"}, Under: "commander"},
		},
		Legal:  map[string]time.Duration{"regulator": 72 * time.Hour},
		Causes: []string{"hardware", "operator", "security"},
	}}
}

// world is an engine over a real store, which can die and begin anew at any time.
type world struct {
	*testing.T

	now   time.Time
	plans *plans
	store *store.Store
	acts  *incident.Acts
	f     *follow.Follower
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: start, plans: shop()}
	w.store = storetest.Open(t, filepath.Join(t.TempDir(), "state.db"), store.Clock(func() time.Time { return w.now }))
	w.acts = incident.NewActs(w.store, w.options(), func() time.Time { return w.now })
	w.restart()
	return w
}

func (w *world) options() incident.Options {
	return incident.Options{Plans: w.plans, Duty: w.plans, Node: "n1", Known: func(_ context.Context, id string) (bool, error) { return id != "nobody", nil }}
}

// restart kills the engine; a new one begins over the same store.
func (w *world) restart() {
	w.f = follow.New(follow.Options{
		Store: w.store, Name: incident.Name, Node: "n1", Kinds: incident.Kinds(), Now: func() time.Time { return w.now },
		Lease: func() (continuity.Lease, bool) {
			l, ok, err := w.store.Lead(w.Context(), "control", "n1", time.Minute)
			if err != nil {
				w.Error(err)
			}
			return l, ok
		},
	}, incident.New(w.options()))
}

// step lets a time pass and the engine work, in steps of at most five minutes; the
// engine dies before each of them.
func (w *world) step(d time.Duration) {
	w.Helper()
	for {
		w.restart()
		if _, err := w.f.Step(w.Context()); err != nil {
			w.Fatal(err)
		}
		if d <= 0 {
			return
		}
		jump := min(d, 5*time.Minute)
		w.now, d = w.now.Add(jump), d-jump
	}
}

func (w *world) put(kind, id string, v any) {
	w.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	_, err = w.store.Apply(w.Context(), continuity.Actor{Kind: "engine", ID: "test"}, []continuity.Change{
		{Kind: kind, ID: id, Service: "orders", Version: continuity.VersionAny, Body: body, Action: kind + ".changed"},
	})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) check(name string, state continuity.CheckState) {
	w.Helper()
	w.put(continuity.ObjectCheck, "orders/"+name, continuity.JudgedCheck{State: state, Since: w.now})
}

func (w *world) incidents() (all []incident.Kept) {
	w.Helper()
	all, _, err := w.acts.List(w.Context(), incident.Query{All: true, Limit: 100})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func (w *world) only() incident.Kept {
	w.Helper()
	all := w.incidents()
	if len(all) != 1 {
		w.Fatalf("%d incidents", len(all))
	}
	return all[0]
}

// told are the notifications of an incident, by their subjects.
func (w *world) told(id string) (all []continuity.Notification) {
	w.Helper()
	objects, _, err := w.store.List(w.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	for _, o := range objects {
		var n continuity.Notification
		if err := json.Unmarshal(o.Body, &n); err != nil {
			w.Fatal(err)
		}
		if n.About == continuity.KindIncident+"/"+id {
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b continuity.Notification) int { return a.At.Compare(b.At) })
	return all
}

// subjects counts what was told by a part of the subject.
func (w *world) subjects(id, part string) (n int) {
	w.Helper()
	for _, one := range w.told(id) {
		if strings.Contains(one.Subject.En, part) {
			n++
		}
	}
	return n
}

// page is the one by which a role is asked.
func (w *world) page(id, role string) continuity.Notification {
	w.Helper()
	k, err := w.acts.Get(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	o, err := w.store.Get(w.Context(), continuity.KindNotification, k.Roles[role].Page)
	if err != nil {
		w.Fatal(role, err)
	}
	var n continuity.Notification
	if err := json.Unmarshal(o.Body, &n); err != nil {
		w.Fatal(err)
	}
	return n
}

// became has a notification become something, as the pipeline would.
func (w *world) became(n continuity.Notification, change func(*continuity.Notification)) {
	w.Helper()
	change(&n)
	w.put(continuity.KindNotification, n.ID, n)
}

func acknowledge(who string, at time.Time) func(*continuity.Notification) {
	return func(n *continuity.Notification) {
		n.State, n.AckBy, n.AckAt, n.Ended = continuity.NotifyAcknowledged, &continuity.Actor{Kind: "person", ID: who, Via: "sms"}, at, at
	}
}

func code(t *testing.T, err error, want continuity.Code) {
	t.Helper()
	if continuity.CodeOf(err) != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestTriggersDeclare has each kind of trigger declare its scenario, once.
func TestTriggersDeclare(t *testing.T) {
	report := func(w *world, who string) {
		w.put("report", who+w.now.String(), continuity.Report{ID: who + w.now.String(), Service: "orders", By: who, What: "down", At: w.now})
	}
	for name, c := range map[string]struct {
		before, cause func(*world)
		scenario      string
		origin        continuity.Origin
	}{
		"check": {
			func(w *world) { w.check("database", continuity.CheckDegraded) }, func(w *world) { w.check("database", continuity.CheckDown) },
			"database-gone", continuity.Origin{Kind: "check", ID: "orders/database"},
		},
		"warning": {
			func(w *world) {
				w.put("warning", "orders.orders-slow", continuity.Warning{ID: "orders.orders-slow", Service: "orders", Source: "measure", Rule: "orders-slow", Level: "yellow", State: "open", Since: w.now})
			},
			func(w *world) {
				w.put("warning", "orders.orders-slow", continuity.Warning{ID: "orders.orders-slow", Service: "orders", Source: "measure", Rule: "orders-slow", Level: "red", State: "open", Since: w.now})
			},
			"slow", continuity.Origin{Kind: "warning", ID: "orders.orders-slow"},
		},
		"dismissed": {
			func(w *world) {
				w.put("warning", "orders.orders-slow", continuity.Warning{ID: "orders.orders-slow", Service: "orders", Source: "slo", Rule: "orders-slow", Level: "red", State: "dismissed", Since: w.now})
			},
			func(w *world) {
				w.put("warning", "orders.orders-slow", continuity.Warning{ID: "orders.orders-slow", Service: "orders", Source: "slo", Rule: "orders-slow", Level: "red", State: "open", Since: w.now})
			},
			"slow", continuity.Origin{Kind: "warning", ID: "orders.orders-slow"},
		},
		"reports": {
			func(w *world) { // one person three times, and three within too long
				report(w, "a")
				w.now = w.now.Add(time.Second)
				report(w, "a")
				w.now = w.now.Add(9 * time.Minute)
				report(w, "b")
				w.now = w.now.Add(2 * time.Minute)
				report(w, "c")
			},
			func(w *world) { report(w, "d") }, "reported", continuity.Origin{Kind: "reports", ID: "orders"},
		},
		"notice": {
			func(w *world) {
				w.put("notice", "n1", map[string]any{"service": "orders", "provider": "carrier", "type": "warning", "state": "proposed"})
				w.put("notice", "n2", map[string]any{"service": "orders", "provider": "another", "type": "warning", "state": "confirmed", "agreed": map[string]any{"at": w.now}})
			},
			func(w *world) {
				w.put("notice", "n1", map[string]any{"service": "orders", "provider": "carrier", "type": "warning", "state": "confirmed", "agreed": map[string]any{"at": w.now}})
			},
			"carrier", continuity.Origin{Kind: "notice", ID: "n1"},
		},
		"announced": {
			func(w *world) {
				w.put("notice", "n3", map[string]any{"service": "orders", "provider": "carrier", "type": "window", "state": "confirmed", "agreed": map[string]any{"at": w.now, "start": w.now.Add(time.Hour), "end": w.now.Add(2 * time.Hour)}})
			},
			func(w *world) { w.now = start.Add(time.Hour) },
			"carrier", continuity.Origin{Kind: "notice", ID: "n3"},
		},
		"window": {
			func(w *world) {
				w.put("window", "w1", continuity.Window{ID: "w1", Service: "orders", State: continuity.WindowRunning, End: w.now})
				w.check("database", continuity.CheckDown) // as it is worked on
			},
			func(w *world) {
				w.put("window", "w1", continuity.Window{ID: "w1", Service: "orders", State: continuity.WindowOverrun, End: w.now.Add(-time.Second)})
			},
			"overrun", continuity.Origin{Kind: "window", ID: "w1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.before(w)
			w.step(time.Minute)
			if all := w.incidents(); len(all) != 0 {
				t.Fatalf("%+v", all)
			}
			c.cause(w)
			w.step(time.Minute)
			i := w.only()
			if i.Scenario != c.scenario || i.Origin != c.origin || i.ID != "orders-2026-1" || i.Plan != 3 || i.Started.After(i.Declared) {
				t.Errorf("%+v", i)
			}
		})
	}
}

// TestOneOriginIsOneIncident has engines declare the same several times, also the
// window that a trigger declared already.
func TestOneOriginIsOneIncident(t *testing.T) {
	w := newWorld(t)
	declare := func(d continuity.Declaration) continuity.Declaration {
		c := continuity.Declare(d)
		o, err := w.store.Apply(t.Context(), continuity.Actor{Kind: "engine", ID: "upgrades"}, []continuity.Change{c})
		if err != nil {
			t.Fatal(err)
		}
		w.step(0)
		back, err := w.store.Get(t.Context(), o[0].Kind, o[0].ID)
		if err == nil {
			err = json.Unmarshal(back.Body, &d)
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	upgrade := continuity.Declaration{Service: "orders", Grade: "SEV-1", Title: continuity.Text{En: "Upgrade failed"}, Origin: continuity.Origin{Kind: "upgrade", ID: "u1"}, Why: "rolled back"}
	if got := declare(upgrade).Incident; got != "orders-2026-1" {
		t.Error(got)
	}
	if got := declare(upgrade).Incident; got != "orders-2026-1" {
		t.Error(got)
	}
	w.put("window", "w1", continuity.Window{ID: "w1", Service: "orders", State: continuity.WindowOverrun, End: w.now})
	w.step(0)
	if got := declare(continuity.Declaration{Service: "orders", Scenario: "overrun", Origin: continuity.Origin{Kind: "window", ID: "w1"}}).Incident; got != "orders-2026-2" {
		t.Error(got)
	}
	// One that names no scenario is of the one that the window's trigger begins.
	if _, err := w.store.Apply(t.Context(), continuity.Actor{Kind: "engine", ID: "windows"}, []continuity.Change{
		continuity.Declare(continuity.Declaration{Service: "orders", Origin: continuity.Origin{Kind: "window", ID: "w2"}}),
	}); err != nil {
		t.Fatal(err)
	}
	w.put("window", "w2", continuity.Window{ID: "w2", Service: "orders", State: continuity.WindowOverrun, End: w.now})
	w.step(0)
	if all := w.incidents(); len(all) != 3 || all[2].Scenario != "overrun" {
		t.Errorf("%+v", all)
	}
	if _, err := w.store.Apply(t.Context(), continuity.Actor{Kind: "engine", ID: "windows"}, []continuity.Change{ // also under a name of its own
		continuity.Declare(continuity.Declaration{Service: "orders", Title: continuity.Text{En: "Maintenance failed"}, Origin: continuity.Origin{Kind: "window", ID: "w3"}}),
	}); err != nil {
		t.Fatal(err)
	}
	w.step(0)
	if all := w.incidents(); len(all) != 4 || all[3].Scenario != "overrun" || all[3].Title.En != "Maintenance failed" {
		t.Errorf("%+v", all)
	}
	if all := w.incidents(); all[0].Why != "rolled back" || all[0].Grade != "SEV-1" {
		t.Errorf("%+v", all)
	}
}

// TestRolesAreFilled has one page go to who leads each role, the deputy be asked
// where nobody answers, and whoever answers have the role.
func TestRolesAreFilled(t *testing.T) {
	w := newWorld(t)
	w.check("database", continuity.CheckDown)
	w.step(5 * time.Minute)
	i := w.only()
	p := w.page(i.ID, "commander")
	if len(w.told(i.ID)) != 2 || p.Urgency != continuity.UrgencyPage || p.AckWithin != 5*time.Minute || p.To[0].ID != "li.wei" || p.Escalate[0].ID != "zhang.min" || p.Subject.Zh == "" {
		t.Fatalf("%+v", w.told(i.ID))
	}
	if h := i.Roles["commander"]; h.State != continuity.RoleAsked || h.Person != "li.wei" {
		t.Errorf("%+v", h)
	}
	w.became(p, func(n *continuity.Notification) { n.State, n.Step = continuity.NotifyWaiting, 1 })
	w.step(time.Second)
	if h := w.only().Roles["commander"]; h.State != continuity.RoleAsked || h.Person != "zhang.min" || !slices.Equal(h.Asked, []string{"li.wei", "zhang.min"}) {
		t.Errorf("%+v", h)
	}
	w.became(w.page(i.ID, "commander"), acknowledge("zhang.min", w.now))
	w.became(w.page(i.ID, "technical"), func(n *continuity.Notification) { n.State, n.Failure = continuity.NotifyFailed, "unacknowledged" })
	w.step(0)
	i = w.only()
	if h := i.Roles["commander"]; h.State != continuity.RoleTook || h.Person != "zhang.min" || len(i.Command) != 1 || i.Command[0].To != "zhang.min" || i.Command[0].By.Via != "sms" {
		t.Errorf("%+v %+v", h, i.Command)
	}
	if i.Roles["technical"].State != continuity.RolePassed || w.subjects(i.ID, "nobody has the role") != 1 {
		t.Errorf("%+v", w.told(i.ID))
	}
	w.step(14 * time.Minute)
	if n := w.subjects(i.ID, "you are asked"); n != 2 {
		t.Errorf("%d were asked", n)
	}
	w.step(2 * time.Minute) // and asked anew
	if n := w.subjects(i.ID, "you are asked"); n != 3 {
		t.Errorf("%d were asked", n)
	}
	// What was told with another is answered with it.
	leader := w.told(i.ID)[0]
	w.became(w.page(i.ID, "technical"), func(n *continuity.Notification) { n.State, n.By = continuity.NotifyGrouped, leader.ID })
	leader.Urgency = continuity.UrgencyPage
	w.became(leader, acknowledge("wu.hao", w.now))
	w.step(0)
	if h := w.only().Roles["technical"]; h.State != continuity.RoleTook || h.Person != "wu.hao" {
		t.Errorf("%+v", h)
	}
}

// TestClocks has the halves, three quarters and wholes of both times told once each,
// however often the engine dies, and the grade rise as time runs out.
func TestClocks(t *testing.T) {
	w := newWorld(t)
	w.check("database", continuity.CheckDown)
	w.step(0)
	i := w.only()
	if i.RTO != 40*time.Minute || i.MTD != 4*time.Hour || i.Grade != "SEV-2" {
		t.Fatalf("%s %s %s", i.RTO, i.MTD, i.Grade)
	}
	if _, err := w.acts.Take(t.Context(), li, i.ID, continuity.VersionAny, "commander", "", ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		until time.Duration
		part  string
	}{{20 * time.Minute, "50 %"}, {30 * time.Minute, "75 %"}, {40 * time.Minute, "100 %"}} {
		w.step(start.Add(c.until - 30*time.Second).Sub(w.now))
		if n := w.subjects(i.ID, c.part); n != 0 {
			t.Errorf("%s before its time", c.part)
		}
		w.step(start.Add(c.until).Sub(w.now))
		if n := w.subjects(i.ID, c.part); n != 1 {
			t.Errorf("%s: %d", c.part, n)
		}
	}
	if n := w.subjects(i.ID, "whom does it hit"); n != 1 {
		t.Errorf("scope was asked for %d times", n)
	}
	w.step(start.Add(3 * time.Hour).Sub(w.now))
	if i = w.only(); i.Grade != "SEV-2" {
		t.Error(i.Grade) // an hour is promised, and left
	}
	w.step(time.Second)
	if i = w.only(); i.Grade != "SEV-1" || w.subjects(i.ID, "SEV-2 to SEV-1") != 1 {
		t.Error(i.Grade, w.subjects(i.ID, "SEV-2 to SEV-1"))
	}
}
