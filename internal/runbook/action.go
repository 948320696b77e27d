package runbook

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// allRights is the right to decide everything.
const allRights = "*"

// Approve is the one action that is the engine's own: another person agrees.
const Approve = "approve"

// Call is an action of a step at its turn.
type Call struct {
	Run     *continuity.Run
	Script  *Script
	Step    *Step
	Key     string // of this attempt, and of no other
	Attempt int
	Until   time.Time       // from then on it has taken too long; zero: it may take its time
	Undo    json.RawMessage // what was kept for taking it back, where it is taken back
	Now     time.Time
	Shown   time.Time // what the exercise's clock shows
	// Keep stores what taking it back will need. The action goes on when it is stored.
	Keep func(ctx context.Context, undo json.RawMessage) error
}

// Result is what came of an action.
type Result struct {
	Output  json.RawMessage         // bounded, without secrets
	Undo    json.RawMessage         // what taking it back needs; nil: what was kept
	Failed  *continuity.CheckReason // nil: it did what it should
	Changes []continuity.Change     // what becomes true with the step's end
}

// Fail is a result that says why.
func Fail(code string, args map[string]any) Result {
	return Result{Failed: &continuity.CheckReason{Code: code, Args: args}}
}

// Action is what steps can do.
type Action struct {
	// Do does it, while the step runs.
	Do func(context.Context, Call) Result
	// Undo takes it back; nil: it can't be.
	Undo func(context.Context, Call) Result
	// Lost ends what an attempt may have left behind whose node died; nil: nothing.
	Lost func(key string)
	// Plain actions change objects and nothing else: what they say becomes true with
	// the step's end, and Do and Undo are called while the engine decides.
	Plain bool
	// Again says that repeating it harms nothing: it begins anew after a crash.
	Again bool
	// Waits says that it goes on until it did what it should, or its time is over.
	Waits bool
	// Needs is the right that whoever began the run must have, or somebody who has it
	// agrees to.
	Needs string
	// Hand is an id of the catalogue that says why a person does it: no engine can.
	Hand string
	// Show says what it would do, and what keeps it from doing so; for a dry run.
	Show func(context.Context, Call) (what continuity.CheckReason, lacks *continuity.CheckReason)
}

// Actions are all that there are, by their names.
type Actions map[string]Action

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
