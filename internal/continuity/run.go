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
	RunUndoing = "undoing" // steps are taken back, the last first
	RunUndone  = "undone"
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
	StepUndone      = "undone"      // taken back
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
	Reason  string    `json:"reason,omitempty"` // a person's words, or a code of the catalogue

	Only   []string `json:"only,omitempty"`   // the steps that were asked for; none: all
	Step   string   `json:"step,omitempty"`   // that changed last
	Rights []string `json:"rights,omitempty"` // what who began it may decide; all: "*"
	Was    string   `json:"was,omitempty"`    // its state before steps were taken back
	Whole  bool     `json:"whole,omitempty"`  // all steps are taken back
	Calm   bool     `json:"calm,omitempty"`   // its incident is over: nobody is paged for its steps any more
	Number int      `json:"below,omitempty"`  // how many objects below it were numbered

	Exercise string    `json:"exercise,omitempty"`
	Shown    time.Time `json:"shown_at,omitzero"`
}

// Over reports whether nothing more is done about it by itself.
func (r *Run) Over() bool { return r.State != RunRunning && r.State != RunUndoing }

// StepRun is one step of a run.
type StepRun struct {
	ID      string          `json:"id"` // of the step; within another runbook: RUN/STEP
	State   string          `json:"state"`
	Attempt int             `json:"attempt,omitempty"`
	Since   time.Time       `json:"since,omitzero"`
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Due     time.Time       `json:"due,omitzero"`
	By      *Actor          `json:"by,omitempty"`    // the person who did it, or said what became of it
	Hands   []string        `json:"hands,omitempty"` // all who had a part in it: none of them approves what comes after
	Reason  CheckReason     `json:"reason,omitzero"`
	Note    string          `json:"note,omitempty"`   // a person's words
	Output  json.RawMessage `json:"output,omitempty"` // of the action; bounded, without secrets
	Undo    json.RawMessage `json:"undo,omitempty"`   // what the action needs to be taken back
	Kept    int             `json:"kept,omitempty"`   // the attempt for which Undo was kept
	Ticked  []string        `json:"ticked,omitempty"` // items of its checklist
	Back    bool            `json:"back,omitempty"`   // its state is of being taken back
	Go      bool            `json:"go,omitempty"`     // a person had it begin though its precondition is not met
	Leave   *Actor          `json:"leave,omitempty"`  // who approved it
	Late    int             `json:"late,omitempty"`   // how many times it was told that it is late
	Told    bool            `json:"told,omitempty"`   // somebody was told that it waits for them
	Done    string          `json:"done,omitempty"`   // how it was done before it was taken back
}

// NewRun is the change by which a runbook begins to be gone through. steps may be nil:
// then the runbook's are filled in, from the version of the plan; version 0 is the one
// that holds.
func NewRun(id, service string, plan int64, runbook, about string, steps []string, by Actor, at time.Time, exercise string) Change {
	run := Run{
		ID: id, Service: service, Plan: plan, Runbook: runbook, About: about, State: RunRunning, By: by, Started: at, Exercise: exercise,
		Steps: make([]StepRun, len(steps)), Only: steps,
	}
	for i, step := range steps {
		run.Steps[i] = StepRun{ID: step, State: StepWaiting, Since: at}
	}
	return run.Begin()
}

// Begin is the change by which a run begins.
func (r Run) Begin() Change {
	body, err := json.Marshal(r)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return Change{Kind: KindRun, ID: r.ID, Service: r.Service, Version: VersionNew, Body: body, Action: "run.started"}
}
