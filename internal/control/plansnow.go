package control

import (
	"crypto/tls"
	"net/url"

	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
	"holdfast/internal/watch/probe"
)

// plansNow are the plans that hold, and when others do.
func (n *Node) plansNow() ([]*plan.Plan, <-chan struct{}) { return n.plans.Current() }

// ownRules are the private addresses that a plan names.
func ownRules(p *plan.Plan) []outgoing.Rule {
	if p.Tech == nil {
		return nil
	}
	var rules []outgoing.Rule
	for _, text := range p.Tech.Allow {
		if rule, err := outgoing.ParseRule(text); err == nil { // what can't be read was told
			rules = append(rules, rule)
		}
	}
	return rules
}

func refOf(s *plan.Secret) secret.Ref { return secret.Ref{Name: s.Secret, Env: s.Env, File: s.File} }

// trustOf is what a connection to an address is secured with; nil: as usual.
func (n *Node) trustOf(t *plan.Trust, address string) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	trust := probe.Trust{Name: t.Name, CA: t.CA, Certificate: t.Certificate}
	if t.Key != "" {
		trust.Key = n.o.Config.Source().Later(secret.Ref{File: t.Key})
	}
	tools, err := probe.NewTools(n.name, outgoing.New(outgoing.Policy{}, nil), nil, nil).Trusting(trust)
	if err != nil {
		return nil, err
	}
	return tools.TLS(u.Hostname()), nil
}
