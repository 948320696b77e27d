package runbook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Store is where runs are kept.
type Store interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(ctx context.Context, q continuity.Query) (page []continuity.Object, next string, err error)
	Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error)
}

// Who does something with a run.
type Who struct {
	continuity.Actor

	All bool // may decide everything on this node
}

// person reports whether it is a person, and not a program.
func (w Who) person() bool { return w.Kind == personKind }

const personKind = "user"

// ActsOptions are what Acts need.
type ActsOptions struct {
	Store   Store
	Plans   Plans
	Actions Actions
	Now     func() time.Time
}

// Acts are what people see of runs and do with them, on any node.
type Acts struct{ o ActsOptions }

// NewActs makes them.
func NewActs(o ActsOptions) *Acts { return &Acts{o} }

// Query selects runs.
type Query struct {
	Service string
	About   string
	Past    bool // those that are over, too
	Cursor  string
	Limit   int
}

// Kept is a run with its version.
type Kept struct {
	continuity.Run

	Version int64
}

// RunDetail is a run with what it goes through.
type RunDetail struct {
	continuity.Run

	Script *Script `json:"script,omitempty"`
}

// List returns a page of runs by their ids; it may have fewer than asked for, as what
// is not selected is read with the others.
func (a *Acts) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	for next = q.Cursor; ; {
		objects, after, err := a.o.Store.List(ctx, continuity.Query{Kind: continuity.KindRun, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := read(o)
			if err != nil {
				return nil, "", err
			}
			if (q.Past || !k.Over()) && (q.About == "" || q.About == k.About) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

func read(o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Run)
}

// Get returns a run with what it goes through, and its version.
func (a *Acts) Get(ctx context.Context, id string) (RunDetail, int64, error) {
	o, err := a.o.Store.Get(ctx, continuity.KindRun, id)
	if err != nil {
		return RunDetail{}, 0, err
	}
	k, err := read(o)
	if err != nil {
		return RunDetail{}, 0, err
	}
	d := RunDetail{Run: k.Run}
	d.Script, err = a.script(ctx, id)
	return d, k.Version, err
}

// script is what a run goes through; nil: the engine has not written it down yet.
func (a *Acts) script(ctx context.Context, id string) (*Script, error) {
	o, err := a.o.Store.Get(ctx, KindScript, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &Script{}
	return s, json.Unmarshal(o.Body, s)
}

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "runbook.invalid." + what}, pairs...)...)
}

func state(what string, pairs ...any) error {
	words := map[string]string{"step": "runbook.state.", "run": "runbook.run."}[what]
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, is := pairs[i+1].(string); is && pairs[i] == "state" {
			pairs = append(pairs, "state_text", words+name)
			break
		}
	}
	return continuity.E(continuity.CodeState, nil, append([]any{"detail_id", "runbook.settled." + what}, pairs...)...)
}

// Begin is a run that somebody wants.
type Begin struct {
	Service  string
	Runbook  string
	About    string   // KIND/ID of an incident or a window
	Steps    []string // none: all
	Exercise string
	Why      string
}

// Start begins a run. What it is about numbers it.
func (a *Acts) Start(ctx context.Context, by Who, b Begin) (Kept, error) {
	var last error
	for range tries {
		k, err := a.start(ctx, by, b)
		if last = err; continuity.CodeOf(err) != continuity.CodeVersion {
			return k, err
		}
	}
	return Kept{}, last
}

func (a *Acts) start(ctx context.Context, by Who, b Begin) (Kept, error) {
	now := a.o.Now().UTC()
	script, err := a.o.Plans.Script(ctx, b.Service, 0, b.Runbook)
	if err != nil {
		return Kept{}, err
	}
	for _, id := range b.Steps {
		if script.step(id) < 0 {
			return Kept{}, invalid("step", "id", id)
		}
	}
	run := continuity.Run{
		ID: b.Service + ".run-" + strconv.FormatInt(now.UnixMilli(), 36) + strings.ToLower(rand.Text()[:4]), Service: b.Service, Plan: script.Plan, Runbook: b.Runbook, About: b.About,
		State: continuity.RunRunning, By: by.Actor, Started: now, Only: b.Steps, Exercise: b.Exercise, Rights: a.rights(by, script),
		Steps: []continuity.StepRun{},
	}
	if b.Why = words(b.Why); len(b.Steps) > 0 && b.Why == "" { // the others are left out
		return Kept{}, invalid("why-steps")
	}
	run.Reason = b.Why
	var changes []continuity.Change
	if b.About != "" {
		change, err := a.below(ctx, &run)
		if err != nil {
			return Kept{}, err
		}
		changes = append(changes, change)
	}
	if err := a.inExercise(ctx, run.Exercise); err != nil {
		return Kept{}, err
	}
	objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by.Actor, Changes: append(changes, run.Begin())})
	if err != nil {
		return Kept{}, err
	}
	return read(objects[len(objects)-1])
}

// below numbers a run below what it is about.
func (a *Acts) below(ctx context.Context, run *continuity.Run) (continuity.Change, error) {
	kind, id, _ := cut(run.About)
	if kind != continuity.KindIncident && kind != continuity.KindWindow {
		return continuity.Change{}, invalid("about", "about", run.About)
	}
	o, err := a.o.Store.Get(ctx, kind, id)
	if err != nil {
		return continuity.Change{}, err
	}
	if o.Service != run.Service {
		return continuity.Change{}, invalid("about", "about", run.About)
	}
	fields := map[string]json.RawMessage{}
	var number int
	if err = json.Unmarshal(o.Body, &fields); err == nil && fields["below"] != nil {
		err = json.Unmarshal(fields["below"], &number)
	}
	var is string
	if err == nil && fields["state"] != nil {
		err = json.Unmarshal(fields["state"], &is)
	}
	if err == nil && slices.Contains([]string{continuity.Closed, continuity.Merged, continuity.WindowDone, continuity.WindowCancelled}, is) {
		return continuity.Change{}, state("about", "about", run.About)
	}
	if err == nil && fields["exercise"] != nil {
		err = json.Unmarshal(fields["exercise"], &run.Exercise)
	}
	if err != nil {
		return continuity.Change{}, err
	}
	number++
	fields["below"] = json.RawMessage(strconv.Itoa(number))
	run.ID = id + ".run-" + strconv.Itoa(number)
	body, err := json.Marshal(fields)
	return continuity.Change{Kind: kind, ID: id, Service: o.Service, Version: o.Version, Body: body, Action: kind + ".run-started"}, err
}

// rights are what somebody may decide.
func (a *Acts) rights(by Who, script *Script) []string {
	if !by.person() { // whatever a program may do on this node, it decides nothing here
		return nil
	}
	if by.All {
		return []string{allRights}
	}
	return script.rights(by.ID)
}

const tries = 5

// change has a run changed as the engine would: do makes a step something else.
func (a *Acts) change(ctx context.Context, by Who, id string, version int64, do func(*turn) error) (Kept, error) {
	var last error
	for range tries {
		o, err := a.o.Store.Get(ctx, continuity.KindRun, id)
		if err != nil {
			return Kept{}, err
		}
		k, err := read(o)
		if err != nil {
			return k, err
		}
		if version != continuity.VersionAny && version != k.Version {
			return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindRun, "id", id, "version", k.Version)
		}
		script, err := a.script(ctx, id)
		if err != nil {
			return k, err
		}
		if script == nil {
			return k, state("starting", "id", id)
		}
		e, err := a.engine(ctx, &k.Run)
		if err != nil {
			return k, err
		}
		t := e.turn(ctx, &kept{run: k.Run, version: k.Version, script: script}, a.o.Now().UTC())
		if err := do(t); err != nil {
			return k, err
		}
		objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by.Actor, Changes: t.batch()})
		if err == nil {
			return read(objects[0])
		}
		if last = err; continuity.CodeOf(err) != continuity.CodeVersion || version != continuity.VersionAny {
			return k, err
		}
	}
	return Kept{}, last
}

// engine knows what the engine would of one run, and has nothing under way.
func (a *Acts) engine(ctx context.Context, run *continuity.Run) (*Engine, error) {
	e := &Engine{o: Options{Actions: a.o.Actions}, trouble: map[string]trouble{}, upgrade: map[string]continuity.Upgrade{}, clock: continuity.Clocks{}}
	about, id, _ := cut(run.About)
	for _, from := range [][2]string{{continuity.KindExercise, run.Exercise}, {about, id}} {
		if from[1] == "" || from[0] != continuity.KindExercise && from[0] != continuity.KindIncident && from[0] != continuity.KindUpgrade {
			continue
		}
		o, err := a.o.Store.Get(ctx, from[0], from[1])
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			continue
		}
		if err == nil {
			err = e.Show(o.Kind, o.ID, o.Version, o.Body, continuity.Actor{})
		}
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

// step has one step of a run changed.
func (a *Acts) step(ctx context.Context, by Who, id, step string, version int64, do func(*turn, *Step, *continuity.StepRun) error) (Kept, error) {
	return a.change(ctx, by, id, version, func(t *turn) error {
		i := t.script.step(step)
		if i < 0 || i >= len(t.run.Steps) {
			return continuity.E(continuity.CodeNotFound, nil, "detail_id", "runbook.invalid.step", "id", step)
		}
		return do(t, &t.script.Steps[i], &t.run.Steps[i])
	})
}

// hand notes that somebody had a part in a step.
func hand(st *continuity.StepRun, by Who) {
	if name := by.Kind + "/" + by.ID; !slices.Contains(st.Hands, name) {
		st.Hands = append(slices.Clone(st.Hands), name)
	}
}

// mine notes that somebody did a step, or said what became of it.
func mine(st *continuity.StepRun, by Who) {
	hand(st, by)
	st.By = &by.Actor
}

// wrong says that a step's state does not allow what somebody wants of it.
func wrong(st *continuity.StepRun) error { return state("step", "id", st.ID, "state", st.State) }

// open refuses what is wanted of a run that is over.
func open(t *turn) error {
	if t.run.Over() {
		return state("run", "id", t.run.ID, "state", t.run.State)
	}
	return nil
}

// Stop ends a run: what is under way is ended, what was done stays.
func (a *Acts) Stop(ctx context.Context, by Who, id string, version int64, why string) (Kept, error) {
	if why = words(why); why == "" {
		return Kept{}, invalid("why")
	}
	return a.change(ctx, by, id, version, func(t *turn) error {
		if err := open(t); err != nil {
			return err
		}
		t.end(continuity.RunStopped, why)
		t.quiet("")
		return nil
	})
}

// mostWords bounds what people write, in bytes.
const mostWords = 4000

func words(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > mostWords {
		text = strings.ToValidUTF8(text[:mostWords], "")
	}
	return text
}

// Undo has what was done taken back, the last first.
func (a *Acts) Undo(ctx context.Context, by Who, id string, version int64) (Kept, error) {
	return a.change(ctx, by, id, version, func(t *turn) error {
		if t.run.State == continuity.RunUndoing || t.run.State == continuity.RunUndone {
			return state("run", "id", id, "state", t.run.State)
		}
		any := false
		for i := range t.run.Steps {
			s, st := &t.script.Steps[i], &t.run.Steps[i]
			if st.State == continuity.StepRunning { // nobody knows yet what there will be to take back
				return state("under-way", "id", id, "step", st.ID)
			}
			if reversible(a.o.Actions, s, st) {
				if err := a.mayUndo(t, by, s); err != nil {
					return err
				}
				any = true
			}
		}
		if !any {
			return state("nothing", "id", id)
		}
		t.quiet("")
		for i := range t.run.Steps {
			if s, st := &t.script.Steps[i], &t.run.Steps[i]; reversible(a.o.Actions, s, st) {
				takeBack(st, t.now)
				mine(st, by)
			}
		}
		t.run.Was, t.run.State, t.run.Whole, t.run.Ended, t.action = t.run.State, continuity.RunUndoing, true, time.Time{}, "run."+continuity.RunUndoing
		return nil
	})
}

// UndoStep has one step taken back.
func (a *Acts) UndoStep(ctx context.Context, by Who, id, step string, version int64) (Kept, error) {
	return a.step(ctx, by, id, step, version, func(t *turn, s *Step, st *continuity.StepRun) error {
		if t.run.State == continuity.RunUndoing || !reversible(a.o.Actions, s, st) {
			return wrong(st)
		}
		if err := a.mayUndo(t, by, s); err != nil {
			return err
		}
		takeBack(st, t.now)
		mine(st, by)
		t.run.Was, t.run.State = t.run.State, continuity.RunUndoing
		t.run.Step, t.action = st.ID, "run.step-back"
		return nil
	})
}

func (a *Acts) mayUndo(t *turn, by Who, s *Step) error {
	right := a.o.Actions[s.Do].Needs
	if !may(a.rights(by, t.script), right) {
		return continuity.E(continuity.CodeScope, nil, "scope", right, "name", by.ID)
	}
	return nil
}
