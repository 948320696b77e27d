package control

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/exercise"
	"holdfast/internal/follow"
	"holdfast/internal/maintenance"
	"holdfast/internal/notices/calendars"
	"holdfast/internal/plan"
)

// openMaintenance leads services through the times in which they are worked on, and
// keeps the clocks of exercises.
func (n *Node) openMaintenance(context.Context) error {
	rules, world, figures := &windowRules{node: n}, windowWorld{n}, n.readFigures()
	engine := maintenance.New(maintenance.Options{Plans: rules, World: world, Measured: figures})
	follower := follow.New(follow.Options{
		Store: n.store, Name: "maintenance", Node: n.name, Kinds: maintenance.Kinds(), Log: n.log, Refused: n.refused("maintenance"),
		Lease: func() (continuity.Lease, bool) {
			if lease := n.leads(); lease != nil {
				return *lease, true
			}
			return continuity.Lease{}, false
		},
	}, engine)
	n.whileLeading("maintenance", func(ctx context.Context, _ *continuity.Lease) { follower.Run(ctx) })
	acts := maintenance.NewActs(maintenance.ActsOptions{Store: n.store, Plans: rules, World: world, May: n.mayOfWindows, Measured: figures})
	n.api.Windows, n.api.Courses = acts, acts
	n.api.Exercises = exercise.NewActs(n.store, time.Now)
	return nil
}

// windowRules are what the plans that hold say of maintenance.
type windowRules struct {
	node *Node
	mu   sync.Mutex
	of   map[string]windowRule
}

type windowRule struct {
	plan  *plan.Plan
	rules *maintenance.Rules
}

// Of implements maintenance.Plans.
func (w *windowRules) Of(service string) (*maintenance.Rules, bool) {
	h := w.node.plans.Holding()
	i := slices.IndexFunc(h.Plans, func(p *plan.Plan) bool { return p.ID == service })
	if i < 0 || h.Unread[service] {
		return nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known, ok := w.of[service]; ok && known.plan == h.Plans[i] {
		return known.rules, known.rules != nil
	}
	rules := binding.Maintenance(h.Plans[i])
	if rules != nil {
		ctx, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		_, applied, err := w.node.plans.Store.Numbers(ctx, service)
		if err != nil {
			return nil, false // asked again soon
		}
		rules.Plan = applied
	}
	if w.of == nil {
		w.of = map[string]windowRule{}
	}
	w.of[service] = windowRule{h.Plans[i], rules}
	return rules, rules != nil
}

// mayOfWindows says whether somebody may decide something of a service's windows: by
// their role on the node, or by the plan. A program's token decides nothing.
func (n *Node) mayOfWindows(ctx context.Context, by continuity.Actor, service, word string) error {
	if controlapi.Trusted(ctx) {
		return nil
	}
	p := n.planOf(service)
	if p != nil && controlapi.Person(ctx) {
		for _, role := range p.Roles {
			if slices.Contains(role.May, word) && slices.Contains(role.People, by.ID) {
				return nil
			}
		}
	}
	return continuity.E(continuity.CodeScope, nil, "detail_id", "maintenance.may", "name", by.ID, "service", service, "word", word)
}

// windowWorld is what windows are placed by.
type windowWorld struct{ node *Node }

// Busy implements maintenance.World.
func (w windowWorld) Busy(ctx context.Context, service string, in calendar.Window) (busy []maintenance.Busy, blind []string, err error) {
	shelf := w.node.api.Calendars
	entries, err := shelf.Between(ctx, service, "", in)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		busy = append(busy, maintenance.Busy{Busy: e.Busy, Calendar: e.Calendar, Kind: e.Kind})
	}
	for _, s := range shelf.States(service) {
		if s.State == calendars.Unknown {
			blind = append(blind, s.Calendar)
		}
	}
	return busy, blind, nil
}

// Bounds of how far back traffic is looked at.
const (
	trafficWeeks = 4
	week         = 7 * 24 * time.Hour
)

// Traffic implements maintenance.World: the live requests of the service's routes of
// the last weeks, by the hour of the week.
func (w windowWorld) Traffic(ctx context.Context, service string, zone *time.Location) (*maintenance.Traffic, error) {
	p := w.node.planOf(service)
	if p == nil {
		return nil, nil
	}
	var parts []string
	routes := binding.RelayRoutes(p)
	for _, relay := range sortedKeys(routes) {
		names := make([]string, len(routes[relay]))
		for i, id := range routes[relay] {
			names[i] = regexp.QuoteMeta(id)
		}
		parts = append(parts, fmt.Sprintf("sum(increase(holdfast_relay_requests_total{job=%q,instance=%q,route=~%q}[1h]))", binding.RelayJob, relay, strings.Join(names, "|")))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	to := time.Now().Truncate(time.Hour)
	sums := map[time.Time]float64{}
	for _, expr := range parts {
		rows, err := w.node.measures.Range(ctx, expr, to.Add(-trafficWeeks*week), to, time.Hour)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			for _, point := range row.Points {
				sums[point.At] += point.Value
			}
		}
	}
	return trafficOf(sums, to, zone), nil
}

// trafficOf sums hours, each known by its end, up by the hour of the week.
func trafficOf(sums map[time.Time]float64, to time.Time, zone *time.Location) *maintenance.Traffic {
	if len(sums) == 0 {
		return nil
	}
	t := &maintenance.Traffic{}
	var count [len(t.Hours)]int
	for end, sum := range sums {
		h := maintenance.HourOfWeek(end.Add(-30 * time.Minute).In(zone))
		t.Hours[h] += sum
		t.Known[h] = true
		count[h]++
		t.Weeks = max(t.Weeks, int((to.Sub(end)+week)/week))
	}
	for h := range t.Hours {
		if count[h] > 0 {
			t.Hours[h] /= float64(count[h])
		}
	}
	t.Weeks = min(t.Weeks, trafficWeeks)
	return t
}
