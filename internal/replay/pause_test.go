package replay

import (
	"context"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

func TestRule4_2_CleanFailuresNeverPoison(t *testing.T) {
	down := true
	up := &script{}
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		defer up.mu.Unlock()
		if down {
			return failed(upstream.Clean)
		}
		return answered(200)
	}
	inBubble(t, up, testRoute(), func(r *rig) {
		for n := range 500 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(10 * time.Second)
		if n := up.count(); n > 20 {
			r.Fatalf("%d of the backlog were tried within ten seconds", n)
		}
		pass(time.Hour)
		r.wantStates(map[continuity.State]int{continuity.Queued: 500})
		if n := up.count(); n > 3600/2+100 || n < 100 {
			r.Errorf("%d probes in an hour, want about one each five seconds", n)
		}
		if p := r.d.Progress(); p.Paused != PauseUnreachable {
			r.Errorf("paused because of %q, want %q", p.Paused, PauseUnreachable)
		}
		if _, bad, _ := r.health.heard(); bad != up.count() {
			r.Errorf("health heard of %d clean failures of %d", bad, up.count())
		}
		up.mu.Lock()
		down = false
		up.mu.Unlock()
		pass(time.Minute)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 500})
	})
}

func TestRule2_3_CredentialsPauseTheRouteUntilAPersonResumes(t *testing.T) {
	status := 401
	up := &script{}
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		defer up.mu.Unlock()
		return answered(status)
	}
	route := testRoute(func(r *continuity.Route) { r.Ramp.InFlight = 1 })
	inBubble(t, up, route, func(r *rig) {
		for n := range 10 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(time.Hour)
		r.wantStates(map[continuity.State]int{continuity.Queued: 10})
		if up.count() != 1 {
			r.Errorf("%d attempts with credentials that are not accepted, want 1", up.count())
		}
		if p := r.d.Progress(); p.Paused != PauseCredentials || p.Mode != "off" {
			r.Errorf("paused because of %q in mode %s", p.Paused, p.Mode)
		}
		up.mu.Lock()
		status = 200
		up.mu.Unlock()
		if err := r.ledger.Switch(continuity.Switch{Route: "orders", Owner: Owner, Lift: true}); err != nil {
			r.Fatal(err)
		}
		pass(10 * time.Second)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 10})
	})
}

func TestReplayObeysTheSwitches(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(10 * time.Millisecond)
		return answered(200)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		set := func(m continuity.Replay) {
			if err := r.ledger.Switch(continuity.Switch{Route: "orders", Owner: "li.wei", Replay: m}); err != nil {
				r.Fatal(err)
			}
		}
		set(continuity.ReplayOff)
		for n := range 1000 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(time.Minute)
		if up.count() != 0 || r.d.Progress().Paused != PauseOff {
			r.Fatalf("%d sent, paused by %q, while replay is off", up.count(), r.d.Progress().Paused)
		}
		set(continuity.ReplayTrial)
		pass(5 * time.Second)
		if up.count() == 0 || up.peak() != 1 {
			r.Fatalf("%d sent, %d at once, in trial", up.count(), up.peak())
		}
		if ok, _, _ := r.health.heard(); ok == 0 {
			r.Error("health heard of no success in trial")
		}
		set(continuity.ReplayOn)
		pass(5 * time.Second)
		if up.peak() < 2 {
			r.Errorf("%d at once when on, want more", up.peak())
		}
		set(continuity.ReplayOff)
		pass(time.Second)
		sent := up.count()
		pass(time.Minute)
		if up.count() != sent {
			r.Error("sent on after replay was switched off")
		}
	})
}

func TestLostInARowGoesOneByOne(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(2 * time.Second) // a black hole
		return failed(upstream.Lost)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		for n := range 1000 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(3 * time.Second)
		first := up.count()
		if first > 16+distrustAfter {
			r.Fatalf("%d at once", first)
		}
		pass(time.Minute)
		if n := up.count() - first; n > 40 {
			r.Errorf("%d more put in doubt within a minute, want one at a time", n)
		}
		if _, _, lost := r.health.heard(); lost == 0 {
			r.Error("health heard of no loss")
		}
	})
}

func TestStopRecordsWhatIsInFlight(t *testing.T) {
	up := &script{answer: func(ctx context.Context, a arrival, _ int) upstream.Result {
		wait := time.NewTimer(3 * time.Second)
		if a.key == "idem-1" {
			wait.Reset(time.Hour)
		}
		select {
		case <-wait.C:
			return answered(200)
		case <-ctx.Done():
			return failed(upstream.Lost)
		}
	}}
	route := testRoute(func(r *continuity.Route) { r.Timeouts.Attempt = 2 * time.Hour })
	inBubble(t, up, route, func(r *rig) {
		for n := range 50 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(2 * time.Second)
		began := time.Now()
		r.d.Stop()
		if took := time.Since(began); took > 10*time.Second {
			r.Errorf("Stop took %v", took)
		}
		states := r.ledger.states()
		if states[continuity.Attempting] != 0 {
			r.Errorf("%d records were left attempting", states[continuity.Attempting])
		}
		if states[continuity.InDoubt] != 1 || states[continuity.Delivered] != 15 {
			r.Errorf("states are %v, want the broken off one in doubt and the others delivered", states)
		}
		sent := up.count()
		pass(time.Hour)
		if up.count() != sent {
			r.Error("sent on after Stop")
		}
		if _, _, lost := r.health.heard(); lost > 0 {
			r.Error("health heard of a loss that was our own doing")
		}
	})
}

func TestAnOutcomeOutlastsAFullDisk(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		full := 5
		r.ledger.finish = func(continuity.Outcome) error {
			if full--; full >= 0 {
				return continuity.E(continuity.CodeDiskFull, nil)
			}
			return nil
		}
		id := r.ledger.accept(1)
		r.start()
		pass(10 * time.Second)
		r.wantStatus(id, continuity.Delivered, "")
		if up.count() != 1 {
			r.Errorf("%d attempts, want 1", up.count())
		}
	})
}

func TestALatchedJournalStopsReplay(t *testing.T) {
	up := always(200)
	inBubble(t, up, testRoute(), func(r *rig) {
		r.ledger.latched = continuity.E(continuity.CodeLatched, nil)
		r.ledger.accept(1)
		r.start()
		pass(time.Minute)
		if up.count() != 0 || r.d.Progress().Paused != PauseLatched {
			r.Errorf("%d sent, paused by %q", up.count(), r.d.Progress().Paused)
		}
	})
}

func TestWhatIsAnsweredLateCountsForNothing(t *testing.T) {
	up := &script{}
	hang := true
	up.answer = func(context.Context, arrival, int) upstream.Result {
		up.mu.Lock()
		wait := hang
		up.mu.Unlock()
		if !wait {
			return answered(200)
		}
		time.Sleep(10 * time.Second)
		return failed(upstream.Lost)
	}
	route := testRoute(func(r *continuity.Route) { r.Timeouts.Attempt = time.Minute })
	inBubble(t, up, route, func(r *rig) {
		for n := range 30 {
			r.ledger.accept(continuity.KeyTag(n)) // #nosec G115 -- small
		}
		r.start()
		pass(2 * time.Second) // all slots hang
		health := continuity.Switch{Route: "orders", Owner: "health", Replay: continuity.ReplayOff}
		_ = r.ledger.Switch(health)
		pass(time.Second)
		up.mu.Lock()
		hang = false
		up.mu.Unlock()
		health.Replay = continuity.ReplayTrial
		_ = r.ledger.Switch(health)
		pass(time.Minute)
		if _, _, lost := r.health.heard(); lost > 0 {
			r.Errorf("health heard of %d losses of attempts that began before the trial", lost)
		}
		if ok, _, _ := r.health.heard(); ok == 0 {
			r.Error("health heard of no success in the trial")
		}
		r.wantStates(map[continuity.State]int{continuity.Delivered: 30})
	})
}

func TestRule6_4_ProgressReportsKeysThatGain(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		time.Sleep(time.Second)
		return answered(200)
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		r.start()
		for n := range 200 { // key 7 gains five a second and drains one; key 8 keeps up
			r.ledger.accept(7)
			r.d.Gained(7)
			if n%10 == 0 {
				r.ledger.accept(8)
				r.d.Gained(8)
			}
			pass(200 * time.Millisecond)
		}
		top := r.d.Progress().Gaining
		if len(top) != 1 || top[0].Key != 7 || top[0].In < 4*top[0].Out {
			r.Errorf("gaining keys are %+v, want key 7 alone", top)
		}
	})
}

func TestStartAndStopAgainAndAgain(t *testing.T) {
	up := &script{answer: func(ctx context.Context, _ arrival, nth int) upstream.Result {
		wait := time.NewTimer(time.Duration(nth) * 30 * time.Millisecond)
		defer wait.Stop()
		select {
		case <-wait.C:
			return answered(200)
		case <-ctx.Done():
			return failed(upstream.Lost)
		}
	}}
	inBubble(t, up, testRoute(), func(r *rig) {
		never := New(Options{Route: *testRoute(), Ledger: r.ledger, Sender: up})
		never.Stop()
		for n := range 1000 {
			r.ledger.accept(continuity.KeyTag(n % 100)) // #nosec G115 -- small
		}
		for n := range 200 {
			d := New(Options{Route: *testRoute(), Ledger: r.ledger, Sender: up, Seed: 1, StopWithin: time.Duration(n%50) * time.Millisecond})
			d.Start(r.Context())
			if n%3 > 0 {
				<-d.Started()
				time.Sleep(time.Duration(n*7%100) * time.Millisecond)
			}
			go d.Stop()
			d.Stop()
			if left := r.ledger.states()[continuity.Attempting]; left > 0 {
				r.Fatalf("%d records attempting after stop %d", left, n)
			}
		}
		r.start()
		pass(time.Hour)
		r.wantStates(map[continuity.State]int{continuity.Delivered: 1000})
	})
}
