package control

import (
	"context"
	"crypto/tls"

	"holdfast/internal/binding"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
	"holdfast/internal/watch/probe"
)

// plansNow are the plans that hold, and when others do.
func (n *Node) plansNow() ([]*plan.Plan, <-chan struct{}) { return n.plans.Current() }

// followPlans hands on the plans that hold, at once and whenever others do, until
// ctx is done.
func followPlans(ctx context.Context, now func() ([]*plan.Plan, <-chan struct{}), take func([]*plan.Plan)) {
	for {
		plans, changed := now()
		take(plans)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func refOf(s *plan.Secret) secret.Ref { return secret.Ref{Name: s.Secret, Env: s.Env, File: s.File} }

// trusting is what a connection to a host is secured with, as with checks.
func (n *Node) trusting(t plan.Trust, host string) (*tls.Config, error) {
	tools := probe.NewTools(n.name, outgoing.New(outgoing.Policy{}, nil), nil, nil)
	tools, err := tools.Trusting(binding.Trust(t, n.o.Config.Source().Later))
	if err != nil {
		return nil, err
	}
	return tools.TLS(host), nil
}
