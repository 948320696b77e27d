package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Store is where state is kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
	Events(context.Context, continuity.EventQuery) ([]continuity.AuditEvent, string, error)
}

// By is who does something. Who is trusted decides in the place of those whom the
// plan names.
type By struct {
	Actor   continuity.Actor
	Trusted bool
}

// Acts are what people see of incidents and do in them, on any node.
type Acts struct {
	store Store
	o     Options
	now   func() time.Time
}

// NewActs makes them.
func NewActs(store Store, o Options, now func() time.Time) *Acts { return &Acts{store, o, now} }

// Kept is an incident with its version.
type Kept struct {
	continuity.Incident

	Version int64
}

// Query selects incidents.
type Query struct {
	Service string
	All     bool // those that are closed or merged, too
	Cursor  string
	Limit   int
}

// tries is how often a change is made anew that somebody else was faster than.
const tries = 10

// List returns a page of incidents by their ids; it may have fewer than asked for, as
// what is not selected is read with the others.
func (a *Acts) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	for next = q.Cursor; ; {
		objects, after, err := a.store.List(ctx, continuity.Query{Kind: continuity.KindIncident, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := read(o)
			if err != nil {
				return nil, "", err
			}
			if q.All || k.State != continuity.Closed && k.State != continuity.Merged {
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
	return k, json.Unmarshal(o.Body, &k.Incident)
}

// Get returns one incident.
func (a *Acts) Get(ctx context.Context, id string) (Kept, error) {
	o, err := a.store.Get(ctx, continuity.KindIncident, id)
	if err != nil {
		return Kept{}, err
	}
	return read(o)
}

// all are a service's incidents, those that are over included.
func (a *Acts) all(ctx context.Context, service string) (all []Kept, err error) {
	for cursor := ""; ; {
		page, next, err := a.List(ctx, Query{Service: service, All: true, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// RoleNames are what the plan calls the roles of an incident's service.
func (a *Acts) RoleNames(ctx context.Context, id string) (map[string]continuity.Text, error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := a.rules(k.Service)
	if err != nil {
		return nil, nil // its plan is gone: the roles are called by their ids
	}
	names := make(map[string]continuity.Text, len(r.Roles))
	for role := range r.Roles {
		names[role] = r.Roles[role].Name
	}
	return names, nil
}

// rules are what a service's plan says.
func (a *Acts) rules(service string) (*Rules, error) {
	if r, ok := a.o.Plans.Of(service); ok {
		return r, nil
	}
	return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "incident.unplanned", "value", service)
}

// shown is what the clock of an exercise shows; zero: it has none.
func (a *Acts) shown(ctx context.Context, exercise string, now time.Time) (time.Time, error) {
	if exercise == "" {
		return time.Time{}, nil
	}
	x, err := a.exercise(ctx, exercise)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return time.Time{}, nil
	}
	return x.At(now), err
}

func (a *Acts) exercise(ctx context.Context, id string) (x continuity.Exercise, err error) {
	o, err := a.store.Get(ctx, continuity.KindExercise, id)
	if err == nil {
		err = json.Unmarshal(o.Body, &x)
	}
	return x, err
}

// may refuses who may not do something by the plan.
func may(r *Rules, by By, what string) error {
	if by.Trusted || r.deputised(by.Actor.ID, what) || what == MayDeclare && by.Actor.Kind == "token" {
		return nil
	}
	return continuity.E(continuity.CodeScope, nil, "detail_id", "incident.may."+what, "name", by.Actor.ID, "service", r.Service)
}

// takesPart refuses who has no part in an incident: no role of the plan, and none that
// they were given.
func takesPart(r *Rules, i *continuity.Incident, by By) error {
	if by.Trusted || len(r.Roles) == 0 {
		return nil
	}
	for name, role := range r.Roles {
		if slices.Contains(role.People, by.Actor.ID) || i.Roles[name].Person == by.Actor.ID {
			return nil
		}
	}
	return continuity.E(continuity.CodeScope, nil, "detail_id", "incident.may.take-part", "name", by.Actor.ID, "service", r.Service)
}

// Asking is what somebody declares an incident with.
type Asking struct {
	Service  string
	Scenario string
	Grade    string
	Title    continuity.Text
	Hits     []string
	Started  time.Time
	Exercise string
	Why      string
}

// Declare makes an incident. Where one of the same scenario stands, it is named
// instead.
func (a *Acts) Declare(ctx context.Context, by By, ask Asking) (Kept, error) {
	r, err := a.rules(ask.Service)
	if err != nil {
		return Kept{}, err
	}
	if err := may(r, by, MayDeclare); err != nil {
		return Kept{}, err
	}
	ask.Why = strings.TrimSpace(ask.Why)
	switch {
	case ask.Scenario != "" && r.Scenario(ask.Scenario) == nil:
		return Kept{}, invalid("scenario", "value", ask.Scenario, "words", words(r.Scenarios, func(s Scenario) string { return s.ID }))
	case ask.Scenario == "" && ask.Title == (continuity.Text{}):
		return Kept{}, invalid("what")
	case ask.Why == "":
		return Kept{}, invalid("why")
	}
	if err := a.checkGrade(r, ask.Grade, ask.Hits); err != nil {
		return Kept{}, err
	}
	if ask.Exercise != "" {
		x, err := a.exercise(ctx, ask.Exercise)
		switch {
		case err != nil:
			return Kept{}, err
		case x.Over():
			return Kept{}, continuity.E(continuity.CodeState, nil, "detail_id", "exercise.ended", "id", x.ID)
		}
	}
	var last error
	for range tries {
		now := a.now().UTC()
		if ask.Started.After(now) {
			return Kept{}, invalid("started")
		}
		known, err := a.all(ctx, ask.Service)
		if err != nil {
			return Kept{}, err
		}
		for i := range known {
			if k := &known[i]; k.Stands() && ask.Scenario != "" && k.Scenario == ask.Scenario && k.Exercise == ask.Exercise {
				return Kept{}, refused("stands", "id", k.ID)
			}
		}
		shown, err := a.shown(ctx, ask.Exercise, now)
		if err != nil {
			return Kept{}, err
		}
		d := continuity.Declaration{
			Service: ask.Service, Scenario: ask.Scenario, Grade: ask.Grade, Title: ask.Title, Hits: ask.Hits, Started: ask.Started.UTC(),
			Exercise: ask.Exercise, Why: ask.Why, Origin: originOf(by),
		}
		if ask.Started.IsZero() {
			d.Started = now
		}
		i := fresh(r, &d, nextID(ask.Service, now, ids(known)), now, shown)
		given(&i, by, ask.Grade)
		k, err := a.commit(ctx, by, []continuity.Change{continuity.Set(continuity.KindIncident, i.ID, i.Service, continuity.VersionNew, "incident.declared", ask.Why, i)})
		if continuity.CodeOf(err) != continuity.CodeVersion {
			return k, err
		}
		last = err
	}
	return Kept{}, last
}

func originOf(by By) continuity.Origin {
	if by.Actor.Kind == "user" || by.Trusted {
		return continuity.Origin{Kind: "person", ID: by.Actor.ID}
	}
	return continuity.Origin{Kind: "api", ID: by.Actor.ID}
}

func ids(all []Kept) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := range all {
			if !yield(all[i].ID) {
				return
			}
		}
	}
}

func words[T any](all []T, id func(T) string) string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = id(all[i])
	}
	return strings.Join(out, ", ")
}

// checkGrade refuses a grade, or what is hit, that the plan does not know.
func (a *Acts) checkGrade(r *Rules, grade string, hits []string) error {
	if _, known := r.Grades[grade]; grade != "" && !known {
		return invalid("grade", "value", grade, "words", strings.Join(sortedKeys(r.Grades), ", "))
	}
	for _, id := range hits {
		if !r.knows(id) {
			all := words(r.Processes, func(p Process) string { return p.ID })
			return invalid("hits", "value", id, "words", all+", "+words(r.Components, func(c Component) string { return c.ID }))
		}
	}
	return nil
}

// commit makes changes true, the first of which is of the incident that is returned.
func (a *Acts) commit(ctx context.Context, by By, changes []continuity.Change) (Kept, error) {
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: by.Actor, Changes: changes})
	if err != nil {
		return Kept{}, err
	}
	return read(objects[0])
}

// editing is an incident that a person changes.
type editing struct {
	continuity.Incident

	acts  *Acts
	ctx   context.Context
	rules *Rules
	by    By
	now   time.Time
	time  time.Time // by which its schedules go
	shown time.Time
	more  []continuity.Change
}

// edit changes an incident in the version that the person saw, or in any.
func (a *Acts) edit(ctx context.Context, by By, id string, version int64, action, reason string, change func(*editing) error) (Kept, error) {
	reason = strings.TrimSpace(reason)
	var last error
	for range tries {
		k, err := a.Get(ctx, id)
		if err != nil {
			return k, err
		}
		if version != continuity.VersionAny && version != k.Version {
			return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindIncident, "id", id, "version", k.Version)
		}
		e := &editing{Incident: clone(k.Incident), acts: a, ctx: ctx, by: by, now: a.now().UTC()}
		if e.rules, _ = a.o.Plans.Of(k.Service); e.rules == nil {
			e.rules = &Rules{Service: k.Service}
		}
		if e.shown, err = a.shown(ctx, k.Exercise, e.now); err != nil {
			return k, err
		}
		e.time, e.Shown = e.now, e.shown
		if !e.shown.IsZero() {
			e.time = e.shown
		}
		if err := change(e); err != nil {
			return k, err
		}
		if len(e.rules.Roles) > 0 {
			e.Commander = inCommand(e.rules, &e.Incident)
		}
		first := continuity.Set(continuity.KindIncident, id, k.Service, k.Version, "incident."+action, reason, e.Incident)
		out, err := a.commit(ctx, by, append([]continuity.Change{first}, e.more...))
		if err == nil || continuity.CodeOf(err) != continuity.CodeVersion || version != continuity.VersionAny {
			return out, err
		}
		last = err
	}
	return Kept{}, cmp.Or(last, error(continuity.E(continuity.CodeBusy, nil)))
}

// stands refuses what can't be done any more once an incident is over.
func (e *editing) stands() error {
	if !e.Stands() {
		return refused("over", "id", e.ID, "state", e.State)
	}
	return nil
}

func (e *editing) tell(n continuity.Notification, words string, args func(catalogue.Lang) catalogue.Args) string {
	return tell(&e.Incident, e.now, e.shown, n, words, args, &e.more)
}
