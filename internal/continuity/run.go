package continuity

import (
	"encoding/json"
	"time"
)

// KindRun is the kind of objects of runs.
const KindRun = "run"

// States of a run.
const (
	RunRunning = "running"
	RunDone    = "done"
	RunStopped = "stopped" // by a person, or by a step that failed
)

// States of a step.
const (
	StepWaiting     = "waiting" // for earlier ones
	StepReady       = "ready"   // for its owner
	StepRunning     = "running" // an action is under way
	StepAsking      = "asking"  // for an approval
	StepProving     = "proving" // done; its proof is still missing
	StepDone        = "done"
	StepSkipped     = "skipped" // a person said why
	StepFailed      = "failed"
	StepInterrupted = "interrupted" // it ran when its node died: a person says whether it was done
	StepUndone      = "undone"
)

// Run is a runbook being gone through.
type Run struct {
	ID      string    `json:"id"` // ABOUT.run-N
	Service string    `json:"service"`
	Plan    int64     `json:"plan"` // the version whose runbook it is
	Runbook string    `json:"runbook"`
	About   string    `json:"about,omitempty"` // KIND/ID: incident/orders-2026-7
	State   string    `json:"state"`
	Steps   []StepRun `json:"steps"`
	By      Actor     `json:"by"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Reason  string    `json:"reason,omitempty"`

	Exercise string    `json:"exercise,omitempty"`
	Shown    time.Time `json:"shown_at,omitzero"`
}

// StepRun is one step of a run.
type StepRun struct {
	ID      string          `json:"id"` // of the step; within another runbook: RUN/STEP
	State   string          `json:"state"`
	Attempt int             `json:"attempt,omitempty"`
	Since   time.Time       `json:"since,omitzero"`
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Due     time.Time       `json:"due,omitzero"`
	By      *Actor          `json:"by,omitempty"`
	Reason  CheckReason     `json:"reason,omitzero"`
	Note    string          `json:"note,omitempty"`   // a person's words
	Output  json.RawMessage `json:"output,omitempty"` // of the action; bounded, without secrets
	Undo    json.RawMessage `json:"undo,omitempty"`   // what the action needs to be taken back
	Ticked  []string        `json:"ticked,omitempty"` // items of its checklist
}

// NewRun is the change by which a runbook begins to be gone through. steps may be nil:
// then the runbook's are filled in, from the version of the plan; version 0 is the one
// that holds.
func NewRun(id, service string, plan int64, runbook, about string, steps []string, by Actor, at time.Time, exercise string) Change {
	run := Run{
		ID: id, Service: service, Plan: plan, Runbook: runbook, About: about, State: RunRunning, By: by, Started: at, Exercise: exercise,
		Steps: make([]StepRun, len(steps)),
	}
	for i, step := range steps {
		run.Steps[i] = StepRun{ID: step, State: StepWaiting, Since: at}
	}
	body, err := json.Marshal(run)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return Change{Kind: KindRun, ID: id, Service: service, Version: VersionNew, Body: body, Action: "run.started"}
}
