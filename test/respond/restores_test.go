package respond

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/keeping"
	"holdfast/internal/pgtest"
)

const set = "/backup-sets/" + demo.Service + "/orders-live"

// TestRestoresOutliveTheirRunner kills the control node while it backs the shop up and
// while it proves that, and at each stage of what it brings back: a copy to look things
// up in; data in the place of the originals, from which on the relay delivers again what
// they lost, before what waits; and the originals put back. The relay is killed meanwhile.
func TestRestoresOutliveTheirRunner(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	n := seed(t)
	w := newWorld(t, demo.Options{Releases: true, ControlDSN: dsn, PerMinute: 1000}, upgraded)
	w.answering()
	s := w.shopping("restored", n)
	s.ordered(50)
	rnd := rand.New(rand.NewPCG(n, 86)) // #nosec G404 -- chance, not secrecy
	d := &dying{world: w, gate: newGate(t, dsn, continuity.KindRestore, "{state}"), rnd: rnd}
	b := &broughtBack{dying: d, s: s}

	for _, work := range []string{continuity.WorkFull, continuity.WorkVerify} {
		b.works(work)
	}

	r := b.propose(controlapi.NewRestore{Service: demo.Service, Into: continuity.IntoCopy, Why: "a test"})
	b.through(r, "", continuity.RestoreReady)
	b.act(r, "chen.jie", "drop", struct{}{})
	b.through(r, "", continuity.RestoreDropped)

	moment := time.Now().UTC()
	s.ordered(60)
	pgtest.Exec(t, w.DB.DSN, "UPDATE orders SET total = '0.01'") // and then somebody spoils them
	s.ordered(20)
	b.safe(moment)
	r = b.propose(controlapi.NewRestore{Service: demo.Service, Into: continuity.IntoOver, Moment: moment, Why: "a test"})
	over := b.through(r, continuity.RestoreRedelivering, continuity.RestoreDone)
	if i := slices.IndexFunc(over.Routes, func(r continuity.RestoreRoute) bool { return r.Route == "orders" }); i < 0 || over.Routes[i].Again == 0 && len(b.died) == 0 {
		t.Errorf("nothing was delivered again: %+v", over)
	}
	s.ordered(20)
	b.act(r, "chen.jie", "drop", struct{}{}) // what was spoilt goes, by two people
	b.act(r, "li.wei", "drop", struct{}{})
	b.through(r, "", continuity.RestoreDropped)

	s.pause() // what reaches the copy is not sent to the original by itself
	b.safe(time.Now())
	r = b.propose(controlapi.NewRestore{Service: demo.Service, Into: continuity.IntoOver, Why: "a test"})
	b.through(r, "", continuity.RestoreDone)
	b.act(r, "li.wei", "undo", controlapi.RestoreWhy{Why: "a test"}) // requests went on, so it takes two people
	b.act(r, "chen.jie", "undo", controlapi.RestoreWhy{Why: "a test"})
	b.through(r, "", continuity.RestoreUndone)
	s.goOn()
	s.ordered(20)
	s.balance()
	t.Logf("killed at %s", strings.Join(d.died, ", "))
}

// broughtBack is what a node brings back that dies.
type broughtBack struct {
	*dying

	s *shopping
}

// shown is how the set stands.
func (b *broughtBack) shown(ctx context.Context) (keeping.SetShown, error) {
	s, _, err := controlapi.Get[keeping.SetShown](ctx, b.node(), set, nil)
	return s, err
}

// safe waits until everything before a moment is on a target.
func (b *broughtBack) safe(moment time.Time) {
	b.t.Helper()
	b.until(late, "the set is safe", func(ctx context.Context) (bool, string) {
		s, err := b.shown(ctx)
		return err == nil && s.Safe.After(moment), fmt.Sprintf("%v %+v", err, s)
	})
}

// works has something be done with the set, and its node killed in the midst.
func (b *broughtBack) works(work string) {
	b.t.Helper()
	running := func(s *keeping.SetShown) *continuity.BackupWork {
		if work == continuity.WorkVerify {
			return s.Proving
		}
		return s.Running
	}
	var before keeping.SetShown
	b.until(late, "the set is green", func(ctx context.Context) (is bool, have string) {
		var err error
		before, err = b.shown(ctx)
		return err == nil && before.State == continuity.SetGreen && running(&before) == nil, fmt.Sprintf("%v %+v", err, before)
	})
	b.until(late, work, func(ctx context.Context) (bool, string) {
		path := map[string]string{continuity.WorkFull: "/run", continuity.WorkVerify: "/verify"}[work]
		c, err := b.As(ctx, "chen.jie")
		if err == nil {
			_, err = controlapi.Post[continuity.BackupWork](ctx, c, set+path, struct{}{})
		}
		return err == nil, fmt.Sprint(err)
	})
	b.until(late, work+" goes on", func(ctx context.Context) (bool, string) {
		s, err := b.shown(ctx)
		return err == nil && (running(&s) != nil || s.Answered != nil), fmt.Sprint(err)
	})
	<-time.After(time.Duration(b.rnd.IntN(1500)) * time.Millisecond)
	b.again()
	b.died = append(b.died, work)
	b.until(2*late, work+" is done all the same", func(ctx context.Context) (bool, string) {
		s, err := b.shown(ctx)
		if err != nil {
			return false, err.Error()
		}
		done := s.Full.Started.After(before.Full.Started)
		if work == continuity.WorkVerify {
			done = s.Proven != nil && s.Proven.Started.After(before.Proven.Started) && s.Proven.Good
		}
		return done && s.Asked == nil && len(s.Faults) == 0 && s.State == continuity.SetGreen, fmt.Sprintf("%+v", s)
	})
}

// propose begins to bring something back.
func (b *broughtBack) propose(what controlapi.NewRestore) (id string) {
	b.t.Helper()
	b.until(late, "it is proposed", func(ctx context.Context) (bool, string) {
		c, err := b.As(ctx, "chen.jie")
		if err != nil {
			return false, err.Error()
		}
		r, err := controlapi.Post[continuity.Restore](ctx, c, "/restores", what)
		id = r.ID
		return err == nil, fmt.Sprint(err)
	})
	return id
}

// act has a person do something about it, once the node is there to hear it.
func (b *broughtBack) act(id, user, verb string, body any) {
	b.t.Helper()
	b.until(late, verb+" by "+user, func(ctx context.Context) (bool, string) {
		c, err := b.As(ctx, user)
		if err == nil {
			_, _, err = controlapi.Put[continuity.Restore](ctx, c, "/restores/"+url.PathEscape(id)+"/"+verb, continuity.VersionAny, body)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// through leads what is brought back to a state, with two people where it takes two.
func (b *broughtBack) through(id, relay, to string) (r continuity.Restore) {
	b.t.Helper()
	last := ""
	b.until(10*time.Minute, id+" is "+to, func(ctx context.Context) (bool, string) {
		var now continuity.Restore
		mark := b.gate.at(ctx, id, &now)
		if r = now; mark != last {
			last = mark
			b.t.Logf("%s %s is %s", time.Now().Format("15:04:05"), id, mark)
			if relay == mark {
				b.s.relayDies(b.rnd)
				b.died = append(b.died, "relay")
			}
			b.mayDie(ctx, id, mark, r.Into+" "+mark)
			if mark == continuity.RestoreReady && r.Into == continuity.IntoOver {
				b.gate.pass(id, mark)
				b.act(id, "li.wei", "approve", controlapi.RestoreNote{})
				b.act(id, "chen.jie", "switch", controlapi.RestoreDespite{})
			}
		}
		if mark == to {
			b.gate.pass(id, mark)
			return true, ""
		}
		b.gate.pass(id, mark)
		return false, fmt.Sprintf("%+v", r)
	})
	return r
}
