package control

import (
	"context"
	"math"
	"slices"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/follow"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/runbook"
	"holdfast/internal/watch/probe"
)

// openRunbooks goes through runbooks.
func (n *Node) openRunbooks(context.Context) error {
	scripts, actions := scripts{n}, n.actions()
	wake := make(chan struct{}, 1)
	n.whileLeading("runbooks", func(ctx context.Context, _ *continuity.Lease) {
		engine := runbook.New(ctx, runbook.Options{
			Plans: scripts, Actions: actions, Eyes: eyes{n}, Log: n.log,
			Wake: func() {
				select {
				case wake <- struct{}{}:
				default: // it is woken already
				}
			},
		})
		defer engine.Close()
		follow.New(follow.Options{
			Store: n.store, Name: "runbook", Node: n.name, Kinds: runbook.Kinds, Wake: wake, Log: n.log, Refused: n.refused("runbook"),
			Lease: func() (continuity.Lease, bool) {
				if lease := n.leads(); lease != nil {
					return *lease, true
				}
				return continuity.Lease{}, false
			},
		}, engine).Run(ctx)
	})
	n.api.Runs = runsDesk{runbook.NewActs(runbook.ActsOptions{Store: n.store, Plans: scripts, Actions: actions, Now: time.Now})}
	return nil
}

// runsDesk shows runs to the API.
type runsDesk struct{ *runbook.Acts }

// Who implements controlapi.Runs: who decides on the node decides in each run.
func (runsDesk) Who(c controlapi.Caller) runbook.Who {
	return runbook.Who{Actor: c.Actor, All: c.Scopes.Has(access.IncidentsCommand)}
}

// scripts are the runbooks of plans.
type scripts struct{ node *Node }

// Script implements runbook.Plans.
func (s scripts) Script(ctx context.Context, service string, version int64, id string) (*runbook.Script, error) {
	if _, changed := s.node.plansNow(); changed == nil {
		return nil, continuity.E(continuity.CodeStarting, nil, "control", true) // no plan has been read yet
	}
	v, texts, err := s.node.plans.Files(ctx, service, version)
	if err != nil {
		return nil, err
	}
	p := s.node.planOf(service)
	if version != 0 || p == nil {
		var tech *plan.Source
		name := service + ".yaml"
		if texts.Tech != "" {
			tech = &plan.Source{Name: plan.TechName(name), Text: []byte(texts.Tech)}
		}
		// What can't be read of a version that held once is left out.
		p, _ = plan.Read(plan.Source{Name: name, Text: []byte(texts.Plan)}, tech, nil)
	}
	if p != nil {
		way := s.node.way()
		script, there := binding.Script(p, id, func(channel string) bool {
			_, _, ok := way.behind(p, "", channel)
			return ok
		})
		if there {
			script.Plan = v.Number
			return script, nil
		}
	}
	return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "runbook.invalid.runbook", "id", id, "service", service)
}

// way is how people and channels are reached.
func (n *Node) way() *router { return &router{node: n, senders: n.channels.senders} }

// eyes look for runbooks.
type eyes struct{ node *Node }

// Look implements runbook.Eyes.
func (e eyes) Look(ctx context.Context, service string, c *runbook.Condition) (bool, continuity.CheckReason) {
	if c.Query != "" {
		return e.query(ctx, c.Query)
	}
	state, why := e.check(ctx, service, c.Check, c.Via)
	return state == continuity.CheckUp || state == continuity.CheckDegraded, why
}

// query asks whether a question has a value that is not 0.
func (e eyes) query(ctx context.Context, expr string) (bool, continuity.CheckReason) {
	values, err := e.node.measures.Query(ctx, expr, time.Now())
	if err != nil {
		return false, continuity.CheckReason{Code: "runbook.look.query", Args: map[string]any{"why": string(continuity.CodeOf(err))}}
	}
	for _, v := range values {
		if v.Value != 0 && !math.IsNaN(v.Value) {
			return true, continuity.CheckReason{}
		}
	}
	return false, continuity.CheckReason{Code: "runbook.look.not-yet"}
}

// check looks at a check now, by the way that is wanted. One that this node can't look
// at is as the nodes judged it that do.
func (e eyes) check(ctx context.Context, service, id, via string) (continuity.CheckState, continuity.CheckReason) {
	p := e.node.planOf(service)
	if p == nil || p.Tech == nil {
		return continuity.CheckUnknown, continuity.CheckReason{Code: "runbook.look.no-check", Args: map[string]any{"check": id}}
	}
	at := slices.IndexFunc(p.Tech.Checks, func(c plan.Check) bool { return service+"/"+c.ID == id })
	if at < 0 {
		return continuity.CheckUnknown, continuity.CheckReason{Code: "runbook.look.no-check", Args: map[string]any{"check": id}}
	}
	var result continuity.CheckResult
	if c := p.Tech.Checks[at]; via == "" || via == c.Via || c.HTTP == "" {
		var err error
		if result, _, err = e.node.checks.Look(ctx, id); err != nil {
			v, _ := e.node.checks.Verdict(id)
			result.State, result.Reason = v.State, v.Reason
		}
	} else {
		result = e.other(ctx, p, c, via)
	}
	if result.Reason.Code == "" && result.State != continuity.CheckUp {
		result.Reason = continuity.CheckReason{Code: "runbook.look.state", Args: map[string]any{"check": id, "state": string(result.State)}}
	}
	return result.State, result.Reason
}

// other looks at a check by the other way than its own.
func (e eyes) other(ctx context.Context, p *plan.Plan, c plan.Check, via string) continuity.CheckResult {
	one, tech := *p, *p.Tech
	c.Via = via
	tech.Checks = []plan.Check{c}
	one.Tech = &tech
	orders := binding.Orders(&one)
	if len(orders) == 0 {
		return continuity.CheckResult{State: continuity.CheckUnknown}
	}
	checks := e.node.checks
	tools := probe.NewTools(checks.node, outgoing.New(checks.policy.Narrow(orders[0].Allow...), nil), nil, checks.beats.last)
	tools.MarkKey, tools.Logs = checks.mark, checks.logs
	ctx, cancel := context.WithTimeout(ctx, orders[0].Check.Timeout+time.Second)
	defer cancel()
	return lookOf(orders[0], tools, checks.secrets, checks.log).Run(ctx)
}
