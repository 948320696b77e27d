package control

import (
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/measure"
	"holdfast/internal/problem"
	"holdfast/internal/warning"
	"holdfast/internal/yamldoc"
)

// measuresDesk shows the node's measures to the API.
type measuresDesk struct{ *Node }

// Named implements controlapi.Measures.
func (d *measuresDesk) Named(service string) []controlapi.NamedMeasure {
	plans, _ := d.plansNow()
	all := []controlapi.NamedMeasure{}
	for _, p := range plans {
		if service != "" && p.ID != service {
			continue
		}
		measures := binding.Measures(p)
		for _, name := range slices.Sorted(maps.Keys(measures)) {
			all = append(all, controlapi.NamedMeasure{Service: p.ID, Name: name, Query: measures[name].Exprs[0]})
		}
	}
	return all
}

// Query implements controlapi.Measures.
func (d *measuresDesk) Query(ctx context.Context, expr string, at time.Time) ([]controlapi.MeasuredRow, error) {
	values, err := d.measures.Query(ctx, expr, at)
	rows := make([]controlapi.MeasuredRow, len(values))
	for i, v := range values {
		rows[i] = controlapi.MeasuredRow{Labels: v.Labels.Map(), Points: []controlapi.MeasuredPoint{{At: v.At, Value: finite(v.Value)}}}
	}
	return rows, err
}

// Range implements controlapi.Measures.
func (d *measuresDesk) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]controlapi.MeasuredRow, error) {
	if err := measure.CheckRange(from, to, step); err != nil {
		return nil, err
	}
	found, err := d.measures.Range(ctx, expr, from, to, step)
	rows := make([]controlapi.MeasuredRow, len(found))
	for i, r := range found {
		rows[i] = controlapi.MeasuredRow{Labels: r.Labels.Map(), Points: make([]controlapi.MeasuredPoint, len(r.Points))}
		for j, p := range r.Points {
			rows[i].Points[j] = controlapi.MeasuredPoint{At: p.At, Value: finite(p.Value)}
		}
	}
	return rows, err
}

func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// warningsDesk shows warnings to the API.
type warningsDesk struct{ *warning.Acts }

// Warnings implements controlapi.Warnings.
func (d warningsDesk) Warnings(ctx context.Context, q controlapi.WarningQuery) ([]controlapi.VersionedWarning, string, error) {
	page, next, err := d.List(ctx, warning.Query(q))
	out := make([]controlapi.VersionedWarning, len(page))
	for i, k := range page {
		out[i] = controlapi.VersionedWarning(k)
	}
	return out, next, err
}

// Warning implements controlapi.Warnings.
func (d warningsDesk) Warning(ctx context.Context, id string) (controlapi.VersionedWarning, error) {
	k, err := d.Get(ctx, id)
	return controlapi.VersionedWarning(k), err
}

// Confirm implements controlapi.Warnings.
func (d warningsDesk) Confirm(ctx context.Context, by continuity.Actor, id string, version int64, note string) (controlapi.VersionedWarning, error) {
	k, err := d.Acts.Confirm(ctx, by, id, version, note)
	return controlapi.VersionedWarning(k), err
}

// Dismiss implements controlapi.Warnings.
func (d warningsDesk) Dismiss(ctx context.Context, by continuity.Actor, id string, version int64, why string) (controlapi.VersionedWarning, error) {
	k, err := d.Acts.Dismiss(ctx, by, id, version, why)
	return controlapi.VersionedWarning(k), err
}

// signalsDesk hands what comes in to the inbox.
type signalsDesk struct {
	*warning.Inbox

	node *Node
}

// Report implements controlapi.Signals. The department is that of the person,
// where they are known.
func (d signalsDesk) Report(ctx context.Context, by continuity.Actor, r continuity.Report) (controlapi.Reported, error) {
	if err := d.planned(ctx, r.Service); err != nil {
		return controlapi.Reported{}, err
	}
	person, _, err := d.node.store.People().Get(ctx, r.By)
	switch code := continuity.CodeOf(err); {
	case err == nil && person.Department != "":
		r.Department = person.Department
	case err != nil && code != continuity.CodeNotFound && code != continuity.CodeInvalid:
		return controlapi.Reported{}, err
	}
	said, err := d.Inbox.Report(ctx, by, r)
	return controlapi.Reported(said), err
}

// planned refuses a service without a plan: nobody would look at its reports.
func (d signalsDesk) planned(ctx context.Context, service string) error {
	_, applied, err := d.node.plans.Store.Numbers(ctx, service)
	if applied != 0 || continuity.CodeOf(err) == continuity.CodeInvalid { // the inbox says what an id looks like
		return nil
	}
	if err != nil {
		return err
	}
	var known []string
	plans, _ := d.node.plansNow()
	for _, p := range plans {
		known = append(known, p.ID)
	}
	near, _ := yamldoc.Nearest(service, known)
	return continuity.E(continuity.CodeNotFound, nil, problem.DetailID, "warning.unplanned", "value", service, "near", near)
}

// Hooked implements controlapi.Signals.
func (d signalsDesk) Hooked(id string) bool {
	_, known := d.node.hook(id)
	return known
}

// Signed implements controlapi.Signals.
func (d signalsDesk) Signed(ctx context.Context, id string, head http.Header, body []byte) (bool, error) {
	hook, known := d.node.hook(id)
	if !known {
		return false, continuity.E(continuity.CodeNotFound, nil, "kind", "hook", "id", id)
	}
	return d.Inbox.Signed(ctx, hook, head, body)
}
