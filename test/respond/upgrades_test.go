package respond

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/demo/customers"
	"holdfast/internal/pgtest"
)

// shopping are customers who order all the time, but for pauses.
type shopping struct {
	w       *world
	name    string
	clients *customers.Clients
	ledger  *customers.Ledger
	seed    uint64
	stop    context.CancelFunc
	ended   chan error
}

func (w *world) shopping(name string, seed uint64) *shopping {
	w.t.Helper()
	ledger, err := customers.NewLedger(filepath.Join(w.Folder, "customers.jsonl"))
	w.did(err, "ledger")
	s := &shopping{w: w, name: name, ledger: ledger, seed: seed}
	s.clients = customers.NewClients(w.CustomersURL(), time.Now(), customers.NewStream(name, seed, 40, 500), ledger)
	s.goOn()
	w.t.Cleanup(s.pause)
	return s
}

func (s *shopping) goOn() {
	ctx, stop := context.WithCancel(s.w.t.Context())
	s.stop, s.ended = stop, make(chan error, 1)
	go func() { s.ended <- s.clients.Run(ctx, 15, 5, s.seed) }()
}

// pause ends when every request was answered.
func (s *shopping) pause() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.stop = nil
	if err := <-s.ended; err != nil {
		s.w.t.Error(err)
	}
}

func (s *shopping) ordered(more int) {
	s.w.t.Helper()
	from := s.ledger.Count()
	s.w.until(30*time.Second, "customers order", func(context.Context) (bool, string) { return s.ledger.Count() >= from+more, "" })
}

// balance ends the shopping, and holds what customers were told against the shop's
// books: to the cent, each request once, those of an order in their order.
func (s *shopping) balance() {
	s.w.t.Helper()
	s.pause()
	s.w.until(90*time.Second, "everything is delivered", func(ctx context.Context) (bool, string) {
		r, err := s.w.Route(ctx)
		return err == nil && string(r.Mode) == "pass" && r.Counters.Pending == 0, fmt.Sprintf("%v %+v", err, r)
	})
	books, err := s.w.DB.Read(s.w.t.Context(), s.name)
	s.w.did(err, "the shop's books")
	tally := customers.Count(s.ledger.Since(0), books)
	if tally.Errors != 0 || !tally.Books.Clean() || tally.Accepted == 0 || tally.Delivered != tally.Accepted {
		s.w.t.Errorf("%+v", tally)
	}
	_, err = s.w.Holdfast(s.w.t.Context(), "demo", "shop", "invariants", "--dsn-file", filepath.Join(s.w.Folder, "shop.dsn"))
	s.w.did(err, "the shop's invariants")
	s.w.did(s.ledger.Close(), "ledger")
}

// upgraded has a shop that is stopped for an upgrade be no incident, and its upgrade
// take as long as deaths make it.
func upgraded(w *demo.World) error {
	for _, e := range []struct{ file, from, to string }{
		{"shop.yaml", "trigger: {check: answers}", "trigger: {person: true}"},
		{"shop.yaml", "state: degraded, for: 1s", "state: degraded, for: 30m"},
		{"shop.tech.yaml", "mode: hold, longest: 3m", "mode: hold, longest: 30m"},
		{"control.yaml", "lease: 1s", "lease: 3s"}, // what is shown is deaths, not how little a busy machine lets a node do in time
	} {
		if err := w.Edit(e.file, e.from, e.to); err != nil {
			return err
		}
	}
	_, err := w.Holdfast(context.Background(), "backup", "keys", "new", "--key-file", "backup.keys")
	return err
}

// TestUpgradesOutliveTheirRunner has the shop upgraded while customers order, and the
// control node killed at the stages that the upgrade comes to, and killed again while it
// recovers: a release that spoils amounts goes back, at once or from its bake, one that
// a person stops goes back too, and one that is right goes through. The relay is killed
// while it holds, and while it gets what is delivered again. No customer gets an error.
func TestUpgradesOutliveTheirRunner(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	n := seed(t)
	w := newWorld(t, demo.Options{Releases: true, ControlDSN: dsn, PerMinute: 1000}, upgraded)
	w.answering()
	s := w.shopping("kept", n)
	s.ordered(50)
	rnd := rand.New(rand.NewPCG(n, 85)) // #nosec G404 -- chance, not secrecy
	l := &led{dying: &dying{world: w, gate: newGate(t, dsn, continuity.KindUpgrade, "{visit}"), rnd: rnd}, s: s}
	type course struct {
		to, end, runs string
		stop          string // the state in which a person ends it
		relay         string // the stage in which the relay dies, too
	}
	back := []course{
		{"v2", continuity.UpgradeRolled, "v1", "", "step"},
		{"v2.0.1", continuity.UpgradeRolled, "v1", "", "back-again"},
		{"v2.1", continuity.UpgradeRolled, "v1", continuity.UpgradeVerifying, "back-release"},
		{"v2.1", continuity.UpgradeRolled, "v1", continuity.UpgradeBaking, "back-again"},
	}
	if *kills < 100 { // one of them, by chance
		i := rnd.IntN(len(back))
		back = back[i : i+1]
	}
	for _, c := range append(back, course{"v2.1", continuity.UpgradeDone, "v2.1", "", "picture"}) {
		u := l.through(c.to, c.stop, c.relay)
		if u.State != c.end {
			t.Fatalf("to %s: %s %+v %+v %+v", c.to, u.State, u.Failure, u.Back, u.Asks)
		}
		if c.end == continuity.UpgradeRolled && (u.Failure == nil || c.stop == "" && u.Failure.Class != continuity.UpgradeMigration) {
			t.Errorf("to %s: it went back for %+v", c.to, u.Failure)
		}
		out, err := w.Holdfast(t.Context(), "demo", "shop", "version", "--url", w.ShopURL())
		if w.did(err, "version"); strings.TrimSpace(out) != c.runs {
			t.Errorf("%s runs, not %s", out, c.runs)
		}
		t.Logf("to %s: %s, killed at %s", c.to, u.State, strings.Join(l.died, ", "))
	}
	s.balance()
}

// led is an upgrade as it is led by a node that dies.
type led struct {
	*dying

	s     *shopping
	id    string
	meets map[string]func(ctx context.Context, mark string) // what happens where it comes to a stage; nil: chance kills
}

// act has a person do something with the upgrade, once the node is there to hear it.
func (l *led) act(user, verb string, body any) {
	l.t.Helper()
	l.until(30*time.Second, verb+" by "+user, func(ctx context.Context) (bool, string) {
		c, err := l.As(ctx, user)
		if err == nil {
			_, _, err = controlapi.Put[continuity.Upgrade](ctx, c, "/upgrades/"+url.PathEscape(l.id)+"/"+verb, continuity.VersionAny, body)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// through leads an upgrade to its end.
func (l *led) through(to, stop, relay string) (u continuity.Upgrade) {
	l.t.Helper()
	l.died = nil
	l.until(time.Minute, "it is planned", func(ctx context.Context) (bool, string) {
		c, err := l.As(ctx, "chen.jie")
		if err == nil {
			u, err = controlapi.Post[continuity.Upgrade](ctx, c, "/upgrades", controlapi.NewUpgrade{Service: demo.Service, Upgrade: "shop", To: to})
		}
		return err == nil, fmt.Sprint(err)
	})
	l.id = u.ID
	last, decided := "", map[string]bool{}
	l.until(20*time.Minute, "it ends", func(ctx context.Context) (bool, string) {
		var now continuity.Upgrade
		mark := l.gate.at(ctx, l.id, &now)
		u = now
		switch {
		case u.Over() || u.State == continuity.UpgradeWaiting:
			return true, ""
		case mark != last: // it has come to another place, and can't leave it
			last = mark
			l.t.Logf("%s %s at %s %s", time.Now().Format("15:04:05"), l.id, mark, u.Stage)
			if relay == u.Stage {
				relay = ""
				l.s.relayDies(l.rnd)
				l.died = append(l.died, "relay")
			}
			if do := l.meets[u.Stage]; do != nil {
				do(ctx, mark)
			} else if l.meets == nil {
				l.mayDie(ctx, l.id, mark, u.Stage)
			}
		}
		if once := u.Stage; !decided[once+strconv.Itoa(u.Attempt)] {
			decided[once+strconv.Itoa(u.Attempt)] = true
			switch {
			case once == "ready":
				if u.Failure != nil || u.Attempt > 0 {
					l.t.Fatalf("refused: %+v", u.Failure)
				}
				for _, f := range u.Findings {
					if f.Level == continuity.FindingBlock {
						l.t.Fatalf("%+v", f)
					}
				}
				l.gate.pass(l.id, mark) // a person leads on from here
				l.act("chen.jie", "run", controlapi.UpgradeRun{Despite: "a test"})
			case once == "items":
				l.act("chen.jie", "tick", controlapi.UpgradeTicks{Items: []string{"notes"}})
			case once == "approve":
				l.act("chen.jie", "approve", controlapi.UpgradeAgreement{})
				l.act("li.wei", "approve", controlapi.UpgradeAgreement{})
			case stop == u.State:
				l.act("li.wei", "abort", controlapi.UpgradeWhy{Why: "a test", Class: continuity.UpgradeOperator})
			}
		}
		l.gate.pass(l.id, mark)
		return false, u.State + " " + u.Stage
	})
	return u
}

// relayDies kills the relay while nobody orders: whose connection breaks gets an error,
// whatever is held.
func (s *shopping) relayDies(rnd *rand.Rand) {
	s.w.t.Helper()
	s.pause()
	<-time.After(time.Duration(rnd.IntN(300)) * time.Millisecond)
	s.w.did(s.w.Relay.Kill(), "kill the relay")
	s.clients.Disconnect()
	s.w.did(s.w.StartRelay(s.w.t.Context()), "start the relay")
	s.goOn()
}
