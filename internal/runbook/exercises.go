package runbook

import (
	"context"
	"strconv"
	"strings"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// reasonPlayed is why a run of an exercise was stopped.
const reasonPlayed = "exercise.over"

// played stops a run whose exercise has ended. What it did stands: whoever is in
// command is told how it is taken back. That goes on after the exercise.
func (t *turn) played() bool {
	if t.run.State != continuity.RunRunning || !t.e.clock.Over(t.run.Exercise) {
		return false
	}
	t.end(continuity.RunStopped, reasonPlayed)
	var stands []string
	for i := range t.run.Steps {
		if t.script != nil && i < len(t.script.Steps) && reversible(t.e.o.Actions, &t.script.Steps[i], &t.run.Steps[i]) {
			stands = append(stands, t.run.Steps[i].ID)
		}
	}
	if len(stands) == 0 {
		return true
	}
	to, escalate := t.owner(&Step{})
	args := func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{
			"service": t.run.Service, "run": t.run.ID, "runbook": in(lang, t.script.Name, t.run.Runbook),
			"steps": strings.Join(stands, map[catalogue.Lang]string{catalogue.En: ", ", catalogue.Zh: "、"}[lang]),
		}
	}
	t.run.Number++
	t.changes = append(t.changes, continuity.Tell(continuity.Notification{
		ID: t.run.ID + ".n-" + strconv.Itoa(t.run.Number), Service: t.run.Service, About: continuity.KindRun + "/" + t.run.ID, At: t.now,
		Urgency: continuity.UrgencyPage, To: to, Escalate: escalate, Exercise: t.run.Exercise, Shown: t.shown,
		Subject: both("runbook.tell.played.subject", args), Text: both("runbook.tell.played.text", args),
	}))
	return true
}

// inExercise refuses a run of an exercise that is not under way.
func (a *Acts) inExercise(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	o, err := a.o.Store.Get(ctx, continuity.KindExercise, id)
	if err != nil {
		return err
	}
	clocks := continuity.Clocks{}
	if err := clocks.Take(o.ID, o.Body); err != nil {
		return err
	}
	if clocks.Over(id) {
		return continuity.E(continuity.CodeState, nil, "detail_id", "exercise.ended", "id", id)
	}
	return nil
}
