package upgrade

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"holdfast/internal/continuity"
)

// Bounds of effects that fail.
const (
	mostFails     = 4 // of one effect, in a row
	tryAgain      = 2 * time.Second
	mostRollbacks = 3
	beatEvery     = 10 * time.Second
	mostTrail     = 200
)

// turn is one look at one upgrade: it makes at most one change of it.
type turn struct {
	continuity.Upgrade // as it is to become

	e       *Engine // nil: a person's act
	version int64
	spec    *Spec
	now     time.Time
	next    time.Time
	action  string // of the event; empty: nothing changes
	reason  string
	more    []continuity.Change
}

func (e *Engine) turn(h held, spec *Spec, now time.Time) *turn {
	return &turn{Upgrade: clone(&h.Upgrade), e: e, version: h.version, spec: spec, now: now}
}

// clone copies an upgrade, whatever it points to.
func clone(u *continuity.Upgrade) (other continuity.Upgrade) {
	body, err := json.Marshal(u)
	if err == nil {
		err = json.Unmarshal(body, &other)
	}
	if err != nil {
		panic(err) // it was read from the store
	}
	return other
}

// at has the engine asked again at a time at the latest.
func (t *turn) at(when time.Time) {
	if t.next.IsZero() || when.Before(t.next) {
		t.next = when
	}
}

// mark has the upgrade change. The first action is the event's.
func (t *turn) mark(action string) { t.action = cmp.Or(t.action, action) }

// batch is the changed upgrade with what becomes true with it.
func (t *turn) batch() []continuity.Change {
	if t.action == "" {
		return nil
	}
	return append([]continuity.Change{
		continuity.Set(continuity.KindUpgrade, t.ID, t.Service, t.version, t.action, t.reason, t.Upgrade),
	}, t.more...)
}

// tell has people told in the transaction.
func (t *turn) tell(n continuity.Notification) {
	t.Number++
	n.ID = t.ID + ".n-" + strconv.Itoa(t.Number)
	n.Service, n.About, n.At = t.Service, continuity.KindUpgrade+"/"+t.ID, t.now
	t.more = append(t.more, continuity.Tell(n))
	t.mark("upgrade.told")
}

// to comes to a stage: what is done in it begins once that is stored.
func (t *turn) to(name string) {
	s := stages[name]
	if s.state != t.State {
		t.State, t.Since = s.state, t.now
		t.action = "upgrade." + s.state
	}
	t.mark("upgrade.stage")
	t.Stage, t.Tries, t.Trying, t.Again, t.Asks = name, 0, nil, time.Time{}, nil
	t.Visit++
	t.Beat = t.now
	t.Trail = append(t.Trail, continuity.UpgradeMark{Stage: name, At: t.now})
	if len(t.Trail) > mostTrail {
		t.Trail = t.Trail[len(t.Trail)-mostTrail:]
	}
	if t.Over() {
		t.Ended = t.now
	}
}

// since is when the stage was come to.
func (t *turn) since() time.Time {
	if len(t.Trail) == 0 {
		return t.Since
	}
	return t.Trail[len(t.Trail)-1].At
}

// forward reports whether requests are held, or reach what is new, and nothing has
// been found wrong yet.
func (t *turn) forward() bool {
	switch t.State {
	case continuity.UpgradeHolding, continuity.UpgradeStepping, continuity.UpgradeVerifying, continuity.UpgradeReleasing, continuity.UpgradeBaking:
		return true
	}
	return false
}

// decide makes the change that is due.
func (t *turn) decide() {
	s, known := stages[t.Stage]
	if !known {
		t.ask("upgrade.asks.damaged", nil)
		return
	}
	key := t.flightKey()
	if t.Stopping != nil && (t.forward() || t.State == continuity.UpgradeChecking || t.State == continuity.UpgradeGate) {
		if t.e.quiet(t.ID) {
			t.stopped()
		}
		return
	}
	if t.forward() && t.lost() {
		return
	}
	still := []string{key}
	if s.watched {
		still = append(still, t.ID+watchKey)
	}
	if !t.e.quiet(t.ID, still...) { // what was under way at another stage ends first
		return
	}
	if s.watched && t.watch() {
		return
	}
	if s.do == nil {
		s.then(t, nil)
		t.beat()
		return
	}
	f, there := t.e.flight(key)
	switch {
	case !there && t.now.Before(t.paused()):
		t.at(t.paused())
	case !there:
		c := Call{Key: keyOf(&t.Upgrade, t.Stage), Copy: t.ID + "-" + strconv.Itoa(t.Rollbacks), Spec: t.spec, Upgrade: clone(&t.Upgrade)}
		hands := &t.e.o.Hands
		t.e.begin(t.ID, key, or(s.most, mostTime), func(ctx context.Context) (any, error) { return s.do(ctx, hands, c) })
	case f.done && f.err != nil:
		t.e.forget(key)
		t.failed(&s, f.err)
	case f.done:
		t.e.forget(key)
		s.then(t, f.answer)
	}
	t.beat()
}

// mostTime bounds an effect that has no bound of its own.
const mostTime = 10 * time.Minute

// flightKey names what is done in this stage, this time.
func (t *turn) flightKey() string {
	return t.ID + "#" + strconv.Itoa(t.Visit) + "." + strconv.Itoa(t.Tries)
}

// beat writes from time to time that its runner is there, while requests are held.
func (t *turn) beat() {
	if !t.forward() || t.State == continuity.UpgradeBaking {
		return
	}
	if due := t.Beat.Add(beatEvery); t.now.Before(due) {
		t.at(due)
		return
	}
	t.Beat = t.now
	t.mark("upgrade.beat")
}

// lost has it go back where its runner was away too long while customers waited, or
// where it takes longer than they may.
func (t *turn) lost() bool {
	if t.State == continuity.UpgradeBaking {
		return false
	}
	away := t.now.Sub(t.Beat)
	held := time.Duration(0)
	if t.Released.IsZero() && !t.Held.IsZero() && t.spec.Longest > 0 {
		held = t.now.Sub(t.Held)
		t.at(t.Held.Add(t.spec.Longest))
	}
	var why continuity.CheckReason
	switch {
	case away > t.spec.lost():
		why = continuity.CheckReason{Code: "upgrade.fault.lost", Args: map[string]any{"seconds": int(away.Seconds())}}
	case held > t.spec.Longest:
		why = continuity.CheckReason{Code: "upgrade.fault.long", Args: map[string]any{"minutes": int(held.Minutes())}}
	default:
		return false
	}
	if t.e.quiet(t.ID) {
		t.back(Problem{Class: continuity.UpgradeOperator, Reason: why})
	}
	return true
}

// looking is what is remembered of looks at this stage.
func (t *turn) looking() *looking {
	w := t.e.looks[t.ID]
	if w == nil {
		w = &looking{}
		t.e.looks[t.ID] = w
	}
	return w
}

// wait has the stage's effect done again after a while, without a word of it.
func (t *turn) wait() {
	w := t.looking()
	w.visit, w.again = t.Visit, t.now.Add(t.spec.every())
	t.at(w.again)
}

// paused is until when nothing is done.
func (t *turn) paused() time.Time {
	if w := t.looking(); w.visit == t.Visit && w.again.After(t.Again) {
		return w.again
	}
	return t.Again
}

const watchKey = "/watch"

// watch looks beside a stage at how it goes; what is found wrong several times in a
// row leads back.
func (t *turn) watch() bool {
	key, w := t.ID+watchKey, t.looking()
	f, there := t.e.flight(key)
	switch {
	case !there && t.now.Before(w.next):
		t.at(w.next)
	case !there:
		c := Call{Key: t.ID + watchKey, Spec: t.spec, Upgrade: clone(&t.Upgrade)}
		hands, live := t.e.o.Hands.Watch, !t.Released.IsZero()
		t.e.begin(t.ID, key, lookTime, func(ctx context.Context) (any, error) { return hands.Look(ctx, c, live) })
	case f.done:
		t.e.forget(key)
		w.next = t.now.Add(t.spec.every())
		t.at(w.next)
		problems, _ := f.answer.([]Problem)
		if f.err != nil || len(problems) == 0 { // what can't be looked at says nothing
			w.bad = 0
			return false
		}
		if w.bad++; w.bad < t.spec.patient() {
			return false
		}
		w.bad = 0
		if t.e.quiet(t.ID) {
			t.back(problems...)
			return true
		}
		w.bad = t.spec.patient() - 1 // an effect ends first
	}
	return false
}

// lookTime bounds one look.
const lookTime = time.Minute

// failed notes that an effect failed: it is tried again, then it leads back, or to a
// person.
func (t *turn) failed(s *stage, err error) {
	why := reasonOf(err)
	var wait *NotYet
	waits := errors.As(err, &wait)
	if waits {
		why = wait.Reason
	}
	pause, tired := tryAgain<<min(t.Tries, 5), t.Tries+1 >= mostFails
	if waits = waits || s.patience > 0; waits {
		pause, tired = t.spec.every(), t.now.Sub(t.since()) >= or(s.patience, t.spec.settle())
	}
	if !tired && waits && t.Trying != nil && t.Trying.Code == why.Code { // it is written down once
		t.wait()
		return
	}
	refusal := t.State == continuity.UpgradeRolling && isRefusal(err)
	t.Tries++
	t.Trying = &why
	if !tired && !refusal {
		t.Again = t.now.Add(pause)
		t.at(t.Again)
		t.mark("upgrade.again")
		return
	}
	problem := Problem{Class: or(s.class, continuity.UpgradeCompatibility), Reason: why}
	if isIntruder(err) {
		problem.Class = continuity.UpgradeSecurity
	}
	switch {
	case refusal && s.tired == nil:
		t.refused(problem)
	case s.tired != nil:
		s.tired(t, problem)
	case t.State == continuity.UpgradeRolling:
		t.onceMore(problem)
	case t.forward():
		t.back(problem)
	default:
		t.refuse(problem)
	}
}

// isRefusal reports whether an effect was refused, rather than that it failed: done again
// it would be refused again, until a person changes something.
func isRefusal(err error) bool {
	switch continuity.CodeOf(err) {
	case continuity.CodeInvalid, continuity.CodeForbidden, continuity.CodeScope, continuity.CodeConfig, continuity.CodeNotFound,
		continuity.CodeNoKey, continuity.CodeSecret, continuity.CodeApproval, continuity.CodeBackupPiece:
		return true
	}
	return false
}

// isIntruder reports whether somebody was refused for who they are: either they are not
// who they should be, or whoever refused them is not.
func isIntruder(err error) bool {
	switch continuity.CodeOf(err) {
	case continuity.CodeForbidden, continuity.CodeScope, continuity.CodeLogin:
		return true
	}
	return false
}

// refused has a person change what a way back was refused for. It is no rollback that was
// tried in vain.
func (t *turn) refused(p Problem) {
	t.to("wait")
	t.Asks = &p.Reason
	t.say("waiting", continuity.UrgencyPage)
}

// reasonOf says what an error says.
func reasonOf(err error) continuity.CheckReason {
	why := continuity.CheckReason{Code: "upgrade.fault.effect", Args: map[string]any{"why": string(continuity.CodeOf(err))}}
	var e *continuity.Error
	if errors.As(err, &e) {
		for name, v := range e.Args {
			why.Args[name] = v
		}
		if id, is := e.Args["detail_id"].(string); is {
			why.Code = id
		}
	}
	return why
}

// refuse goes back to where nothing has been touched: it can be begun again.
func (t *turn) refuse(problems ...Problem) {
	t.fault("", problems)
	t.to("ready")
	t.action = "upgrade.refused"
	t.say("refused", continuity.UrgencyNotice)
}

// fault notes what is wrong.
func (t *turn) fault(step string, problems []Problem) {
	f := &continuity.UpgradeFault{At: t.now, State: t.State, Stage: t.Stage, Step: step, Reasons: []continuity.CheckReason{}}
	for _, p := range problems {
		f.Data = f.Data || p.Data
		f.Reasons = append(f.Reasons, p.Reason)
		if f.Class == "" || p.Class == continuity.UpgradeSecurity || p.Data && f.Class != continuity.UpgradeSecurity {
			f.Class = p.Class
		}
	}
	t.Failure = f
}

// stopped does what a person wanted.
func (t *turn) stopped() {
	s := t.Stopping
	t.Stopping = nil
	why := Problem{Class: s.Class, Reason: continuity.CheckReason{Code: "upgrade.fault.stopped", Args: map[string]any{"by": s.By.ID, "why": s.Why}}}
	if t.forward() {
		t.back(why)
		return
	}
	t.fault("", []Problem{why})
	t.to("aborted")
	t.say("aborted", continuity.UrgencyNotice)
}
