package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/logs"
	"holdfast/internal/outgoing"
	"holdfast/internal/problem"
	"holdfast/internal/secret"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
)

// ProbeOptions say what a probe node is.
type ProbeOptions struct {
	Node     string
	Controls []*controlapi.Client
	Outgoing outgoing.Policy // what it may connect to; plans narrow it
	Logs     []string        // folders whose log files it may read
	Anchors  []string        // host:port that it reaches whenever its own network is well
	Secrets  secret.Source   // its own: none is ever sent to it
	Mark     []byte          // key that marks requests of checks; nil: none
	Logger   *slog.Logger
}

const (
	orderPause  = 5 * time.Second // how often a probe node asks for its checks
	reportPause = time.Second
	reportWait  = 10 * time.Second // for one report
	reportKept  = 10_000           // results that wait for a control node that does not answer
)

// RunProbe looks at what control nodes order, and reports to each of them what it
// asked for, until ctx is done. It keeps nothing: what can't be reported is lost,
// and the control node holds it for unknown.
func RunProbe(ctx context.Context, o ProbeOptions) error {
	// Nothing is kept of log files either: after a restart what is usual is learnt anew.
	files := logs.NewSet("", o.Logs...)
	defer files.Close()
	n := &probeNode{o: o, logs: files, tools: map[string]*probe.Tools{}, made: map[string]watch.Looker{}}
	looks, err := anchorsOf(o.Anchors, probe.NewTools(o.Node, outgoing.New(o.Outgoing, nil), nil, nil))
	if err != nil {
		return continuity.E(continuity.CodeInvalid, err)
	}
	n.anchors.Looks = looks
	n.looks = watch.NewScheduler(watch.Options{Node: o.Node, Deliver: n.deliver, Log: o.Logger})
	for _, c := range o.Controls {
		n.heads = append(n.heads, &head{client: c, node: n})
	}
	n.ctx = ctx
	var all sync.WaitGroup
	all.Go(func() { n.looks.Run(ctx) })
	for _, h := range n.heads {
		all.Go(func() { h.ask(ctx) })
		all.Go(func() { h.tell(ctx) })
	}
	all.Wait()
	return nil
}

// probeNode is a running probe node.
type probeNode struct {
	o       ProbeOptions
	ctx     context.Context
	looks   *watch.Scheduler
	anchors watch.Anchors
	logs    *logs.Set
	heads   []*head

	mu    sync.Mutex
	tools map[string]*probe.Tools
	made  map[string]watch.Looker // by key
}

// head is one control node.
type head struct {
	client *controlapi.Client
	node   *probeNode

	mu          sync.Mutex
	fingerprint string                   // of the orders
	orders      map[string]binding.Order // by key
	results     []continuity.CheckResult
	cut         bool
}

// keyOf tells checks apart that two control nodes order, which may be the same.
func keyOf(o binding.Order) string { return o.ID + "#" + o.Fingerprint() }

// ask fetches the orders of a control node again and again. While it does not
// answer, they hold on.
func (h *head) ask(ctx context.Context) {
	well := true
	for ctx.Err() == nil {
		asking, done := context.WithTimeout(ctx, reportWait)
		got, err := controlapi.FetchOrders(asking, h.client, h.node.o.Node, h.known())
		done()
		if ctx.Err() != nil {
			return
		}
		if well != (err == nil) {
			if well = err == nil; !well {
				h.node.o.Logger.Warn("a control node gives no orders", "code", continuity.CodeOf(err), "error", err, "says", problem.Of(err, catalogue.En).Title)
			}
		}
		if err == nil && !got.Unchanged {
			h.take(got)
		}
		pause(ctx, orderPause)
	}
}

func (h *head) known() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fingerprint
}

func (h *head) take(got controlapi.Orders) {
	orders := make(map[string]binding.Order, len(got.Orders))
	for _, text := range got.Orders {
		var o binding.Order
		if err := json.Unmarshal(text, &o); err != nil || o.Check == nil {
			h.node.o.Logger.Warn("an order can't be read", "error", err)
			continue
		}
		orders[keyOf(o)] = o
	}
	h.mu.Lock()
	h.fingerprint, h.orders = got.Fingerprint, orders
	h.mu.Unlock()
	h.node.o.Logger.Info("orders", "checks", len(orders))
	h.node.set()
}

// set looks at what any of the control nodes orders.
func (n *probeNode) set() {
	n.mu.Lock()
	defer n.mu.Unlock()
	var tasks []watch.Task
	made := map[string]watch.Looker{}
	for _, h := range n.heads {
		h.mu.Lock()
		orders := h.orders
		h.mu.Unlock()
		for key, o := range orders {
			if made[key] != nil {
				continue
			}
			look := n.made[key]
			if look == nil {
				look = keyed{lookOf(o, n.toolsFor(o), n.o.Secrets, n.o.Logger), key}
			}
			made[key] = look
			tasks = append(tasks, watch.Task{ID: key, Every: o.Every(), Closer: o.Closer(), Look: look})
		}
	}
	n.made = made
	n.looks.Set(tasks)
}

func (n *probeNode) toolsFor(o binding.Order) *probe.Tools {
	key := strings.Join(o.Allow, "\n")
	if n.tools[key] == nil {
		n.tools[key] = probe.NewTools(n.o.Node, outgoing.New(n.o.Outgoing.Narrow(o.Allow...), nil), nil, nil)
		n.tools[key].MarkKey, n.tools[key].Logs = n.o.Mark, n.logs
	}
	return n.tools[key]
}

// keyed has results bear the key of what was ordered.
type keyed struct {
	watch.Looker

	key string
}

func (k keyed) Run(ctx context.Context) continuity.CheckResult {
	r := k.Looker.Run(ctx)
	r.Check = k.key
	return r
}

// deliver gives each control node what it ordered. Bad news are believed only
// after a look at the anchors.
func (n *probeNode) deliver(results []continuity.CheckResult) {
	cut := watch.Suspect(results) && n.anchors.Cut(n.ctx)
	if cut {
		n.o.Logger.Warn("this node reaches none of its anchors; what it finds says nothing")
	}
	for _, h := range n.heads {
		h.mu.Lock()
		if cut != h.cut && len(h.results) > 0 { // one report says one thing of the node
			h.results = nil
		}
		h.cut = cut
		for _, r := range results {
			if _, ordered := h.orders[r.Check]; ordered && len(h.results) < reportKept {
				h.results = append(h.results, r)
			}
		}
		h.mu.Unlock()
	}
}

// tell reports what was found since the last report.
func (h *head) tell(ctx context.Context) {
	well := true
	for {
		pause(ctx, reportPause)
		if ctx.Err() != nil {
			return
		}
		report := h.report(time.Now())
		if len(report.Results) == 0 {
			continue
		}
		telling, done := context.WithTimeout(ctx, reportWait)
		_, err := controlapi.SendReport(telling, h.client, h.node.o.Node, report)
		done()
		if well != (err == nil) && ctx.Err() == nil {
			if well = err == nil; !well {
				h.node.o.Logger.Warn("a control node takes no reports", "code", continuity.CodeOf(err), "error", err, "says", problem.Of(err, catalogue.En).Title)
			}
		}
	}
}

func (h *head) report(now time.Time) controlapi.ProbeReport {
	h.mu.Lock()
	results, cut := h.results, h.cut
	h.results = nil
	h.mu.Unlock()
	report := controlapi.ProbeReport{Isolated: cut, Results: []controlapi.ProbeResult{}}
	for _, r := range results {
		id, _, _ := strings.Cut(r.Check, "#")
		report.Results = append(report.Results, controlapi.ProbeResult{
			Check: id, State: string(r.State), AgeMS: min(max(now.Sub(r.At), 0), controlapi.MostAge).Milliseconds(), TookMS: float64(min(r.Took, controlapi.MostAge)) / float64(time.Millisecond),
			Code: r.Reason.Code, Args: r.Reason.Args, Step: r.Reason.Step, Values: r.Values, ExpiresAt: r.CertExpires,
		})
	}
	return report
}
