package replay

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

func TestRule6_3_ForecastIsWhatTheRampThenDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := continuity.Ramp{
			Start:      rapid.Float64Range(0.1, 1).Draw(t, "start"),
			Window:     time.Duration(rapid.IntRange(0, 60).Draw(t, "window")) * time.Second,
			Aggression: rapid.Float64Range(0.5, 3).Draw(t, "aggression"),
		}
		d := newDrive(plan, float64(rapid.IntRange(50, 500).Draw(t, "capacity")), 0)
		d.live = d.capacity * rapid.Float64Range(0, 1).Draw(t, "live")
		backlog := rapid.IntRange(1, 3000).Draw(t, "backlog")
		expected, ends := outlook{
			pace: pace{Plan: d.ramp.plan, Low: d.ramp.low, Capacity: d.capacity, Live: d.live}, backlog: float64(backlog),
		}.end()
		if !ends {
			t.Fatal("does not end, without any gain")
		}
		sent := 0
		for sent < backlog {
			for _, n := range d.run(time.Second) {
				sent += n
			}
		}
		took := d.now.Sub(rampBegin)
		if slack := expected/20 + 2*time.Second; took < expected-slack || took > expected+slack {
			t.Fatalf("took %v, was expected to take %v", took, expected)
		}
	})
}

func TestRule6_3_ForecastKnowsGainsBoundsAndNever(t *testing.T) {
	full := pace{Plan: standardPlan(), Low: 0.1, Healthy: 20 * time.Second, Capacity: 100}
	for _, row := range []struct {
		name string
		o    outlook
		want time.Duration
		ends bool
	}{
		{"nothing to do", outlook{pace: full}, 0, true},
		{"at full rate", outlook{pace: full, backlog: 1000}, 10 * time.Second, true},
		{"while it gains", outlook{pace: full, backlog: 1000, gain: 50}, 20 * time.Second, true},
		{"beside live traffic", outlook{pace: pace{Plan: full.Plan, Low: 0.1, Healthy: full.Healthy, Capacity: 100, Live: 80}, backlog: 1000}, 50 * time.Second, true},
		{"bound by something else", outlook{pace: full, backlog: 1000, reach: 20}, 50 * time.Second, true},
		{"gains faster than it drains", outlook{pace: full, backlog: 1000, gain: 100}, 0, false},
		{"never with live traffic above all", outlook{pace: pace{Plan: full.Plan, Low: 0.1, Healthy: full.Healthy, Capacity: 100, Live: 500}, backlog: 1000, gain: 10}, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got, ends := row.o.end(); got != row.want || ends != row.ends {
				t.Errorf("expected end %v (%v), want %v (%v)", got, ends, row.want, row.ends)
			}
		})
	}
}

func TestRule6_3_ProgressShowsTheEndBeforeAndDuringTheDrain(t *testing.T) {
	up := always(200)
	route := testRoute(func(r *continuity.Route) { r.Capacity, r.Hold.Age = 100, time.Hour })
	inBubble(t, up, route, func(r *rig) {
		off := continuity.Switch{Route: "orders", Owner: "health", Replay: continuity.ReplayOff}
		_ = r.ledger.Switch(off)
		for n := range 3000 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(10 * time.Minute)
		p := r.d.Progress()
		if p.Mode != "off" || p.Paused != PauseOff || p.Backlog != 3000 || p.Started != nil || !p.Ends || p.ExpiresFirst {
			r.Errorf("before the drain: %+v", p)
		}
		// A tenth for a second, then growing over ten: about 5.4 s worth, the rest at 100 a second.
		if e := time.Duration(p.ExpectedEnd); e < 34*time.Second || e > 36*time.Second {
			r.Errorf("before the drain its end is expected in %v, want 35 s", e)
		}
		if a := time.Duration(p.OldestAge); a < 10*time.Minute-time.Second || a > 10*time.Minute+time.Second {
			r.Errorf("the oldest is %v old, want 10 min", a)
		}
		off.Lift = true
		_ = r.ledger.Switch(off)
		pass(20 * time.Second)
		p = r.d.Progress()
		if p.Mode != "on" || p.Paused != "" || p.Started == nil || p.Rate < 90 || p.Share < 0.99 {
			r.Errorf("during the drain: %+v", p)
		}
		left := time.Duration(p.ExpectedEnd)
		began := time.Now()
		for r.ledger.Counters("").Queued > 0 {
			pass(100 * time.Millisecond)
		}
		if took := time.Since(began); took < left-2*time.Second || took > left+2*time.Second {
			r.Errorf("took %v, was expected to take %v", took, left)
		}
		pass(2 * time.Second)
		if p = r.d.Progress(); p.Backlog != 0 || p.ExpectedEnd != 0 || !p.Ends || p.Started != nil {
			r.Errorf("after the drain: %+v", p)
		}
	})
}

// While more comes than goes no end is in sight; that alone is no reason to warn
// as long as what waits is young.
func TestRule6_3_NoEndInSightWarnsOnlyOfWhatHasWaitedLong(t *testing.T) {
	const limit = 100 * time.Minute
	for _, c := range []struct {
		oldest, end time.Duration
		ends, want  bool
	}{
		{2 * time.Second, 0, false, false},
		{9 * time.Minute, 0, false, false},
		{11 * time.Minute, 0, false, true},
		{50 * time.Minute, 49 * time.Minute, true, false},
		{50 * time.Minute, 51 * time.Minute, true, true},
	} {
		if got := expiresFirst(limit, c.oldest, c.end, c.ends); got != c.want {
			t.Errorf("oldest %v, end in %v (%v): %v", c.oldest, c.end, c.ends, got)
		}
	}
	if expiresFirst(0, time.Hour, 0, false) {
		t.Error("expires on a route without an age limit")
	}
}

func TestRule6_3_SaysWhenTheOldestWouldExpireFirst(t *testing.T) {
	up := always(200)
	route := testRoute(func(r *continuity.Route) { r.Capacity, r.Hold.Age = 10, 5*time.Minute })
	inBubble(t, up, route, func(r *rig) {
		_ = r.ledger.Switch(continuity.Switch{Route: "orders", Owner: "health", Replay: continuity.ReplayOff})
		for n := range 1200 { // two minutes' worth
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(2 * time.Minute)
		if p := r.d.Progress(); p.ExpiresFirst {
			r.Errorf("warns three minutes before the oldest expires, with a drain of %v", time.Duration(p.ExpectedEnd))
		}
		pass(2 * time.Minute)
		if p := r.d.Progress(); !p.ExpiresFirst {
			r.Errorf("does not warn one minute before the oldest expires, with a drain of %v", time.Duration(p.ExpectedEnd))
		}
	})
}

func TestRule6_3_ForecastBelievesASlowKeySequence(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(time.Second)
		return answered(200)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		for range 300 {
			r.ledger.accept(1)
		}
		r.start()
		pass(30 * time.Second)
		if e := time.Duration(r.d.Progress().ExpectedEnd); e < 4*time.Minute || e > 5*time.Minute {
			r.Errorf("end expected in %v, want 270 s: one key, one a second, whatever the ramp allows", e)
		}
	})
}

func TestRule6_4_KeysThatGainFasterThanTheyDrainAreReported(t *testing.T) {
	var g gains
	g.roll(rampBegin)
	for n := range 20_000 {
		g.in(continuity.KeyTag(1000 + n)) // #nosec G115 -- many keys with one record
		if n%10 == 0 {
			g.in(7)
		}
		if n%20 == 0 {
			g.out(7)
		}
		if n%20 == 0 {
			g.in(8)
			g.out(8)
		}
	}
	g.roll(rampBegin.Add(gainsWindow - 1))
	if len(g.top()) != 0 {
		t.Error("reported before the window was over")
	}
	g.roll(rampBegin.Add(gainsWindow))
	top := g.top()
	if len(top) != 1 || top[0].Key != 7 || top[0].In <= top[0].Out {
		t.Errorf("reported %+v, want key 7 alone", top)
	}
	if len(g.keys) > gainsTracked {
		t.Errorf("tracks %d keys", len(g.keys))
	}
	for n := range 100 {
		for range 5 + n {
			g.in(continuity.KeyTag(n)) // #nosec G115 -- small
		}
	}
	g.roll(rampBegin.Add(2 * gainsWindow))
	if top = g.top(); len(top) != gainsShown || top[0].Key != 99 {
		t.Errorf("reported %+v, want the ten worst, the worst first", top)
	}
	g.roll(rampBegin.Add(3 * gainsWindow))
	if len(g.top()) != 0 {
		t.Error("reported after it was over")
	}
}

func TestProgressAsJSON(t *testing.T) {
	b, err := json.Marshal(Progress{Route: "orders", Mode: "on", ExpectedEnd: Seconds(1500 * time.Millisecond), Ends: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"route":"orders","mode":"on","backlog":0,"parked":0,"in_flight":0,"rate":0,"allowed":0,"gain":0,"live_rate":0,` +
		`"capacity":0,"share":0,"measured":false,"expected_end":1.5,"ends":true,"oldest_age":0,"expires_first":false}`
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Error("JSON (-want +got)\n" + diff)
	}
	var back Progress
	if err := json.Unmarshal(b, &back); err != nil || time.Duration(back.ExpectedEnd) != 1500*time.Millisecond {
		t.Errorf("read back as %v (%v)", back.ExpectedEnd, err)
	}
}

func TestRule6_3_ForecastExpectsNoGrowthRightAfterAHalving(t *testing.T) {
	bad := false
	up := &script{}
	n := 0
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		defer up.mu.Unlock()
		if n++; bad && n%3 == 0 {
			return answered(429)
		}
		return answered(200)
	}
	inBubble(t, up, testRoute(func(r *continuity.Route) { r.Capacity = 100 }), func(r *rig) {
		for n := range 4000 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(15 * time.Second)
		calm := time.Duration(r.d.Progress().ExpectedEnd)
		up.mu.Lock()
		bad = true
		up.mu.Unlock()
		pass(10 * time.Second)
		if p := r.d.Progress(); time.Duration(p.ExpectedEnd) < 2*calm {
			r.Errorf("expects to end in %v at %.0f a second after it halved again and again, %v before", time.Duration(p.ExpectedEnd), p.Rate, calm)
		}
	})
}

func TestRule6_3_ForecastKnowsThatTheHeldClientsReturn(t *testing.T) {
	inBubble(t, always(200), testRoute(func(r *continuity.Route) { r.Capacity = 100 }), func(r *rig) {
		off := continuity.Switch{Route: "orders", Owner: "health", Replay: continuity.ReplayOff}
		_ = r.ledger.Switch(off)
		r.start()
		for n := range 1200 { // forty a second
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
			pass(25 * time.Millisecond)
		}
		held := time.Duration(r.d.Progress().ExpectedEnd)
		off.Lift = true
		_ = r.ledger.Switch(off)
		pass(time.Second)
		if now := time.Duration(r.d.Progress().ExpectedEnd); now < held-2*time.Second || now > held+time.Second {
			r.Errorf("expects to end in %v when the drain has begun, %v before", now, held)
		}
	})
}
