package control

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
	"holdfast/internal/warning"
)

// trafficOver is over how long the relay's figures are looked at.
const trafficOver = "1m"

// upgradeWatch looks at how upgrades go, against how it went before.
type upgradeWatch struct {
	node *Node
	from measure.Querier

	mu    sync.Mutex
	since map[string]time.Time // when a figure was first found wrong, in a row, by UPGRADE/FIGURE
}

func newUpgradeWatch(n *Node) *upgradeWatch {
	return &upgradeWatch{node: n, from: n.measures.ForRules(), since: map[string]time.Time{}}
}

// measureTraffic is the measure of figures of how a route fares.
const measureTraffic = "traffic"

// value asks for one number; of several the greatest counts.
func (w *upgradeWatch) value(ctx context.Context, expr string) (value float64, known bool, err error) {
	found, err := w.from.Query(ctx, expr, time.Now())
	for _, v := range found {
		if !math.IsNaN(v.Value) && (!known || v.Value > value) {
			value, known = v.Value, true
		}
	}
	return value, known, err
}

// traffic is how the upgrade's routes fare: ROUTE/failed, ROUTE/latency.
func (w *upgradeWatch) traffic(ctx context.Context, p *plan.Plan, c upgrade.Call) (map[string]float64, error) {
	all := map[string]float64{}
	for _, r := range c.Spec.Routes {
		for figure, m := range binding.UpgradeTraffic(p, r.Route, trafficOver) {
			for _, expr := range m.Exprs {
				v, known, err := w.value(ctx, expr)
				if err != nil {
					return nil, err
				}
				if known {
					all[r.Route+"/"+figure] = v
				}
			}
		}
	}
	return all, nil
}

// Baseline implements upgrade.Watch.
func (w *upgradeWatch) Baseline(ctx context.Context, c upgrade.Call) ([]continuity.UpgradeFigure, error) {
	p, r, err := w.node.rollout(c)
	if err != nil {
		return nil, err
	}
	figures := []continuity.UpgradeFigure{}
	add := func(of, kind string, v float64) {
		figures = append(figures, continuity.UpgradeFigure{Of: of, Measure: kind, Value: strconv.FormatFloat(v, 'g', -1, 64)})
	}
	now, err := w.traffic(ctx, p, c)
	if err != nil {
		return nil, err
	}
	for _, of := range sortedKeys(now) {
		add(of, measureTraffic, now[of])
	}
	for i := range r.Watch {
		v, known, err := w.value(ctx, r.Watch[i].Query)
		if err != nil {
			return nil, err
		}
		if known {
			add(r.Watch[i].ID, "watch", v)
		}
	}
	return figures, nil
}

// Look implements upgrade.Watch.
func (w *upgradeWatch) Look(ctx context.Context, c upgrade.Call, live bool) ([]upgrade.Problem, error) {
	p, r, err := w.node.rollout(c)
	if err != nil {
		return nil, err
	}
	before := map[string]float64{}
	for _, f := range c.Upgrade.Baseline {
		if v, err := strconv.ParseFloat(f.Value, 64); err == nil {
			before[f.Of] = v
		}
	}
	problems, err := w.fares(ctx, p, r, c, before)
	if err != nil || !live {
		return problems, err
	}
	found, err := w.rules(ctx, r, c, before)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(p.Upgrades, func(u plan.Upgrade) bool { return u.ID == c.Spec.ID })
	seen, err := w.named(ctx, p, p.Upgrades[at].Watch, c)
	return append(append(problems, found...), seen...), err
}

func problemOf(code string, pairs ...any) upgrade.Problem {
	args := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[pairs[i].(string)] = pairs[i+1]
	}
	return upgrade.Problem{Class: continuity.UpgradeCompatibility, Reason: continuity.CheckReason{Code: code, Args: args}}
}

// shortest is a latency of which nobody says that it is slow, in seconds.
const shortest = 0.02

// fares says where the relay finds more errors or slower answers than before.
func (w *upgradeWatch) fares(ctx context.Context, p *plan.Plan, r *plan.Rollout, c upgrade.Call, before map[string]float64) (all []upgrade.Problem, err error) {
	now, err := w.traffic(ctx, p, c)
	if err != nil {
		return nil, err
	}
	for _, route := range c.Spec.Routes {
		failing, slow := now[route.Route+"/failed"], now[route.Route+"/latency"]
		if was := before[route.Route+"/failed"]; failing > was+r.Traffic.Errors {
			all = append(all, problemOf("upgrade.watch.errors", "route", route.Route, "is", percent(failing), "was", percent(was)))
		}
		if was := before[route.Route+"/latency"]; was > 0 && slow > shortest && slow > was*r.Traffic.Slower {
			all = append(all, problemOf("upgrade.watch.slow", "route", route.Route, "is", millis(slow), "was", millis(was)))
		}
	}
	return all, nil
}

func percent(share float64) string  { return strconv.FormatFloat(share*100, 'f', 1, 64) + "%" }
func millis(seconds float64) string { return strconv.FormatFloat(seconds*1000, 'f', 0, 64) + " ms" }

// rules says which of the plan's own figures have been wrong for as long as they may.
func (w *upgradeWatch) rules(ctx context.Context, r *plan.Rollout, c upgrade.Call, before map[string]float64) (all []upgrade.Problem, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range r.Watch {
		rule := &r.Watch[i]
		key := c.Upgrade.ID + "/" + rule.ID
		v, known, err := w.value(ctx, rule.Query)
		if err != nil {
			return nil, err
		}
		was, measured := before[rule.ID]
		bad := known && (rule.Over != nil && v > *rule.Over || rule.Under != nil && v < *rule.Under || rule.Times != nil && measured && v > was**rule.Times)
		if !bad {
			delete(w.since, key)
			continue
		}
		if w.since[key].IsZero() {
			w.since[key] = time.Now()
		}
		if time.Since(w.since[key]) >= rule.For {
			all = append(all, problemOf("upgrade.watch.figure", "id", rule.ID, "is", short(v), "was", short(was)))
		}
	}
	return all, nil
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// named looks at the checks that the plan names, and at its warnings that came since the
// upgrade began.
func (w *upgradeWatch) named(ctx context.Context, p *plan.Plan, ids []string, c upgrade.Call) (all []upgrade.Problem, err error) {
	for _, id := range ids {
		at := slices.IndexFunc(p.Tech.Checks, func(k plan.Check) bool { return k.ID == id })
		if at >= 0 {
			via := p.Tech.Checks[at].Via
			if p.Tech.Checks[at].HTTP != "" {
				via = "direct" // while requests are held the way by the relay says nothing of the system
			}
			state, _ := (eyes{w.node}).check(ctx, p.ID, p.ID+"/"+id, via)
			if state == continuity.CheckDown || state == continuity.CheckUnknown {
				all = append(all, problemOf("upgrade.watch.check", "id", id, "state_text", "cli.check.state."+string(state)))
			}
			continue
		}
		for _, name := range []string{p.ID + "." + id, p.ID + ".slo." + id} {
			o, err := w.node.store.Get(ctx, warning.Kind, name)
			if continuity.CodeOf(err) == continuity.CodeNotFound {
				continue
			}
			var is continuity.Warning
			if err == nil {
				err = json.Unmarshal(o.Body, &is)
			}
			if err != nil {
				return nil, err
			}
			if is.Stands() && is.Since.After(c.Upgrade.Began) && !c.Upgrade.Began.IsZero() {
				all = append(all, problemOf("upgrade.watch.warning", "id", id))
			}
		}
	}
	return all, nil
}
