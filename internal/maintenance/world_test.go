package maintenance_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/maintenance"
	"holdfast/internal/store"
)

var (
	li   = continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}
	both = func(s string) continuity.Text { return continuity.Text{En: s, Zh: s} }
)

const service = "orders"

// world is an engine over a real store, what people do, and a clock. The engine can be
// killed at any time: another one goes on over the same store.
type world struct {
	*testing.T

	store    *store.Store
	now      time.Time
	rules    *maintenance.Rules
	busy     []maintenance.Busy
	traffic  *maintenance.Traffic
	acts     *maintenance.Acts
	follower *follow.Follower
	lease    continuity.Lease
}

func (w *world) Of(id string) (*maintenance.Rules, bool) {
	return w.rules, w.rules != nil && id == service
}

func (w *world) Busy(context.Context, string, calendar.Window) ([]maintenance.Busy, []string, error) {
	return w.busy, nil, nil
}

func (w *world) Traffic(context.Context, string, *time.Location) (*maintenance.Traffic, error) {
	return w.traffic, nil
}

func zone(t testing.TB, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// words has an audience told by templates that say all that they must.
func words() map[string][]string {
	all := map[string][]string{}
	for _, phase := range []string{"notice", "start", "changed", "overrun", "end", "cancelled"} {
		all[phase] = []string{"start", "end", "affected", "contact", "standby"}
	}
	return all
}

func newWorld(t *testing.T, at string) *world {
	t.Helper()
	w := &world{T: t, rules: &maintenance.Rules{
		Service: service, Plan: 7, Name: both("Orders"), Owner: "li.wei", Lead: "commander", Zone: zone(t, "Asia/Shanghai"), Days: calendar.China(),
		Hours:   []calendar.Hours{{From: calendar.Clock{Hour: 9}, To: calendar.Clock{Hour: 18}}},
		Notices: []time.Duration{5 * 24 * time.Hour, 3 * 24 * time.Hour, 24 * time.Hour, time.Hour}, Emergency: []time.Duration{time.Hour},
		Tell: []string{"staff", "customers"},
		Audiences: map[string]maintenance.Audience{
			"staff": {ID: "staff", Kind: "staff", Words: words()}, "customers": {ID: "customers", Kind: "customers", Words: words()},
		},
		Contact: both("8826"), Meant: both("by phone"), Whom: both("sales"), Standby: []maintenance.Channel{{ID: "mail", Name: both("Standby mail")}},
		Affected: map[string]maintenance.Part{"database": {Name: both("Database")}},
	}}
	w.now = w.at(at)
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "state.db"), store.Clock(func() time.Time { return w.now }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.store = s
	w.acts = maintenance.NewActs(maintenance.ActsOptions{Store: s, Plans: w, World: w, Now: func() time.Time { return w.now }})
	w.restart()
	return w
}

// at reads a local time of the service.
func (w *world) at(text string) time.Time {
	w.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", text, w.rules.Zone)
	if err != nil {
		w.Fatal(err)
	}
	return at.UTC()
}

// restart kills the engine: what it knew is lost.
func (w *world) restart() {
	w.Helper()
	if w.lease.Fence > 0 {
		_ = w.store.Resign(w.Context(), w.lease)
	}
	lease, ok, err := w.store.Lead(w.Context(), "control", "here", time.Hour)
	if err != nil || !ok {
		w.Fatal(ok, err)
	}
	w.lease = lease
	w.follower = follow.New(follow.Options{
		Store: w.store, Name: "maintenance", Node: "here", Kinds: maintenance.Kinds(), Now: func() time.Time { return w.now },
		Lease: func() (continuity.Lease, bool) { return w.lease, true },
	}, maintenance.New(maintenance.Options{Plans: w, World: w}))
}

// step has the engine do what is to be done now.
func (w *world) step() (next time.Time) {
	w.Helper()
	next, err := w.follower.Step(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return next
}

// until lets time go by as an idle node does: from one due time to the next.
func (w *world) until(text string) {
	w.Helper()
	w.pass(w.at(text))
}

func (w *world) pass(end time.Time) {
	w.Helper()
	for range 10_000 {
		next := w.step()
		if next.IsZero() || next.After(end) {
			w.now = end
			w.step()
			return
		}
		w.now = next
	}
	w.Fatal("it never comes to rest")
}

// draft is a window from one local time to another.
func (w *world) draft(from, to string) maintenance.Draft {
	start, end := w.at(from), w.at(to)
	return maintenance.Draft{Service: service, Start: &start, End: &end}
}

func (w *world) must(k maintenance.Kept, err error) maintenance.Kept {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return k
}

// plan proposes and schedules a window.
func (w *world) plan(from, to string) maintenance.Kept {
	w.Helper()
	k := w.must(w.acts.Propose(w.Context(), li, w.draft(from, to)))
	return w.must(w.acts.Schedule(w.Context(), li, k.ID, k.Version, maintenance.Plan{}))
}

func (w *world) window(id string) continuity.Window {
	w.Helper()
	d, _, err := w.acts.Get(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	return d.Window
}

func (w *world) put(kind, id string, v any) {
	w.Helper()
	body, err := json.Marshal(v)
	if err == nil {
		_, err = w.store.Apply(w.Context(), li, []continuity.Change{{Kind: kind, ID: id, Service: service, Version: continuity.VersionAny, Body: body, Action: "test"}})
	}
	if err != nil {
		w.Fatal(err)
	}
}

// said is what was told, in order: when, to whom, in which words.
func (w *world) said() (all []string) {
	w.Helper()
	for _, n := range w.notes() {
		var to []string
		for _, r := range n.To {
			name := r.ID
			if r.Kind == continuity.ToTold {
				name = "told " + r.Of
			}
			to = append(to, name)
		}
		words := n.Template
		if words == "" {
			words = n.Subject.En
		}
		all = append(all, n.At.In(w.rules.Zone).Format("01-02 15:04")+" "+strings.Join(to, "+")+": "+words)
	}
	return all
}

// notes are the notifications in the order in which they were asked for.
func (w *world) notes() (all []continuity.Notification) {
	w.Helper()
	var events []continuity.AuditEvent
	for seq := int64(0); ; {
		page, err := w.store.EventsSince(w.Context(), seq, 1000)
		if err != nil {
			w.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		events = append(events, page...)
		seq = page[len(page)-1].Seq
	}
	for _, e := range events {
		var n continuity.Notification
		if e.Kind == continuity.KindNotification && json.Unmarshal(e.After, &n) == nil {
			all = append(all, n)
		}
	}
	return all
}

func (w *world) want(lines ...string) {
	w.Helper()
	if got := w.said(); !slices.Equal(got, lines) {
		w.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

func (w *world) state(id, want string) {
	w.Helper()
	if got := w.window(id).State; got != want {
		w.Errorf("%s is %s, want %s", id, got, want)
	}
}
