package incident

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// fresh makes an incident of a declaration.
func fresh(r *Rules, d *continuity.Declaration, id string, now, shown time.Time) continuity.Incident {
	i := continuity.Incident{
		ID: id, Service: d.Service, Plan: r.Version, Scenario: d.Scenario, Title: d.Title, Grade: d.Grade, State: continuity.Investigating,
		Phase: continuity.PhaseActivation, Started: d.Started, Declared: now, Origin: d.Origin, Exercise: d.Exercise, Shown: shown,
		Hits: slices.Clone(d.Hits), Roles: map[string]continuity.Holder{}, Why: d.Why,
	}
	if s := r.Scenario(d.Scenario); s != nil {
		i.Partial, i.Scope = s.Partial, s.Scope
		if i.Grade == "" {
			i.Grade = s.Grade
		}
		if len(i.Hits) == 0 {
			i.Hits = slices.Clone(s.Hits)
		}
		if i.Title == (continuity.Text{}) {
			i.Title = s.Name
		}
	}
	if i.Grade == "" {
		i.Grade = r.mildest()
	}
	if i.Title == (continuity.Text{}) {
		i.Title = r.Name
	}
	if i.Started.IsZero() || i.Started.After(now) {
		i.Started = now
	}
	if !shown.IsZero() {
		if i.Began = shown.Add(i.Started.Sub(now)); !d.Began.IsZero() {
			i.Began, i.Learnt = d.Began, shown
		}
	}
	i.RTO, i.MTD = r.limits(i.Grade, i.Hits)
	return i
}

// nextID is the id of the next incident of a service in a year.
func nextID(service string, now time.Time, known func(yield func(id string) bool)) string {
	begin, most := fmt.Sprintf("%s-%d-", service, now.UTC().Year()), 0
	for id := range known {
		rest, ours := strings.CutPrefix(id, begin)
		if n, err := strconv.Atoi(rest); ours && err == nil {
			most = max(most, n)
		}
	}
	return begin + strconv.Itoa(most+1)
}

// rulesOf are a service's, or none where it has no plan.
func (e *Engine) rulesOf(service string) *Rules {
	if r, ok := e.o.Plans.Of(service); ok {
		return r
	}
	return &Rules{Service: service, Name: continuity.Text{En: service}}
}

// declared makes incidents of what other engines declared.
func (e *Engine) declared(ctx context.Context, now time.Time) []continuity.Change {
	for _, id := range slices.Sorted(maps.Keys(e.asked)) {
		asked := *e.asked[id]
		if changes := follow.Free(ctx, e.take(&asked, now)); len(changes) > 0 {
			return changes
		}
	}
	return nil
}

// take makes an incident of a declaration, or has it known which one it is about.
func (e *Engine) take(d *declaration, now time.Time) []continuity.Change {
	if e.clocks.Over(d.Exercise) { // it would be closed at once
		return []continuity.Change{continuity.Put(continuity.KindDeclaration, d.ID, d.Service, "declaration.dropped", nil)}
	}
	if same := e.standing(&d.Declaration); same != nil {
		d.Incident = same.ID
		return []continuity.Change{taken(d, "declaration.known", e.shown(d.Exercise, now))}
	}
	rules := e.rulesOf(d.Service)
	if d.Scenario == "" && d.Origin.Kind == continuity.KindWindow {
		d.Scenario = rules.overrun()
	}
	i := fresh(rules, &d.Declaration, nextID(d.Service, now, maps.Keys(e.incidents)), now, e.shown(d.Exercise, now))
	d.Incident = i.ID
	return []continuity.Change{
		continuity.Set(continuity.KindIncident, i.ID, i.Service, continuity.VersionNew, "incident.declared", d.Why, i), taken(d, "declaration.taken", i.Shown),
	}
}

// overrun is the scenario that begins where a window lasts too long; or nothing.
func (r *Rules) overrun() string {
	for i := range r.Scenarios {
		if r.Scenarios[i].Trigger.Window == "overruns" {
			return r.Scenarios[i].ID
		}
	}
	return ""
}

func taken(d *declaration, action string, shown time.Time) continuity.Change {
	d.Shown = shown
	return continuity.Set(continuity.KindDeclaration, d.ID, d.Service, d.version, action, "", d.Declaration)
}

// standing is the incident that a declaration is about already; nil: none.
func (e *Engine) standing(d *continuity.Declaration) *kept {
	for _, id := range slices.Sorted(maps.Keys(e.incidents)) {
		k := e.goesOn(e.incidents[id])
		if k == nil || !k.Stands() || e.incidents[id].Service != d.Service || e.incidents[id].Exercise != d.Exercise {
			continue
		}
		if e.incidents[id].Origin == d.Origin && d.Origin.ID != "" {
			return k
		}
	}
	return nil
}

// goesOn is the incident in which one that was merged goes on.
func (e *Engine) goesOn(k *kept) *kept {
	for n := 0; k != nil && k.State == continuity.Merged && n < 100; n++ {
		k = e.incidents[k.Into]
	}
	return k
}

// triggered declares what plans' triggers say, or opens it again.
func (e *Engine) triggered(ctx context.Context, now time.Time) []continuity.Change {
	for _, r := range e.o.Plans.All() {
		for n := range r.Scenarios {
			s := &r.Scenarios[n]
			if s.Trigger == (Trigger{}) {
				continue
			}
			if changes := follow.Free(ctx, e.trigger(r, s, now)); len(changes) > 0 {
				return changes
			}
		}
	}
	return nil
}

func (e *Engine) trigger(r *Rules, s *Scenario, now time.Time) []continuity.Change {
	last := e.last(r.Service, s.ID)
	var ended time.Time
	if last != nil {
		if last.Stands() {
			return nil
		}
		ended = later(last.Resolved, last.Closed)
	}
	f, fires := e.fires(r, s, ended, now)
	if !fires || last != nil && !f.once && !f.since.After(ended) {
		return nil
	}
	if last != nil && last.State == continuity.Resolved && !f.once {
		i := clone(last.Incident)
		reopen(&i, r, f.since, now, continuity.Actor{})
		i.Shown = e.shown(i.Exercise, now)
		return []continuity.Change{continuity.Set(continuity.KindIncident, i.ID, i.Service, last.version, "incident.reopened", f.origin.Kind+"/"+f.origin.ID, i)}
	}
	d := continuity.Declaration{Service: r.Service, Scenario: s.ID, Origin: f.origin, Started: f.since, Exercise: f.exercise, Why: f.why}
	i := fresh(r, &d, nextID(r.Service, now, maps.Keys(e.incidents)), now, e.shown(f.exercise, now))
	return []continuity.Change{continuity.Set(continuity.KindIncident, i.ID, i.Service, continuity.VersionNew, "incident.declared", f.origin.Kind+"/"+f.origin.ID, i)}
}

// sitting is how long after the end of an incident those who had its roles are still
// the ones to have them.
const sitting = 8 * time.Hour

// reopen makes an incident stand again, which is down since a time. What was reminded of
// while it stood is not told anew. Who had a role a short time ago has it still, and is
// paged to know of it, but for who opened it; the other roles are asked anew.
func reopen(i *continuity.Incident, r *Rules, since, now time.Time, by continuity.Actor) {
	i.Falls(since)
	recent := now.Sub(cmp.Or(i.Resolved, i.Closed)) <= sitting
	for role, h := range i.Roles {
		switch _, known := r.Roles[role]; {
		case !known || !recent || h.State != continuity.RoleTook || h.Person == "":
			delete(i.Roles, role)
		case h.Person != by.ID || by.Kind != "user":
			i.Roles[role] = continuity.Holder{Person: h.Person, State: continuity.RoleAsked, Since: now}
		}
	}
	i.State, i.Phase = continuity.Investigating, continuity.PhaseActivation
	i.Resolved, i.Restored, i.Again, i.Closed, i.Review, i.Reviewed = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	i.Causes, i.Summary, i.Despite = nil, "", ""
	i.Reopened++
	i.Commander = inCommand(r, i)
	maps.DeleteFunc(i.Warned, func(what string, _ time.Time) bool { return strings.HasPrefix(what, "review/") })
	i.RTO, i.MTD = r.limits(i.Grade, i.Hits)
}

// last is the newest incident of a scenario, or the one in which it goes on; drills
// don't count.
func (e *Engine) last(service, scenario string) (last *kept) {
	for _, k := range e.incidents {
		if k.Service == service && k.Scenario == scenario && k.Exercise == "" && (last == nil || k.Declared.After(last.Declared)) {
			last = k
		}
	}
	return e.goesOn(last)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
