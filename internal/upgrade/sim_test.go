package upgrade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/runbook"
	"holdfast/internal/store"
)

var (
	li    = continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}
	zhang = continuity.Actor{Kind: "user", ID: "zhang.min", Via: "cli"}
)

const service = "shop"

// flaw is what is wrong with a version.
type flaw struct {
	spoils  bool // its migration spoils an amount
	late    bool // it spoils amounts once requests reach it
	broken  bool // it does not work
	errs    bool // its migration fails
	noDown  bool // its way down does not lead back
	limited bool // more is undone than people agreed to
	none    bool // nothing
}

// data is what the program works with.
type data struct {
	schema int
	orders map[int]int // amounts
}

func (d data) clone() data { return data{d.schema, maps.Clone(d.orders)} }

// sim is a shop with a relay before it, backups, and a runner that can be killed before
// and after each thing that it does.
type sim struct {
	*testing.T

	mu       sync.Mutex
	flaw     flaw
	spec     *Spec
	now      time.Time
	version  int
	runs     bool
	data     data
	held     bool
	heldBy   string
	queue    []int             // held, in order
	sent     map[int]time.Time // recorded, with when it reached the shop
	next     int
	errors   []string // of customers
	snaps    map[time.Time]data
	prepared map[string]data
	switched map[string]bool
	backedUp map[string]bool // by the stage that asked

	effects int
	kill    int
	after   bool
	killed  bool
	fail    map[string]int // how often what fails
	refuse  map[string]error
	found   []continuity.UpgradeFinding // before it begins
	despite string                      // why it begins all the same
	first   []runbook.Step              // of the runbook, before what the upgrade does
	names   []string

	store    *store.Store
	commits  int
	killAt   int
	lease    continuity.Lease
	acts     *Acts
	upgrades *follow.Follower
	books    *follow.Follower
	engine   *Engine
	runner   *runbook.Engine
	id       string
}

func newSim(t *testing.T, f flaw) *sim {
	t.Helper()
	s := &sim{
		T: t, flaw: f, now: time.Date(2026, 3, 6, 2, 0, 0, 0, time.UTC), version: 1, runs: true, data: data{1, map[int]int{}}, sent: map[int]time.Time{},
		snaps: map[time.Time]data{}, prepared: map[string]data{}, switched: map[string]bool{}, backedUp: map[string]bool{}, fail: map[string]int{},
	}
	s.spec = &Spec{
		Service: service, ID: "app", Plan: 3, Owner: "li.wei", Commander: "commander", Before: []Item{{ID: "trained"}}, Sets: []string{"orders"}, Fresh: time.Hour, Runbook: "upgrade",
		Routes: []Route{{Relay: "edge", Route: "orders", Mode: "hold"}}, Longest: time.Hour, Settle: 20 * time.Second, Bake: time.Minute,
		Data: Data{Looked: true, Back: BackFaster, Rehearse: true}, Limits: Limits{Minutes: 60, Records: 1000},
	}
	if f.limited {
		s.spec.Limits.Records = 0
	}
	for range 5 {
		s.order()
	}
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "state.db"), store.Clock(func() time.Time { return s.now }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.store = db
	s.acts = NewActs(ActsOptions{Objects: db, Plans: s, Now: func() time.Time { return s.now }})
	s.restart()
	k, err := s.acts.Plan(t.Context(), li, Draft{Service: service, Upgrade: "app", To: "2"})
	if err != nil {
		t.Fatal(err)
	}
	s.id = k.ID
	return s
}

func (s *sim) Of(service, id string) (*Spec, bool) { return s.spec, service == "shop" && id == "app" }

var errKilled = errors.New("killed")

// Commit makes the runner die at one of its commits.
func (s *sim) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	if s.commits++; s.killed { // in the middle of what it decided on
		return nil, errKilled
	}
	if s.commits == s.killAt && !s.after {
		s.killed = true
		return nil, errKilled
	}
	o, err := s.store.Commit(ctx, b)
	if s.commits == s.killAt {
		s.killed = true
		return nil, errKilled
	}
	return o, err
}

type deadly struct {
	*store.Store

	s *sim
}

func (d deadly) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	return d.s.Commit(ctx, b)
}

// restart has another runner go on over the same store.
func (s *sim) restart() {
	s.Helper()
	if s.engine != nil {
		s.engine.Close()
		s.runner.Close()
		_ = s.store.Resign(s.Context(), s.lease)
	}
	lease, ok, err := s.store.Lead(s.Context(), "control", "here", time.Hour)
	if err != nil || !ok {
		s.Fatal(ok, err)
	}
	s.lease, s.killed = lease, false
	held := func() (continuity.Lease, bool) { return s.lease, true }
	now := func() time.Time { return s.now }
	s.engine = New(context.Background(), Options{Plans: s, Hands: Hands{hands{s}, hands{s}, hands{s}, hands{s}, hands{s}, hands{s}}})
	s.upgrades = follow.New(follow.Options{Store: deadly{s.store, s}, Name: "upgrade", Node: "here", Kinds: Kinds(), Now: now, Lease: held}, s.engine)
	s.runner = runbook.New(context.Background(), runbook.Options{Plans: book{s}, Eyes: book{s}, Actions: runbook.Actions{ActionStart: {Plain: true, Do: s.part}}})
	s.books = follow.New(follow.Options{Store: deadly{s.store, s}, Name: "runbook", Node: "here", Kinds: runbook.Kinds, Now: now, Lease: held}, s.runner)
}

// effect does something to the world, unless the runner is killed first or it fails.
func (s *sim) effect(name string, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed {
		return errKilled
	}
	s.effects++
	s.names = append(s.names, name)
	if s.effects == s.kill && !s.after {
		s.killed = true
		return errKilled
	}
	if err := s.refuse[name]; err != nil {
		return err
	}
	if s.fail[name] > 0 {
		s.fail[name]--
		return errors.New(name + " fails")
	}
	err := do()
	if s.effects == s.kill {
		s.killed = true
		return errKilled
	}
	return err
}

// part is what a step of the runbook does.
func (s *sim) part(_ context.Context, c runbook.Call) runbook.Result {
	part := c.Step.With["part"]
	err := s.effect("step-"+part, func() error {
		switch part {
		case PartStop:
			s.runs = false
		case PartPut:
			s.version = 2
		case PartMigrate:
			if s.flaw.errs {
				return errors.New("no")
			}
			s.up(&s.data)
		case PartStart:
			s.runs = true
		}
		return nil
	})
	if err != nil {
		return runbook.Fail("runbook.failed.ended", nil)
	}
	return runbook.Result{}
}

func (s *sim) up(d *data) {
	if d.schema == 1 && s.flaw.spoils {
		d.orders[3] = -d.orders[3]
	}
	d.schema = 2
}

func (s *sim) down(d *data) {
	if d.schema == 2 && s.flaw.noDown {
		delete(d.orders, 2)
	}
	d.schema = 1
}

// order has a customer order something.
func (s *sim) order() {
	s.next++
	id := s.next
	if s.held {
		s.queue = append(s.queue, id)
		return
	}
	if !s.deliver(id) {
		s.errors = append(s.errors, fmt.Sprintf("order %d: version %d runs %v, schema %d", id, s.version, s.runs, s.data.schema))
	}
}

func (s *sim) deliver(id int) bool {
	if !s.runs || s.version != s.data.schema {
		return false
	}
	amount := id * 10
	if s.version == 2 && s.flaw.late && id%3 == 0 {
		amount = -amount
	}
	s.data.orders[id] = amount
	s.sent[id] = s.now
	return true
}

// hands are what the engine has; the world is what they change.
type hands struct{ *sim }

func (h hands) Check(context.Context, Call) ([]continuity.UpgradeFinding, error) {
	return append([]continuity.UpgradeFinding{{ID: "cpu", Level: continuity.FindingOK}}, h.found...), h.effect("check", func() error { return nil })
}

func (h hands) Version(context.Context, Call) (v string, err error) {
	return v, h.effect("version", func() error { v = strconv.Itoa(h.version); return nil })
}

func (h hands) Stop(context.Context, Call) error {
	return h.effect("stop", func() error { h.runs = false; return nil })
}

func (h hands) Put(_ context.Context, _ Call, version string) error {
	return h.effect("put", func() (err error) { h.version, err = strconv.Atoi(version); return err })
}

func (h hands) Start(context.Context, Call) error {
	return h.effect("start", func() error { h.runs = true; return nil })
}

func pictureOf(d data, at time.Time) *continuity.UpgradePicture {
	sum, negative := 0, 0
	hash := 0
	for id, amount := range d.orders {
		sum += amount
		hash += id * amount
		if amount < 0 {
			negative++
		}
	}
	return &continuity.UpgradePicture{At: at, Schema: strconv.Itoa(d.schema), Figures: []continuity.UpgradeFigure{
		{Of: "orders", Measure: continuity.UpgradeMeasureRows, Value: strconv.Itoa(len(d.orders))}, {Of: "orders", Measure: continuity.UpgradeMeasureHash, Value: strconv.Itoa(hash)},
		{Of: "total", Measure: continuity.UpgradeMeasureInvariant, Value: strconv.Itoa(sum)}, {Of: "negative", Measure: continuity.UpgradeMeasureInvariant, Value: strconv.Itoa(negative), Expect: "0"},
	}}
}

func (h hands) Picture(context.Context, Call) (p *continuity.UpgradePicture, err error) {
	return p, h.effect("picture", func() error { p = pictureOf(h.data, h.now); return nil })
}

func (h hands) Rehearse(context.Context, Call) (r *continuity.UpgradeRehearsal, err error) {
	return r, h.effect("rehearse", func() error {
		r = &continuity.UpgradeRehearsal{At: h.now, Up: time.Second, Down: time.Second, Restore: 2 * time.Second}
		return nil
	})
}

func (h hands) Down(_ context.Context, _ Call, schema string) error {
	return h.effect("down", func() error {
		if schema == "1" {
			h.down(&h.data)
		}
		return nil
	})
}

// Ready has a backup made that is not there yet when it is asked for first, at the gate
// and again before requests are held.
func (h hands) Ready(_ context.Context, c Call) (sets []continuity.UpgradeSet, err error) {
	return sets, h.effect("ready", func() error {
		sets = []continuity.UpgradeSet{{Set: "orders", Backup: "abc", Taken: h.now}}
		if !h.backedUp[c.Upgrade.Stage] {
			sets[0].Lacks = &continuity.CheckReason{Code: "upgrade.fault.set-full", Args: map[string]any{"set": "orders"}}
			h.backedUp[c.Upgrade.Stage] = true
		}
		return nil
	})
}

func (h hands) Moment(context.Context, Call) (at time.Time, err error) {
	return at, h.effect("moment", func() error {
		at = h.now
		h.snaps[at] = h.data.clone()
		return nil
	})
}

func (h hands) Restore(_ context.Context, c Call, moment time.Time) error {
	return h.effect("restore", func() error {
		d, there := h.snaps[moment]
		if !there {
			return errors.New("nothing of that moment")
		}
		if !h.switched[c.Copy] {
			h.prepared[c.Copy] = d.clone()
		}
		return nil
	})
}

func (h hands) Switch(_ context.Context, c Call) error {
	return h.effect("switch", func() error {
		if !h.switched[c.Copy] {
			h.data, h.switched[c.Copy] = h.prepared[c.Copy].clone(), true
		}
		return nil
	})
}

func (h hands) Fit(context.Context, Call) ([]continuity.CheckReason, error) {
	return nil, h.effect("fit", func() error { return nil })
}

func (h hands) Hold(_ context.Context, c Call) error {
	return h.effect("hold", func() error { h.held, h.heldBy = true, c.Upgrade.ID; return nil })
}

func (h hands) Since(_ context.Context, _ Call, moment time.Time) (n int64, err error) {
	return n, h.effect("since", func() error {
		for _, at := range h.sent {
			if !at.Before(moment) {
				n++
			}
		}
		return nil
	})
}

func (h hands) Redeliver(_ context.Context, _ Call, moment time.Time) (n int64, err error) {
	return n, h.effect("redeliver", func() error {
		var again []int
		for id, at := range h.sent {
			if _, there := h.data.orders[id]; !there && !at.Before(moment) && !slices.Contains(h.queue, id) {
				again = append(again, id)
			}
		}
		slices.Sort(again)
		h.queue, n = append(again, h.queue...), int64(len(again))
		return nil
	})
}

func (h hands) Release(context.Context, Call) error {
	return h.effect("release", func() error { h.held, h.heldBy = false, ""; return nil })
}

func (h hands) Drained(context.Context, Call) (done bool, err error) {
	return done, h.effect("drained", func() error {
		for len(h.queue) > 0 && !h.held && h.deliver(h.queue[0]) {
			h.queue = h.queue[1:]
		}
		done = len(h.queue) == 0
		return nil
	})
}

func (h hands) Baseline(context.Context, Call) ([]continuity.UpgradeFigure, error) {
	return []continuity.UpgradeFigure{{Of: "errors", Measure: "share", Value: "0"}}, h.effect("baseline", func() error { return nil })
}

func (h hands) Look(_ context.Context, _ Call, live bool) (all []Problem, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if live && (!h.runs || h.version != h.data.schema || h.version == 2 && h.flaw.broken) {
		all = append(all, Problem{Class: continuity.UpgradeCompatibility, Reason: continuity.CheckReason{Code: "runbook.look.state"}})
	}
	return all, nil
}

// live lets the world and its runner go on until nothing happens any more by itself.
// person is asked after each round.
func (s *sim) live(person func(u *continuity.Upgrade)) continuity.Upgrade {
	s.Helper()
	for range 4000 {
		if s.killed {
			s.restart()
		}
		next, err := s.upgrades.Step(s.Context())
		if err != nil && !s.killed {
			s.Fatal(err)
		}
		before := s.effects
		s.engine.work.Wait()
		if s.killed {
			continue
		}
		if _, err := s.books.Step(s.Context()); err != nil && !s.killed {
			s.Fatal(err)
		}
		if s.killed {
			continue
		}
		u := s.upgrade()
		if person != nil {
			person(&u)
		}
		u = s.upgrade()
		asked := u.Stage == "wait" && (u.Asks == nil || u.Asks.Code != asksLimits || person == nil)
		if u.Over() || asked || u.Stage == "ready" && (u.Failure != nil || person == nil) {
			return u
		}
		if s.mu.Lock(); len(s.data.orders) < 300 {
			s.order()
		}
		s.mu.Unlock()
		if s.effects == before && !next.IsZero() && next.After(s.now) {
			s.now = next
		} else {
			s.now = s.now.Add(50 * time.Millisecond)
		}
	}
	u := s.upgrade()
	s.Fatalf("it never ends: %s %s %v\n%v\n%v", u.State, u.Stage, u.Trying, u.Trail[max(0, len(u.Trail)-20):], s.names[max(0, len(s.names)-20):])
	return u
}

func (s *sim) upgrade() continuity.Upgrade {
	s.Helper()
	k, err := s.acts.Get(s.Context(), s.id)
	if err != nil {
		s.Fatal(err)
	}
	return k.Upgrade
}

// people do what they have to, each once.
func (s *sim) people(u *continuity.Upgrade) {
	s.Helper()
	var err error
	switch {
	case u.Stage == "ready" && u.Failure == nil && u.Attempt == 0:
		_, err = s.acts.Run(s.Context(), li, u.ID, continuity.VersionAny, s.despite)
	case u.Stage == "items" && len(u.Ticked) == 0:
		_, err = s.acts.Tick(s.Context(), li, u.ID, continuity.VersionAny, []string{"trained"})
	case u.Stage == "approve" && len(u.Approvals) == 0:
		_, err = s.acts.Approve(s.Context(), li, u.ID, continuity.VersionAny, Agreement{Minutes: -1, Records: -1})
	case u.Stage == "approve" && len(u.Approvals) == 1:
		_, err = s.acts.Approve(s.Context(), zhang, u.ID, continuity.VersionAny, Agreement{Minutes: 30, Records: 500})
	case u.Stage == "wait" && u.Asks != nil && u.Asks.Code == asksLimits:
		for _, by := range []continuity.Actor{li, zhang} {
			if _, err = s.acts.Approve(s.Context(), by, u.ID, continuity.VersionAny, Agreement{}); err != nil {
				break
			}
		}
	}
	if err != nil {
		s.Fatal(err)
	}
}

// right says what is wrong with how it ended.
func (s *sim) right(u *continuity.Upgrade) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if len(s.errors) > 0 {
		bad("customers got errors: %v", s.errors)
	}
	if u.Rollbacks > mostRollbacks {
		bad("%d rollbacks", u.Rollbacks)
	}
	if s.spec.Data.Back != "" && !u.Held.IsZero() && len(u.Approvals) != 2 {
		bad("%d people agreed to bringing data back", len(u.Approvals))
	}
	for _, set := range u.Sets {
		if set.Lacks != nil {
			bad("it began though %s lacks %s", set.Set, set.Lacks.Code)
		}
	}
	want := map[string]int{continuity.UpgradeDone: 2, continuity.UpgradeRolled: 1, continuity.UpgradePlanned: 1, continuity.UpgradeAborted: 1}[u.State]
	if u.State == continuity.UpgradeWaiting {
		if !s.held && (s.version != s.data.schema || !s.runs) {
			bad("requests reach what does not work: version %d, schema %d", s.version, s.data.schema)
		}
		return wrong
	}
	if want == 0 {
		bad("it is %s", u.State)
		return wrong
	}
	if s.version != want || s.data.schema != want || !s.runs {
		bad("%s: version %d runs %v, schema %d", u.State, s.version, s.runs, s.data.schema)
	}
	if s.held {
		bad("the relay holds")
	}
	hands{s}.mu.Lock()
	for len(s.queue) > 0 && s.deliver(s.queue[0]) {
		s.queue = s.queue[1:]
	}
	s.mu.Unlock()
	for id := 1; id <= s.next; id++ {
		if amount, there := s.data.orders[id]; !there || amount != id*10 {
			bad("order %d: %v, %d", id, there, amount)
		}
	}
	if len(s.data.orders) != s.next {
		bad("%d orders of %d", len(s.data.orders), s.next)
	}
	good := "1"
	if u.Attempt == 0 || u.From == "" { // nobody could see which one runs
		return wrong
	}
	if u.State == continuity.UpgradeDone {
		good = "2"
	}
	o, err := s.store.Get(s.Context(), continuity.KindRelease, continuity.ReleaseID(service, "app"))
	var r continuity.Release
	if err == nil {
		err = json.Unmarshal(o.Body, &r)
	}
	if err != nil || r.Version != good {
		bad("what proved to be right is %q, %v", r.Version, err)
	}
	return wrong
}
