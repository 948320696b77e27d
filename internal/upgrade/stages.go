package upgrade

import (
	"context"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/continuity"
)

// stage is one thing that is done for an upgrade.
type stage struct {
	state string
	// do does it, beside the engine; nil: there is nothing to be done.
	do func(ctx context.Context, h *Hands, c Call) (any, error)
	// then decides by what came of it where it goes on. It is asked again while it goes
	// nowhere.
	then func(t *turn, answer any)
	// tired is what becomes of it when it failed too often; nil: forward it leads back,
	// on the way back to another try.
	tired    func(t *turn, p Problem)
	most     time.Duration // bounds one effect
	patience time.Duration // how long it may fail; 0: a few times
	class    string        // of its failure
	watched  bool          // how it goes is looked at meanwhile
}

// Bounds of effects that take long.
const (
	copyTime = 24 * time.Hour
	readTime = time.Hour
	holdTime = 2 * time.Minute
)

// stages are all that an upgrade comes to. Those of the way back are in back.go.
var stages map[string]stage

func init() { // not a literal: stages lead to each other
	stages = map[string]stage{
		"look":  {state: continuity.UpgradePlanned, do: look, then: (*turn).looked, tired: (*turn).unlooked, most: readTime},
		"ready": {state: continuity.UpgradePlanned, then: still},

		"check": {state: continuity.UpgradeChecking, do: look, then: (*turn).checked, most: readTime},

		"items":    {state: continuity.UpgradeGate, then: (*turn).items},
		"backups":  {state: continuity.UpgradeGate, do: ready, then: (*turn).backedUp, most: copyTime, patience: time.Hour, class: continuity.UpgradeOperator},
		"rehearse": {state: continuity.UpgradeGate, do: rehearse, then: (*turn).rehearsed, most: copyTime, class: continuity.UpgradeMigration},
		"fit":      {state: continuity.UpgradeGate, do: fit, then: (*turn).fits, class: continuity.UpgradeOperator},
		"approve":  {state: continuity.UpgradeGate, then: (*turn).approved},
		"again":    {state: continuity.UpgradeGate, do: ready, then: (*turn).readyAgain, most: copyTime, patience: time.Hour, class: continuity.UpgradeOperator},

		"baseline": {state: continuity.UpgradeHolding, do: baseline, then: (*turn).based},
		"hold":     {state: continuity.UpgradeHolding, do: hold, then: (*turn).held, most: holdTime, class: continuity.UpgradeOperator},
		"picture":  {state: continuity.UpgradeHolding, do: picture, then: (*turn).pictured, most: readTime, class: continuity.UpgradeMigration},
		"moment":   {state: continuity.UpgradeHolding, do: moment, then: (*turn).momentous, most: readTime, patience: readTime, class: continuity.UpgradeOperator},

		"step":      {state: continuity.UpgradeStepping, then: (*turn).stepping, watched: true},
		"step-data": {state: continuity.UpgradeStepping, do: picture, then: (*turn).steppedData, most: readTime, patience: DefaultSettle, class: continuity.UpgradeMigration, watched: true},

		"verify":      {state: continuity.UpgradeVerifying, do: verify, then: (*turn).verified, watched: true},
		"verify-data": {state: continuity.UpgradeVerifying, do: picture, then: (*turn).verifiedData, most: readTime, class: continuity.UpgradeMigration, watched: true},

		"release": {state: continuity.UpgradeReleasing, do: release, then: (*turn).released, watched: true, class: continuity.UpgradeOperator},
		"drain":   {state: continuity.UpgradeReleasing, do: drained, then: (*turn).drained, watched: true, patience: mostTime},
		"bake":    {state: continuity.UpgradeBaking, do: picture, then: (*turn).baked, watched: true, most: readTime, patience: readTime, class: continuity.UpgradeMigration},
		"done":    {state: continuity.UpgradeDone, then: still},

		"aborted": {state: continuity.UpgradeAborted, then: still},
	}
	for name, s := range stagesBack() {
		stages[name] = s
	}
}

// still is of a stage from which only people lead on.
func still(*turn, any) {}

// seen is what a look before an upgrade found.
type seen struct {
	version  string
	findings []continuity.UpgradeFinding
	well     bool // all checks are up
}

func look(ctx context.Context, h *Hands, c Call) (any, error) {
	version, err := h.Code.Version(ctx, c)
	if err != nil {
		return nil, err
	}
	findings, err := h.Precheck.Check(ctx, c)
	if err != nil {
		return nil, err
	}
	problems, err := h.Watch.Look(ctx, c, true)
	return seen{version, findings, err == nil && len(problems) == 0}, err
}

// looked writes down what was found. What runs well when the first upgrade is planned
// is the version that last proved to be right.
func (t *turn) looked(answer any) {
	if t.took(answer.(seen)) {
		t.to("ready")
	}
}

func (t *turn) took(s seen) bool {
	t.From, t.Findings = s.version, s.findings
	id := continuity.ReleaseID(t.Service, t.Upgrade.Upgrade)
	if _, known := t.e.releases[id]; !known && s.well && s.version != t.To {
		t.record(s.version)
		t.action = "upgrade.recorded"
		return false // it is shown first
	}
	return true
}

// record writes down that a version proved to be right.
func (t *turn) record(version string) {
	id := continuity.ReleaseID(t.Service, t.Upgrade.Upgrade)
	t.more = append(t.more, continuity.Put(continuity.KindRelease, id, t.Service, "release.proved", continuity.Release{
		ID: id, Service: t.Service, Upgrade: t.Upgrade.Upgrade, Version: version, At: t.now, By: t.ID,
	}))
	t.Good = version
}

func (t *turn) unlooked(p Problem) {
	t.Findings = []continuity.UpgradeFinding{{ID: "look", Level: continuity.FindingBlock, Reason: p.Reason}}
	t.to("ready")
}

// checked goes on where nothing speaks against it, or somebody says why it goes on all the
// same. Warnings are shown, and keep it from nothing.
func (t *turn) checked(answer any) {
	s := answer.(seen)
	if !t.took(s) {
		return
	}
	id := continuity.ReleaseID(t.Service, t.Upgrade.Upgrade)
	if good, known := t.e.releases[id]; known {
		t.Good = good.Version
	}
	var against []Problem
	for _, f := range s.findings {
		if f.Level == continuity.FindingBlock && t.Despite == "" {
			against = append(against, Problem{Class: continuity.UpgradeCompatibility, Reason: f.Reason})
		}
	}
	if t.Good == "" {
		against = append(against, Problem{Class: continuity.UpgradeCompatibility, Reason: continuity.CheckReason{Code: "upgrade.fault.no-good", Args: map[string]any{"version": s.version}}})
	}
	if s.version == t.To {
		against = append(against, Problem{Class: continuity.UpgradeOperator, Reason: continuity.CheckReason{Code: "upgrade.fault.there", Args: map[string]any{"version": s.version}}})
	}
	if len(against) > 0 {
		t.refuse(against...)
		return
	}
	t.to("items")
	if t.unticked() {
		t.say("items", continuity.UrgencyNotice)
	}
}

// unticked reports whether something that comes first has not been ticked off.
func (t *turn) unticked() bool {
	return slices.ContainsFunc(t.spec.Before, func(i Item) bool { return !slices.Contains(t.Ticked, i.ID) })
}

// items goes on when people have ticked off what comes first.
func (t *turn) items(any) {
	if !t.unticked() {
		t.to("backups")
	}
}

func ready(ctx context.Context, h *Hands, c Call) (any, error) {
	if len(c.Spec.Sets) == 0 {
		return []continuity.UpgradeSet{}, nil
	}
	sets, err := h.Backups.Ready(ctx, c)
	if err != nil {
		return nil, err
	}
	for i := range sets {
		if why := sets[i].Lacks; why != nil {
			return nil, &NotYet{*why}
		}
	}
	return sets, nil
}

func (t *turn) backedUp(answer any) {
	t.Sets = answer.([]continuity.UpgradeSet)
	t.to("rehearse")
}

func rehearse(ctx context.Context, h *Hands, c Call) (any, error) {
	if !c.Spec.Data.Rehearse {
		return (*continuity.UpgradeRehearsal)(nil), nil
	}
	return h.Data.Rehearse(ctx, c)
}

// rehearsed refuses what spoils data on a copy already.
func (t *turn) rehearsed(answer any) {
	r := answer.(*continuity.UpgradeRehearsal)
	t.Rehearsal = r
	if r != nil && len(r.Findings) > 0 {
		problems := make([]Problem, len(r.Findings))
		for i, why := range r.Findings {
			problems[i] = Problem{Class: continuity.UpgradeMigration, Data: true, Reason: why}
		}
		t.refuse(problems...)
		return
	}
	t.to("fit")
}

func fit(ctx context.Context, h *Hands, c Call) (any, error) { return h.Relays.Fit(ctx, c) }

func (t *turn) fits(answer any) {
	if lacks := answer.([]continuity.CheckReason); len(lacks) > 0 {
		problems := make([]Problem, len(lacks))
		for i, why := range lacks {
			problems[i] = Problem{Class: continuity.UpgradeOperator, Reason: why}
		}
		t.refuse(problems...)
		return
	}
	t.to("approve")
	if t.lacksApproval() {
		t.say("approve", continuity.UrgencyPage)
	}
}

// approvers is how many people have to agree before data may be brought back.
const approvers = 2

func (t *turn) lacksApproval() bool { return t.spec.Data.Back != "" && len(t.Approvals) < approvers }

// approved goes on when both people agreed to bringing data back.
func (t *turn) approved(any) {
	if !t.lacksApproval() {
		t.to("again")
	}
}

// readyAgain goes on where all sets are still ready: what came in between may have taken
// long, and from here on customers wait.
func (t *turn) readyAgain(answer any) {
	t.Sets = answer.([]continuity.UpgradeSet)
	t.to("baseline")
	t.say("began", continuity.UrgencyNotice)
}

func baseline(ctx context.Context, h *Hands, c Call) (any, error) { return h.Watch.Baseline(ctx, c) }

func (t *turn) based(answer any) {
	t.Baseline = answer.([]continuity.UpgradeFigure)
	t.to("hold")
}

func hold(ctx context.Context, h *Hands, c Call) (any, error) { return nil, h.Relays.Hold(ctx, c) }

func (t *turn) held(any) {
	t.Held = t.now
	t.to("picture")
}

func picture(ctx context.Context, h *Hands, c Call) (any, error) {
	if !c.Spec.Data.Looked {
		return (*continuity.UpgradePicture)(nil), nil
	}
	return h.Data.Picture(ctx, c)
}

// pictured writes down how the data is before. What is wrong already is no reason to go
// on.
func (t *turn) pictured(answer any) {
	t.Before = answer.(*continuity.UpgradePicture)
	if t.Before != nil {
		if problems := compare(t.Before, t.Before, false, false); len(problems) > 0 {
			t.back(problems...)
			return
		}
	}
	if t.spec.Data.Back == "" {
		t.beginSteps()
		return
	}
	t.to("moment")
}

func moment(ctx context.Context, h *Hands, c Call) (any, error) { return h.Backups.Moment(ctx, c) }

func (t *turn) momentous(answer any) {
	t.Moment = answer.(time.Time).UTC()
	t.beginSteps()
}

// runActor begins the runbook: who began the upgrade could only do so by the right that
// its steps need, and a run of theirs would ask for it again at each.
var runActor = continuity.Actor{Kind: continuity.ActorEngine, ID: "upgrade"}

// beginSteps begins the runbook's run in the transaction in which the upgrade says so.
func (t *turn) beginSteps() {
	t.Run = t.ID + ".run-" + strconv.Itoa(t.Attempt)
	t.Checked, t.Touched = []string{}, true
	t.more = append(t.more, continuity.NewRun(t.Run, t.Service, t.Plan, t.spec.Runbook, continuity.KindUpgrade+"/"+t.ID, nil, runActor, t.now, ""))
	t.to("step")
}

// stepping follows the run: what was done is looked at step by step.
func (t *turn) stepping(any) {
	r, there := t.e.runs[t.Run]
	if !there {
		return // it is shown soon
	}
	if problems, step := t.broken(&r.Run); problems != nil {
		t.backFrom(step, problems...)
		return
	}
	if step := t.Unchecked(&r.Run); step != "" {
		if t.spec.Data.Looked {
			t.to("step-data")
			return
		}
		t.Checked = append(t.Checked, step)
		t.mark("upgrade.step-checked")
		return
	}
	if r.State == continuity.RunDone {
		t.to("verify")
	}
}

// broken is what went wrong with a run, and with which step.
func (t *turn) broken(r *continuity.Run) ([]Problem, string) {
	script := t.e.scripts[r.ID]
	for i := range r.Steps {
		st := &r.Steps[i]
		class := continuity.UpgradeOperator
		if i < len(script.Steps) {
			s := &script.Steps[i]
			if st.State == continuity.StepFailed && (len(s.Else) > 0 || s.IfNot == "go-on") {
				continue
			}
			class = classOf(s.Do, s.With["part"])
		}
		switch st.State {
		case continuity.StepFailed:
			return stepProblems(class, "upgrade.fault.step", st), st.ID
		case continuity.StepInterrupted: // nobody knows whether it was done
			return stepProblems(continuity.UpgradeOperator, "upgrade.fault.interrupted", st), st.ID
		}
	}
	if r.State != continuity.RunRunning && r.State != continuity.RunDone {
		return []Problem{{Class: continuity.UpgradeOperator, Reason: continuity.CheckReason{Code: "upgrade.fault.run", Args: map[string]any{"run": r.ID}}}}, ""
	}
	return nil, ""
}

func stepProblems(class, code string, st *continuity.StepRun) []Problem {
	all := []Problem{{Class: class, Reason: continuity.CheckReason{Code: code, Args: map[string]any{"id": st.ID}}}}
	if st.Reason.Code != "" {
		all = append(all, Problem{Class: class, Reason: st.Reason})
	}
	return all
}

// ActionStart is the action of steps that change code and data of the upgrade that they
// are part of, as a whole or in parts.
const ActionStart = "upgrade.start"

// Parts of it.
const (
	PartStop    = "stop"
	PartPut     = "put"
	PartMigrate = "migrate"
	PartStart   = "start"
)

// classOf is the class of a failure of a step.
func classOf(do, part string) string {
	switch {
	case do == ActionStart && part == PartMigrate:
		return continuity.UpgradeMigration
	case do == "", do == "approve":
		return continuity.UpgradeOperator
	}
	return continuity.UpgradeCompatibility
}

// steppedData goes on where a step has left the data as it has to be.
func (t *turn) steppedData(answer any) {
	r := t.e.runs[t.Run]
	step := t.Unchecked(&r.Run)
	if problems := compare(t.Before, answer.(*continuity.UpgradePicture), false, false); len(problems) > 0 {
		t.backFrom(step, problems...)
		return
	}
	t.Checked = append(t.Checked, step)
	t.to("step")
}

// verify looks at the code as a whole: the version that is wanted runs, and all works.
func verify(ctx context.Context, h *Hands, c Call) (any, error) {
	return works(ctx, h, c, c.Upgrade.To)
}

func works(ctx context.Context, h *Hands, c Call, want string) (any, error) {
	version, err := h.Code.Version(ctx, c)
	if err != nil {
		return nil, err
	}
	if version != want {
		return nil, &NotYet{continuity.CheckReason{Code: "upgrade.fault.version", Args: map[string]any{"want": want, "is": version}}}
	}
	problems, err := h.Watch.Look(ctx, c, true)
	if err != nil || len(problems) == 0 {
		return nil, err
	}
	return nil, &NotYet{problems[0].Reason} // what has just been started may take a while
}

func (t *turn) verified(any) { t.to("verify-data") }

func (t *turn) verifiedData(answer any) {
	if now := answer.(*continuity.UpgradePicture); now != nil {
		if problems := compare(t.Before, now, false, false); len(problems) > 0 {
			t.back(problems...)
			return
		}
	}
	t.Released = t.now // before it happens: from now on something may have reached it
	t.to("release")
}

func release(ctx context.Context, h *Hands, c Call) (any, error) {
	return nil, h.Relays.Release(ctx, c)
}

func (t *turn) released(any) { t.to("drain") }

func drained(ctx context.Context, h *Hands, c Call) (any, error) { return h.Relays.Drained(ctx, c) }

func (t *turn) drained(answer any) {
	if !answer.(bool) {
		t.wait()
		return
	}
	t.Bake = t.now.Add(t.spec.Bake)
	t.to("bake")
	t.say("baking", continuity.UrgencyInfo)
}

// baked ends an upgrade when its time to bake is over, and nothing was found.
func (t *turn) baked(answer any) {
	if now := answer.(*continuity.UpgradePicture); now != nil {
		if problems := compare(t.Before, now, true, false); len(problems) > 0 {
			t.back(problems...)
			return
		}
	}
	if t.now.Before(t.Bake) {
		t.wait()
		return
	}
	t.record(t.To)
	t.Failure = nil
	t.to("done")
	t.say("done", continuity.UrgencyNotice)
}
