package control

import (
	"context"
	"encoding/json"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// rightSwitch is what a role may that changes what customers meet.
const rightSwitch = "switch"

// actions is the one table of what steps of runbooks can do.
func (n *Node) actions() runbook.Actions {
	all := runbook.Actions{
		runbook.Approve:  {},
		"notify":         n.notifyAction(),
		"autoreply.on":   n.autoreplyAction(true),
		"autoreply.off":  n.autoreplyAction(false),
		"channel.switch": n.switchAction(),
		"channel.test":   n.testAction(),
		"group.open":     n.groupAction(),
		"uploads.pause":  n.pauseAction(true),
		"uploads.resume": n.pauseAction(false),
		"command":        n.commandAction(),
		"http":           n.httpAction(),
		"check":          n.checkAction(),
		"upgrade.start":  n.upgradeAction(),
		"wait":           n.waitAction(),
		"backup.run":     n.backupAction(continuity.WorkFull),
		"backup.verify":  n.backupAction(continuity.WorkVerify),
		"backup.restore": n.restoreAction(),

		// A person does these by the lines that are ticked off, there and back.
		"call.forward": guided(),
		"bridge.open":  guided(),
		"hotspot.on":   guided(),
	}
	for _, mode := range []string{"hold", "pass", "divert", "reply", "block", "drain"} {
		all["relay."+mode] = n.relayAction(mode)
	}
	// No engine of this program can do these: such a step asks a person, and says so.
	for name, why := range map[string]string{
		"outbox.send": "runbook.hand.outbox", "readmit": "runbook.hand.readmit", "compensate": "runbook.hand.compensate",
	} {
		all[name] = runbook.Action{Hand: why}
	}
	return all
}

func guided() runbook.Action {
	done := func(context.Context, runbook.Call) runbook.Result { return runbook.Result{} }
	return runbook.Action{Plain: true, Do: done, Undo: done}
}

// jsonOf is what is kept of an action; it is made of texts, numbers and times.
func jsonOf(v any) json.RawMessage {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return body
}

// aboutOf is what a run's doings are for.
func aboutOf(run *continuity.Run) string {
	if run.About != "" {
		return run.About
	}
	return continuity.KindRun + "/" + run.ID
}

func failed(code string, pairs ...any) runbook.Result {
	args := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return runbook.Fail("runbook.failed."+code, args)
}

// lacking is why an action could not be done, for a dry run.
func lacking(r runbook.Result) *continuity.CheckReason { return r.Failed }

func what(name string, pairs ...any) continuity.CheckReason {
	args := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return continuity.CheckReason{Code: "runbook.would." + name, Args: args}
}

// againEvery is how often a condition is looked at that is waited for.
const againEvery = 5 * time.Second

// waitUntil calls f until it is true, its time is over or ctx is done.
func waitUntil(ctx context.Context, at time.Time, f func(context.Context) bool) bool {
	for {
		if f(ctx) {
			return true
		}
		if at.IsZero() || ctx.Err() != nil || !time.Now().Add(againEvery).Before(at) {
			return false
		}
		pause(ctx, againEvery)
	}
}
