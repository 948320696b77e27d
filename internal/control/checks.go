package control

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/logs"
	"holdfast/internal/measure"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
	"holdfast/internal/secret"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

// checks looks at what the plans say, judges what this node and probe nodes find,
// and puts the figures among the measures.
type checks struct {
	node    string
	log     *slog.Logger
	policy  outgoing.Policy
	secrets secret.Source
	beats   *beats
	store   beatStore
	series  *checkSeries
	board   *watch.Board
	looks   *watch.Scheduler
	anchors watch.Anchors
	logs    *logs.Set // nil: log files are not looked at

	mark []byte // key that marks requests of checks; nil: none

	said atomic.Pointer[said]

	// Only the one goroutine that takes up plans knows these.
	made  map[string]made         // looks of this node, by ids of checks
	tools map[string]*probe.Tools // by the private places that a plan may reach
}

// said is what the plans that hold say of checks. It does not change; other plans
// make another.
type said struct {
	orders map[string]binding.Order
	parts  map[string][]watch.Part // by services
	named  map[string]plan.Text    // checks and components as people call them
}

type made struct {
	fingerprint string // of the order
	look        watch.Looker
}

// appended is where figures go; *measure.DB takes them.
type appended interface {
	Append(context.Context, []measure.Sample) error
}

func newChecks(node string, policy outgoing.Policy, secrets secret.Source, figures appended, log *slog.Logger) *checks {
	c := &checks{
		node: node, log: log, policy: policy, secrets: secrets, beats: newBeats(), series: newCheckSeries(figures, log), board: watch.NewBoard(),
		made: map[string]made{}, tools: map[string]*probe.Tools{},
	}
	c.said.Store(&said{})
	c.looks = watch.NewScheduler(watch.Options{Node: node, Deliver: c.deliver, Log: log})
	return c
}

// anchored has the node look at places that it reaches whenever its own network
// is well.
func (c *checks) anchored(addresses []string) error {
	looks, err := anchorsOf(addresses, probe.NewTools(c.node, outgoing.New(c.policy, nil), nil, nil))
	c.anchors.Looks = looks
	return err
}

func anchorsOf(addresses []string, tools *probe.Tools) ([]watch.Looker, error) {
	var all []watch.Looker
	for _, address := range addresses {
		look, err := kinds.New(probe.Spec{ID: "anchor", Kind: "tcp", Target: address, Timeout: 3 * time.Second}, tools)
		if err != nil {
			return nil, err
		}
		all = append(all, look)
	}
	return all, nil
}

// run looks and judges until ctx is done.
func (c *checks) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { c.looks.Run(ctx) })
	all.Go(func() {
		ticker := time.NewTicker(2 * time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				c.series.add(ctx, c.board.Sweep())
			}
		}
	})
	all.Wait()
}

// follow takes up the plans that hold, whenever others do.
func (c *checks) follow(ctx context.Context, plans *planbook.Book) {
	// Reading thousands of checks takes memory that nobody needs afterwards.
	calm := time.AfterFunc(10*time.Second, debug.FreeOSMemory)
	defer calm.Stop()
	var unread map[string]bool
	current := func() ([]*plan.Plan, <-chan struct{}) {
		h := plans.Holding()
		unread = h.Unread
		return h.Plans, h.Changed
	}
	followPlans(ctx, current, func(current []*plan.Plan) {
		c.set(current, unread)
		calm.Reset(10 * time.Second)
	})
}

// set takes up plans, and of whose services not all of them can be read. What did not
// change goes on as it was.
func (c *checks) set(plans []*plan.Plan, unread map[string]bool) {
	s := &said{map[string]binding.Order{}, map[string][]watch.Part{}, map[string]plan.Text{}}
	var judged []watch.Judged
	var tasks []watch.Task
	looks, tools := map[string]made{}, map[string]*probe.Tools{}
	for _, p := range plans {
		s.parts[p.ID] = partsOf(p)
		for _, component := range p.Components {
			s.named[p.ID+"/"+component.ID+"/component"] = component.Name
		}
		s.named[p.ID] = p.Name
		for _, o := range binding.Orders(p) {
			s.orders[o.ID] = o
			s.named[o.ID] = o.Check.Name
			j := o.Judged(c.node)
			judged = append(judged, j)
			if !slices.Contains(j.Nodes, c.node) {
				continue
			}
			m := c.made[o.ID]
			key := strings.Join(o.Allow, "\n")
			if tools[key] = c.tools[key]; tools[key] == nil {
				tools[key] = probe.NewTools(c.node, outgoing.New(c.policy.Narrow(o.Allow...), nil), nil, c.beats.last)
				tools[key].MarkKey, tools[key].Logs = c.mark, c.logs
				c.tools[key] = tools[key]
			}
			if m.look == nil || m.fingerprint != j.Fingerprint {
				m = made{j.Fingerprint, lookOf(o, tools[key], c.secrets, c.log)}
			}
			looks[o.ID] = m
			tasks = append(tasks, watch.Task{ID: o.ID, Every: o.Every(), Closer: o.Closer(), Fingerprint: j.Fingerprint, Look: m.look})
		}
	}
	c.made, c.tools = looks, tools
	c.said.Store(s)
	c.board.Set(judged, unread)
	c.looks.Set(tasks)
	c.series.keep(context.Background(), judged)
}

// deliver judges what this node found. Bad news are believed only if its own
// network is well.
func (c *checks) deliver(results []continuity.CheckResult) {
	ctx := context.Background()
	cut := watch.Suspect(results) && c.anchors.Cut(ctx)
	if cut {
		c.log.Warn("this node reaches none of its anchors; what it finds is not counted", "node", c.node)
	}
	c.series.add(ctx, c.board.Add(c.node, cut, results))
}

func partsOf(p *plan.Plan) []watch.Part {
	var parts []watch.Part
	for _, component := range p.Components {
		part := watch.Part{ID: component.ID, DependsOn: component.DependsOn}
		for _, check := range component.Checks {
			part.Checks = append(part.Checks, p.ID+"/"+check)
		}
		parts = append(parts, part)
	}
	return parts
}
