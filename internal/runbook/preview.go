package runbook

import (
	"context"

	"holdfast/internal/continuity"
)

// RunPreview is what a runbook would do, if it began now.
type RunPreview struct {
	Script *Script          `json:"script"`
	Steps  []RunPreviewStep `json:"steps" nullable:"false"`
	Lacks  int              `json:"lacks"` // how many steps could not be done
}

// RunPreviewStep is one step of a preview.
type RunPreviewStep struct {
	ID         string                  `json:"id"`
	What       continuity.CheckReason  `json:"what,omitzero"`   // what its action would do
	Lacks      *continuity.CheckReason `json:"lacks,omitempty"` // what keeps it from doing so
	Hand       bool                    `json:"hand"`            // a person does it
	Reversible bool                    `json:"reversible"`
	Needs      string                  `json:"needs,omitempty"` // the right that it needs, which who asks lacks
}

// Preview says what a run would do; nothing happens.
func (a *Acts) Preview(ctx context.Context, by Who, b Begin) (RunPreview, error) {
	script, err := a.o.Plans.Script(ctx, b.Service, 0, b.Runbook)
	if err != nil {
		return RunPreview{}, err
	}
	for _, id := range b.Steps {
		if script.step(id) < 0 {
			return RunPreview{}, invalid("step", "id", id)
		}
	}
	script.only(b.Steps)
	now := a.o.Now().UTC()
	run := continuity.Run{ID: b.Service + ".run-0", Service: b.Service, Runbook: b.Runbook, About: b.About, Plan: script.Plan, By: by.Actor, Started: now}
	p := RunPreview{Script: script, Steps: make([]RunPreviewStep, len(script.Steps))}
	rights := a.rights(by, script)
	for i := range script.Steps {
		s, step := &script.Steps[i], &p.Steps[i]
		action, known := a.o.Actions[s.Do]
		step.ID, step.Hand, step.Reversible = s.ID, s.Runbook == "" && (s.Do == "" || s.Do == Approve || !known || action.Hand != ""), action.Undo != nil
		if !may(rights, action.Needs) {
			step.Needs = action.Needs
		}
		if action.Show != nil {
			step.What, step.Lacks = action.Show(ctx, Call{Run: &run, Script: script, Step: s, Now: now, Shown: now})
		}
		if action.Hand != "" {
			step.Lacks = &continuity.CheckReason{Code: action.Hand}
		}
		if step.Lacks != nil {
			p.Lacks++
		}
	}
	return p, nil
}
