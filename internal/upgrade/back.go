package upgrade

import (
	"context"
	"math"
	"slices"

	"holdfast/internal/continuity"
)

// stagesBack are those of the way back.
func stagesBack() map[string]stage {
	const back = continuity.UpgradeRolling
	return map[string]stage{
		"back-halt":    {state: back, then: (*turn).halt},
		"back-hold":    {state: back, do: hold, then: (*turn).heldBack, most: holdTime, patience: mostTime},
		"back-look":    {state: back, do: damage, then: (*turn).weighed, tired: (*turn).blind, most: readTime},
		"back-stop":    {state: back, do: stop, then: (*turn).stoppedCode},
		"back-down":    {state: back, do: down, then: (*turn).wentDown, tired: (*turn).notDown, most: copyTime},
		"back-restore": {state: back, do: restore, then: (*turn).restored, most: copyTime},
		"back-switch":  {state: back, do: switchTo, then: (*turn).switched, most: readTime},
		"back-put":     {state: back, do: put, then: (*turn).putBack},
		"back-start":   {state: back, do: start, then: (*turn).startedBack},
		"back-verify":  {state: back, do: sound, then: (*turn).proved, tired: (*turn).unsound, most: readTime},
		"back-again":   {state: back, do: redeliver, then: (*turn).redelivered, most: readTime, patience: mostTime},
		"back-release": {state: back, do: release, then: (*turn).releasedBack, patience: mostTime},
		"back-drain":   {state: back, do: drained, then: (*turn).drainedBack, tired: (*turn).undrained, patience: mostTime},
		"rolled-back":  {state: continuity.UpgradeRolled, then: still},

		"wait":           {state: continuity.UpgradeWaiting, then: (*turn).waiting},
		"settle":         {state: continuity.UpgradeWaiting, do: settle, then: (*turn).settling, tired: (*turn).unsettled},
		"settle-release": {state: continuity.UpgradeWaiting, do: release, then: (*turn).settled, tired: (*turn).unsettled},
		"settled":        {state: continuity.UpgradeSettled, then: still},
	}
}

// back begins a rollback.
func (t *turn) back(problems ...Problem) { t.backFrom("", problems...) }

func (t *turn) backFrom(step string, problems ...Problem) {
	t.fault(step, problems)
	t.Back = &continuity.UpgradeBack{Began: t.now, Version: t.Good}
	t.rollback()
	t.say("rolling-back", continuity.UrgencyPage)
}

// rollback begins one more, or asks a person where there were too many.
func (t *turn) rollback() {
	if t.Rollbacks >= t.spec.times() {
		t.ask("upgrade.asks.exhausted", map[string]any{"count": t.Rollbacks})
		return
	}
	t.Rollbacks++
	t.to("back-halt")
}

// onceMore is what becomes of a rollback of which something failed for good: it begins
// anew, by what it finds then.
func (t *turn) onceMore(p Problem) {
	t.Failure.Reasons = append(t.Failure.Reasons, p.Reason)
	if len(t.Failure.Reasons) > 20 {
		t.Failure.Reasons = t.Failure.Reasons[:20]
	}
	t.rollback()
}

// ask has a person decide. What is held stays held.
func (t *turn) ask(code string, args map[string]any) {
	t.to("wait")
	t.Asks = &continuity.CheckReason{Code: code, Args: args}
	t.say("waiting", continuity.UrgencyPage)
}

// halt waits for the end of the run, which its own engine brings about as the upgrade goes
// back: nothing of it is under way when it goes on.
func (t *turn) halt(any) {
	r := t.e.runs[t.Run]
	under := slices.ContainsFunc(r.Steps, func(st continuity.StepRun) bool { return st.State == continuity.StepRunning })
	if r.State == continuity.RunRunning || under {
		return // its end is shown
	}
	if !t.Touched {
		t.to("back-release")
		return
	}
	t.to("back-hold")
}

func (t *turn) heldBack(any) { t.to("back-look") }

// asksLimits asks whether more may be undone than people agreed to.
const asksLimits = "upgrade.asks.limits"

// found is what a rollback finds.
type found struct {
	now     *continuity.UpgradePicture // nil: there is no data
	records int64                      // that reached the program since the moment
}

func damage(ctx context.Context, h *Hands, c Call) (any, error) {
	var f found
	now, err := picture(ctx, h, c)
	if err != nil {
		return nil, err
	}
	f.now, _ = now.(*continuity.UpgradePicture)
	if !c.Upgrade.Released.IsZero() && !c.Upgrade.Moment.IsZero() {
		f.records, err = h.Relays.Since(ctx, c, c.Upgrade.Moment)
	}
	return f, err
}

// weighed decides how data goes back.
func (t *turn) weighed(answer any) {
	f := answer.(found)
	t.Back.Way = wayBack(t.spec, &t.Upgrade, f.now)
	live := !t.Released.IsZero()
	if t.spec.Data.Back == "" && t.Before != nil && (live && t.Failure.Data || len(compare(t.Before, f.now, live, !live)) > 0) {
		t.ask("upgrade.asks.data", nil)
		return
	}
	t.within(f.records)
}

// blind goes back where data can't be looked at any more. How many requests are undone
// is not known then either where the relay does not say: a person is asked.
func (t *turn) blind(Problem) {
	t.Back.Way = wayBack(t.spec, &t.Upgrade, nil)
	records := int64(0)
	if !t.Released.IsZero() {
		records = math.MaxInt64
	}
	t.within(records)
}

// within goes on where no more is undone than people agreed to.
func (t *turn) within(records int64) {
	if t.Back.Way == continuity.UpgradeRestore && !t.Released.IsZero() {
		t.Back.Minutes, t.Back.Records = int(math.Ceil(t.now.Sub(t.Moment).Minutes())), records
		most := limits(t.spec, &t.Upgrade)
		if (t.Back.Minutes > most.Minutes || records > most.Records) && len(t.Back.Beyond) < approvers {
			args := map[string]any{"minutes": t.Back.Minutes, "most_minutes": most.Minutes}
			SayRecords(args, "records", records)
			SayRecords(args, "most_records", most.Records)
			t.ask(asksLimits, args)
			return
		}
	}
	t.to("back-stop")
}

func stop(ctx context.Context, h *Hands, c Call) (any, error) { return nil, h.Code.Stop(ctx, c) }

func (t *turn) stoppedCode(any) {
	switch t.Back.Way {
	case continuity.UpgradeDown:
		t.to("back-down")
	case continuity.UpgradeRestore:
		t.to("back-restore")
	default:
		t.to("back-put")
	}
}

func down(ctx context.Context, h *Hands, c Call) (any, error) {
	return nil, h.Data.Down(ctx, c, c.Upgrade.Before.Schema)
}

func (t *turn) wentDown(any) { t.to("back-put") }

// notDown goes the other way where there is no way down after all.
func (t *turn) notDown(Problem) {
	t.Back.NotDown = true
	t.to("back-look")
}

func restore(ctx context.Context, h *Hands, c Call) (any, error) {
	return nil, h.Backups.Restore(ctx, c, c.Upgrade.Moment)
}

func (t *turn) restored(any) { t.to("back-switch") }

func switchTo(ctx context.Context, h *Hands, c Call) (any, error) {
	return nil, h.Backups.Switch(ctx, c)
}

func (t *turn) switched(any) {
	t.Back.Switched = t.now
	t.to("back-put")
}

func put(ctx context.Context, h *Hands, c Call) (any, error) {
	return nil, h.Code.Put(ctx, c, c.Upgrade.Back.Version)
}

func (t *turn) putBack(any) { t.to("back-start") }

func start(ctx context.Context, h *Hands, c Call) (any, error) { return nil, h.Code.Start(ctx, c) }

func (t *turn) startedBack(any) { t.to("back-verify") }

// sound looks whether what was before is there again: data first, as a program that
// works on it changes it.
func sound(ctx context.Context, h *Hands, c Call) (any, error) {
	answer, err := picture(ctx, h, c)
	if err != nil {
		return nil, err
	}
	if now := answer.(*continuity.UpgradePicture); now != nil && c.Upgrade.Before != nil {
		live := !c.Upgrade.Released.IsZero() && c.Upgrade.Back.Switched.IsZero()
		if problems := compare(c.Upgrade.Before, now, live, true); len(problems) > 0 {
			return problems, nil
		}
	}
	_, err = works(ctx, h, c, c.Upgrade.Back.Version)
	return []Problem(nil), err
}

func (t *turn) proved(answer any) {
	if problems := answer.([]Problem); len(problems) > 0 {
		t.unsound(problems[0])
		return
	}
	if !t.Back.Switched.IsZero() && !t.Released.IsZero() {
		t.to("back-again")
		return
	}
	t.to("back-release")
}

// unsound goes the other way where data went down, and is not what it was.
func (t *turn) unsound(p Problem) {
	if t.Back.Way == continuity.UpgradeDown && p.Data {
		t.notDown(p)
		return
	}
	t.onceMore(p)
}

func redeliver(ctx context.Context, h *Hands, c Call) (any, error) {
	return h.Relays.Redeliver(ctx, c, c.Upgrade.Moment)
}

func (t *turn) redelivered(answer any) {
	t.Back.Redelivered = max(t.Back.Redelivered, answer.(int64))
	t.to("back-release")
}

func (t *turn) releasedBack(any) { t.to("back-drain") }

func (t *turn) drainedBack(answer any) {
	if !answer.(bool) {
		t.wait()
		return
	}
	t.rolledBack()
}

// undrained ends a rollback though the relay does not say that all is delivered: it
// goes on delivering by itself.
func (t *turn) undrained(Problem) { t.rolledBack() }

func (t *turn) rolledBack() {
	t.Back.Ended = t.now
	t.to("rolled-back")
	t.say("rolled-back", continuity.UrgencyNotice)
}

// waiting goes on where two people agreed to more than the limits.
func (t *turn) waiting(any) {
	if t.Asks == nil || t.Asks.Code != asksLimits || len(t.Back.Beyond) < approvers {
		return
	}
	t.to("back-halt") // it looks again: time has passed
}

// settle looks whether a person put things right: either version will do, as long as
// it works.
func settle(ctx context.Context, h *Hands, c Call) (any, error) {
	version, err := h.Code.Version(ctx, c)
	if err != nil {
		return nil, err
	}
	_, err = works(ctx, h, c, version)
	return version, err
}

func (t *turn) settling(answer any) {
	t.From = answer.(string)
	t.to("settle-release")
}

func (t *turn) settled(any) {
	t.to("settled")
	t.say("settled", continuity.UrgencyNotice)
}

// unsettled goes on waiting for a person, and says why.
func (t *turn) unsettled(p Problem) {
	t.to("wait")
	t.Asks = &p.Reason
	t.say("waiting", continuity.UrgencyPage)
}
