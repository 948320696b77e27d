package control

import (
	"cmp"
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/problem"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
)

// Orders are the checks that a node is to look at; their fingerprint changes with
// them.
func (c *checks) Orders(node string) ([]json.RawMessage, string, error) {
	var own []binding.Order
	for _, o := range c.said.Load().orders {
		if slices.Contains(o.Judged(c.node).Nodes, node) {
			own = append(own, o)
		}
	}
	slices.SortFunc(own, func(a, b binding.Order) int { return cmp.Compare(a.ID, b.ID) })
	h := fnv.New64a()
	var all []json.RawMessage
	for _, o := range own {
		text, err := json.Marshal(o)
		if err != nil {
			return nil, "", err
		}
		_, _ = h.Write(text)
		all = append(all, text)
	}
	return all, strconv.FormatUint(h.Sum64(), 36), nil
}

// Report takes what a probe node found.
func (c *checks) Report(ctx context.Context, node string, isolated bool, results []continuity.CheckResult) int {
	counted := c.board.Add(node, isolated, results)
	c.series.add(ctx, counted)
	return len(counted)
}

// Verdicts are those of all checks, by their ids.
func (c *checks) Verdicts() []watch.Verdict { return c.board.Verdicts() }

// Verdict is that of one check.
func (c *checks) Verdict(id string) (watch.Verdict, bool) { return c.board.Verdict(id) }

// About is what a plan says of a check.
func (c *checks) About(id string) (controlapi.CheckAbout, bool) {
	o, ok := c.said.Load().orders[id]
	if !ok {
		return controlapi.CheckAbout{}, false
	}
	about := controlapi.CheckAbout{
		Kind: o.Check.Kind(), Every: o.Every().Seconds(), Timeout: o.Check.Timeout.Seconds(), Name: o.Check.Name.En, NameZh: o.Check.Name.Zh,
		Down: int(o.Check.Down), Of: int(o.Check.Of), Up: int(o.Check.Up), Quorum: int(o.Check.Quorum),
		Skipped: c.looks.Skipped(id),
	}
	about.Heartbeat = o.Check.Heartbeat.Seconds()
	return about, true
}

// Look looks now, on this node.
func (c *checks) Look(ctx context.Context, id string) (continuity.CheckResult, []probe.Phase, error) {
	o, ok := c.said.Load().orders[id]
	if !ok {
		return continuity.CheckResult{}, nil, controlapi.NoCheck(id)
	}
	if nodes := o.Judged(c.node).Nodes; !slices.Contains(nodes, c.node) {
		return continuity.CheckResult{}, nil, continuity.E(continuity.CodeState, nil, problem.DetailID, "controlapi.looked-at-elsewhere", "id", id, "nodes", strings.Join(nodes, ", "))
	}
	phases, ctx := probe.Phases(ctx)
	result, err := c.looks.Look(ctx, id)
	return result, phases(), err
}

// Services are how services and their components fare.
func (c *checks) Services() []controlapi.ServiceStatus {
	states := map[string]map[string]continuity.CheckState{}
	for _, v := range c.board.Verdicts() {
		if states[v.Service] == nil {
			states[v.Service] = map[string]continuity.CheckState{}
		}
		states[v.Service][v.Check] = v.State
	}
	said := c.said.Load()
	var all []controlapi.ServiceStatus
	for service, parts := range said.parts {
		each, whole := watch.Statuses(parts, states[service])
		name := said.named[service]
		s := controlapi.ServiceStatus{Service: service, Status: string(whole), Name: name.En, NameZh: name.Zh, Components: []controlapi.ComponentStatus{}}
		for _, part := range parts {
			name := said.named[service+"/"+part.ID+"/component"]
			s.Components = append(s.Components, controlapi.ComponentStatus{Component: part.ID, Status: string(each[part.ID]), Name: name.En, NameZh: name.Zh})
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b controlapi.ServiceStatus) int { return cmp.Compare(a.Service, b.Service) })
	return all
}

// Beat takes a heartbeat of a check that waits for one.
func (c *checks) Beat(ctx context.Context, actor continuity.Actor, check string, beat probe.Beat) error {
	o, ok := c.said.Load().orders[check]
	switch {
	case !ok:
		return controlapi.NoCheck(check)
	case o.Check.Heartbeat == 0:
		return continuity.E(continuity.CodeState, nil, problem.DetailID, "controlapi.no-heartbeat", "id", check, "of", o.Check.Kind())
	}
	return c.beats.take(ctx, c.store, actor, o.Service, check, beat)
}
