package announce_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/store"
)

var (
	start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	li    = continuity.Actor{Kind: "user", ID: "li.wei", Via: "api"}
	zhang = continuity.Actor{Kind: "user", ID: "zhang.min", Via: "api"}
	sun   = continuity.Actor{Kind: "user", ID: "sun.lan", Via: "api"}
	bot   = continuity.Actor{Kind: "token", ID: "bot", Via: "api"}
)

const incident = "orders-2026-1"

// world is an engine over a real store, and a clock.
type world struct {
	*testing.T

	now   time.Time
	store *store.Store
	rules announce.Rules
	known bool
	f     *follow.Follower
	acts  *announce.Acts
}

// Of implements announce.Plans.
func (w *world) Of(service string, _ time.Time) (*announce.Rules, bool) {
	r := w.rules
	return &r, w.known && service == "orders"
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: start, known: true}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), store.Clock(func() time.Time { return w.now }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.store = db
	w.rules = announce.Rules{
		Zone:  time.FixedZone("", 8*3600),
		Known: map[string]string{"service@en": "Order desk", "service@zh": "订单服务", "standby": "help@standby.example"},
		Names: map[string]continuity.Text{"intake": {En: "taking orders", Zh: "接单"}},
		Audiences: []announce.Audience{
			{ID: "customers", Kind: "customers", Name: continuity.Text{En: "Customers", Zh: "客户"}, From: "SEV-2"},
			{ID: "regulator", Kind: "regulator", Clock: 72 * time.Hour},
			{ID: "staff", Kind: "staff"},
		},
		Grades:    map[string]announce.Grade{"SEV-1": {First: 5 * time.Minute, Every: 20 * time.Minute, Escalate: 5 * time.Minute}},
		Approvers: []string{"li.wei", "zhang.min", "sun.lan"}, Roles: []string{"commander", "customers"}, Command: "commander", Owner: "he.ping",
		Answers: []announce.Answering{{Channel: "chat", Audience: "customers"}, {Route: "shop", Audience: "customers"}},
		Find:    templates,
	}
	w.acts = announce.NewActs(w.store, w, func() time.Time { return w.now })
	w.restart()
	return w
}

func templates(name string) (announce.Template, bool) {
	for _, t := range []announce.Template{
		{ID: "hold", Kind: "customers", Phase: "first", Text: continuity.Text{En: "{service} is disturbed since {start}. Use {standby}. Again at {next_update}.", Zh: "{service} 自 {start} 异常，请用 {standby}，{next_update} 再报。"}},
		{ID: "hold-staff", Kind: "staff", Phase: "first", Text: continuity.Text{En: "{service} is down ({grade}): {affected}."}},
		{ID: "more", Kind: "customers", Phase: "update", Must: []string{"next_update"}, Text: continuity.Text{En: "{service}: {status}. Expected: {expected}. Again at {next_update}."}},
		{ID: "broken", Kind: "staff", Phase: "update", Must: []string{"next_update"}, Text: continuity.Text{En: "{service}: {status}, {link}."}},
		{ID: "clear", Kind: "customers", Phase: "all-clear", Text: continuity.Text{En: "{service} works since {end}."}},
		{ID: "window", Kind: "customers", Phase: "start", Text: continuity.Text{En: "Maintenance until {end}."}},
		{ID: "longer", Kind: "customers", Phase: "overrun", Text: continuity.Text{En: "It takes longer: {expected}."}},
	} {
		if t.ID == name || t.Kind+"/"+t.Phase == name {
			return t, true
		}
	}
	return announce.Template{}, false
}

// restart has another node lead, with nothing in its memory.
func (w *world) restart() {
	w.Helper()
	node := "node-" + w.now.Format("150405.000")
	w.f = follow.New(follow.Options{
		Store: w.store, Name: "announce", Node: node, Kinds: announce.Kinds, Now: func() time.Time { return w.now },
		Lease: func() (continuity.Lease, bool) {
			lease, ok, err := w.store.Lead(context.Background(), "control", "node", time.Hour)
			if err != nil {
				w.Fatal(err)
			}
			return lease, ok
		},
	}, announce.New(w))
}

func (w *world) step() time.Time {
	w.Helper()
	next, err := w.f.Step(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return next
}

func (w *world) pass(d time.Duration) {
	w.Helper()
	w.now = w.now.Add(d)
	w.step()
}

// put writes an object as other engines do.
func (w *world) put(kind, id string, v any) {
	w.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	_, err = w.store.Commit(w.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{
		{Kind: kind, ID: id, Service: "orders", Version: continuity.VersionAny, Body: body, Action: kind + ".put"},
	}})
	if err != nil {
		w.Fatal(err)
	}
}

func read[T any](w *world, kind, id string) (v T, there bool) {
	w.Helper()
	o, err := w.store.Get(w.Context(), kind, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return v, false
	}
	if err == nil {
		err = json.Unmarshal(o.Body, &v)
	}
	if err != nil {
		w.Fatal(err)
	}
	return v, true
}

// begin declares an incident now.
func (w *world) begin(change func(*continuity.Incident)) {
	w.Helper()
	i := continuity.Incident{
		ID: incident, Service: "orders", Title: continuity.Text{En: "Database gone"}, Grade: "SEV-1", State: continuity.Investigating,
		Started: w.now.Add(-time.Minute), Declared: w.now, Hits: []string{"intake"},
	}
	if change != nil {
		change(&i)
	}
	w.put(continuity.KindIncident, i.ID, i)
	w.step()
}

// becomes changes the incident as others do.
func (w *world) becomes(change func(*continuity.Incident)) {
	w.Helper()
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	change(&i)
	w.put(continuity.KindIncident, incident, i)
	w.step()
}

// told are the ids of all notifications, without the incident's.
func (w *world) told() string {
	w.Helper()
	page, _, err := w.store.List(w.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	ids := make([]string, len(page))
	for i, o := range page {
		ids[i] = strings.TrimPrefix(o.ID, incident+".")
	}
	return strings.Join(ids, " ")
}

func (w *world) want(ids string) {
	w.Helper()
	if got := w.told(); got != ids {
		w.Errorf("told:\n%s\nwant:\n%s", got, ids)
	}
}

func (w *world) code(err error, want continuity.Code) {
	w.Helper()
	if continuity.CodeOf(err) != want {
		w.Errorf("%v, want %q", err, want)
	}
}
