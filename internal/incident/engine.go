package incident

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// Name is the engine's, as actor of its changes.
const Name = "incidents"

// The kinds of objects of others that the engine goes by.
const (
	kindWarning = "warning"
	kindReport  = "report"
	kindNotice  = "notice"
)

// Kinds are those that an Engine wants shown.
func Kinds() []string {
	return []string{
		continuity.KindIncident, continuity.KindTask, continuity.KindDeclaration, continuity.KindNotification, continuity.KindWindow,
		continuity.KindExercise, continuity.KindRoute, continuity.ObjectCheck, kindWarning, kindReport, kindNotice,
	}
}

// Options of an Engine and of Acts.
type Options struct {
	Plans Plans
	Duty  Duty
	Node  string
	// Known says whether there is a person; for Acts. nil: whoever is named is.
	Known func(ctx context.Context, person string) (bool, error)
}

// Engine does what plans say about incidents. It is a follow.Engine.
type Engine struct {
	o Options

	incidents map[string]*kept
	tasks     map[string]*keptTask // that are open
	asked     map[string]*declaration
	pages     map[string]*continuity.Notification // about incidents
	checks    map[string]continuity.JudgedCheck
	warnings  map[string]*continuity.Warning // that stand
	cleared   map[string]time.Time           // since when other warnings are over
	windows   map[string]*continuity.Window
	notices   map[string]notice // that were confirmed
	routes    map[string]*continuity.RouteSeen
	reports   []continuity.Report
	clocks    continuity.Clocks
}

type kept struct {
	continuity.Incident

	version int64
}

type keptTask struct {
	continuity.Task

	version int64
}

type declaration struct {
	continuity.Declaration

	version int64
	by      continuity.Actor
}

// notice is what the engine reads of a provider's notice.
type notice struct {
	Service  string `json:"service"`
	Provider string `json:"provider"`
	Type     string `json:"type"`
	State    string `json:"state"`
	Agreed   *struct {
		At    time.Time `json:"at"`
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"agreed"`
}

// New makes an engine.
func New(o Options) *Engine {
	e := &Engine{o: o}
	e.Reset()
	return e
}

// Reset implements follow.Engine.
func (e *Engine) Reset() {
	*e = Engine{
		o: e.o, incidents: map[string]*kept{}, tasks: map[string]*keptTask{}, asked: map[string]*declaration{},
		pages: map[string]*continuity.Notification{}, checks: map[string]continuity.JudgedCheck{}, warnings: map[string]*continuity.Warning{},
		cleared: map[string]time.Time{},
		windows: map[string]*continuity.Window{}, notices: map[string]notice{}, routes: map[string]*continuity.RouteSeen{}, clocks: continuity.Clocks{},
	}
}

// Show implements follow.Engine.
func (e *Engine) Show(kind, id string, version int64, body json.RawMessage, by continuity.Actor) error {
	switch kind {
	case continuity.KindIncident:
		k := &kept{version: version}
		return put(e.incidents, id, k, body, &k.Incident, true)
	case continuity.KindTask:
		k := &keptTask{version: version}
		err := put(e.tasks, id, k, body, &k.Task, true)
		if k.State != continuity.TaskOpen {
			delete(e.tasks, id)
		}
		return err
	case continuity.KindDeclaration:
		d := &declaration{version: version, by: by}
		err := put(e.asked, id, d, body, &d.Declaration, true)
		if d.Incident != "" {
			delete(e.asked, id)
		}
		return err
	case continuity.KindNotification:
		n := &continuity.Notification{}
		err := put(e.pages, id, n, body, n, true)
		if n.Urgency != continuity.UrgencyPage || !strings.HasPrefix(n.About, continuity.KindIncident+"/") {
			delete(e.pages, id)
		}
		return err
	case continuity.KindRoute:
		r := &continuity.RouteSeen{}
		return put(e.routes, id, r, body, r, true)
	case continuity.KindExercise:
		return e.clocks.Take(id, body)
	case continuity.ObjectCheck:
		var c continuity.JudgedCheck
		if body == nil {
			delete(e.checks, id)
			return nil
		}
		err := json.Unmarshal(body, &c)
		e.checks[id] = c
		return err
	case kindWarning:
		w := &continuity.Warning{}
		err := put(e.warnings, id, w, body, w, true)
		delete(e.cleared, id)
		if body != nil && !w.Stands() {
			delete(e.warnings, id)
			e.cleared[id] = w.Until
		}
		return err
	case continuity.KindWindow:
		w := &continuity.Window{}
		return put(e.windows, id, w, body, w, true)
	case kindReport:
		var r continuity.Report
		if body == nil {
			e.reports = slices.DeleteFunc(e.reports, func(r continuity.Report) bool { return r.ID == id })
			return nil
		}
		err := json.Unmarshal(body, &r)
		e.reports = append(e.reports, r)
		return err
	case kindNotice:
		var n notice
		delete(e.notices, id)
		if body == nil {
			return nil
		}
		err := json.Unmarshal(body, &n)
		if n.State == "confirmed" && n.Agreed != nil {
			e.notices[id] = n
		}
		return err
	}
	return nil
}

// put keeps an object, or forgets it where it is gone.
func put[T any](all map[string]T, id string, k T, body json.RawMessage, into any, keep bool) error {
	delete(all, id)
	if body == nil || !keep {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return err
	}
	all[id] = k
	return nil
}

// Step implements follow.Engine. It returns what is to become true of one incident at
// a time.
func (e *Engine) Step(ctx context.Context, now time.Time) (changes []continuity.Change, next time.Time, err error) {
	if changes := e.declared(ctx, now); len(changes) > 0 {
		return changes, next, nil
	}
	if changes := e.triggered(ctx, now); len(changes) > 0 {
		return changes, next, nil
	}
	due := soonest{}
	for _, id := range slices.Sorted(maps.Keys(e.incidents)) {
		k := e.incidents[id]
		rules, ok := e.o.Plans.Of(k.Service)
		if !ok {
			continue
		}
		d := &draft{engine: e, rules: rules, was: k.Incident, Incident: clone(k.Incident), version: k.version, now: now, due: &due}
		if e.clocks.Over(k.Exercise) {
			d.played()
		} else {
			d.look()
		}
		if changes := follow.Free(ctx, d.changes()); len(changes) > 0 {
			return changes, next, nil
		}
	}
	return nil, due.at, nil
}

// soonest is the earliest of some times.
type soonest struct{ at time.Time }

func (s *soonest) add(at time.Time) {
	if s.at.IsZero() || at.Before(s.at) {
		s.at = at
	}
}

// clone copies what a draft changes in place.
func clone(i continuity.Incident) continuity.Incident {
	i.Roles, i.Warned = maps.Clone(i.Roles), maps.Clone(i.Warned)
	i.Hits, i.Command, i.From, i.Downs = slices.Clone(i.Hits), slices.Clone(i.Command), slices.Clone(i.From), slices.Clone(i.Downs)
	if i.Roles == nil {
		i.Roles = map[string]continuity.Holder{}
	}
	if i.Warned == nil {
		i.Warned = map[string]time.Time{}
	}
	return i
}

// draft is an incident with what is about to become of it.
type draft struct {
	continuity.Incident

	engine  *Engine
	rules   *Rules
	was     continuity.Incident
	version int64
	now     time.Time
	due     *soonest

	action string
	reason string
	more   []continuity.Change
}

// mark says that the incident changed; the first thing that did names the event, and
// its reason has the others.
func (d *draft) mark(action, reason string) {
	if d.action == "" {
		d.action, d.reason = action, reason
		return
	}
	d.reason = strings.TrimSpace(d.reason + "; " + action + " " + reason)
}

// changes are what becomes true.
func (d *draft) changes() []continuity.Change {
	if d.action == "" {
		return d.more
	}
	d.Shown, d.Commander = d.engine.shown(d.Exercise, d.now), inCommand(d.rules, &d.Incident)
	return append([]continuity.Change{continuity.Set(continuity.KindIncident, d.ID, d.Service, d.version, "incident."+d.action, d.reason, d.Incident)}, d.more...)
}

// shown is what an exercise's clock shows; zero: it has none.
func (e *Engine) shown(exercise string, now time.Time) time.Time {
	return e.clocks.Shown(exercise, now)
}

// look sees what is due of an incident.
func (d *draft) look() {
	if d.Stands() {
		d.begins()
		d.impact()
		d.staff()
		d.clocks()
	} else if d.State != continuity.Merged && d.Unrestored() {
		d.operational()
	}
	d.tasks()
	if d.State != continuity.Merged {
		d.review()
	}
	d.leftovers()
}

// begins starts the runbook of the scenario, once.
func (d *draft) begins() {
	s := d.rules.Scenario(d.Scenario)
	if d.Run != "" || s == nil || s.Runbook == "" {
		return
	}
	d.Number++
	d.Run = below(d.ID, "run", d.Number)
	d.mark("run", s.Runbook)
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: Name, Via: d.engine.o.Node}
	d.more = append(d.more, continuity.NewRun(d.Run, d.Service, d.Plan, s.Runbook, continuity.KindIncident+"/"+d.ID, nil, by, d.now, d.Exercise))
}

// by says whether a time of the incident's schedules has come, and else has it looked
// at then.
func (d *draft) by(at time.Time) bool {
	clocks := d.engine.clocks
	if !clocks.At(d.Exercise, d.now).Before(at) {
		return true
	}
	if real, ok := clocks.Due(d.Exercise, at); ok {
		d.due.add(real)
	}
	return false
}

// tell has somebody told with the change.
func (d *draft) tell(n continuity.Notification, words string, args func(catalogue.Lang) catalogue.Args) string {
	return tell(&d.Incident, d.now, d.engine.shown(d.Exercise, d.now), n, words, args, &d.more)
}

// tell adds the change that has somebody told of an incident, and returns the id of
// the notification; where there is nobody to tell there is none.
func tell(i *continuity.Incident, now, shown time.Time, n continuity.Notification, words string, args func(catalogue.Lang) catalogue.Args, to *[]continuity.Change) string {
	if len(n.To) == 0 {
		return ""
	}
	i.Number++
	n.ID = below(i.ID, "n", i.Number)
	n.Service, n.About, n.At, n.Exercise, n.Shown = i.Service, continuity.KindIncident+"/"+i.ID, now, i.Exercise, shown
	n.Rank = rank(i.Grade)
	if n.Group != "" { // of two incidents each is told by itself, at once
		n.Group = i.ID + "/" + n.Group
	}
	n.Subject, n.Text = said("incident.tell."+words+".subject", i, args), said("incident.tell."+words+".text", i, args)
	*to = append(*to, continuity.Tell(n))
	return n.ID
}
