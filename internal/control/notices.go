package control

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/notices"
	"holdfast/internal/notices/kinds"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
)

// mostPacked is how much is read of a provider's document as it is sent.
const mostPacked = 8 << 20

// openNotices reads what providers announce, each source by one node at a time,
// and keeps what people say of it.
func (n *Node) openNotices(context.Context) error {
	reach := reach{n}
	desk := notices.New(notices.Options{
		Store: n.store, Node: n.name, Warnings: n.inbox, Open: kinds.New, Log: n.log,
		Tools: &notices.Tools{Client: reach.client, Dial: reach.dial, TLS: reach.tls, Now: time.Now},
	})
	n.jobs[notices.TimerRead], n.jobs[notices.TimerRaise] = desk.Look, desk.Raise
	n.api.Notices = desk
	later := n.o.Config.Source().Later
	take := func(plans []*plan.Plan) {
		services := make([]notices.Service, 0, len(plans))
		for _, p := range plans {
			services = append(services, binding.Notices(p, later))
		}
		desk.Set(services)
	}
	plans, _ := n.plansNow()
	take(plans) // before timers run: one of a source that is not known is put off
	n.background(func(ctx context.Context) { followPlans(ctx, n.plansNow, take) })
	n.whileLeading("notices", func(ctx context.Context, lease *continuity.Lease) {
		n.every(ctx, 5*time.Second, func(ctx context.Context) error { return desk.Ensure(ctx, lease) })
	})
	return nil
}

// reach is how sources reach the world: where the node may connect to, and of
// private addresses where their plan says.
type reach struct{ n *Node }

func (r reach) guard(s *notices.Spec) *outgoing.Guard {
	return outgoing.New(outgoing.NewPolicy(r.n.o.Config.Outgoing...).Narrow(s.Allow...), nil)
}

func (r reach) client(s *notices.Spec) (*http.Client, error) {
	config, err := r.tls(s, "")
	if err != nil {
		return nil, err
	}
	return r.guard(s).Client(outgoing.Options{TLS: config, Body: mostPacked}), nil
}

func (r reach) dial(s *notices.Spec) func(context.Context, string, string) (net.Conn, error) {
	return r.guard(s).DialContext
}

// tls is what a source's trust comes to.
func (r reach) tls(s *notices.Spec, host string) (*tls.Config, error) {
	return r.n.trusting(plan.Trust(s.Trust), host)
}
