package control

import (
	"context"
	"slices"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
	"holdfast/internal/upgrade/precheck"
)

// upgradePrecheck looks whether an upgrade can be begun.
type upgradePrecheck struct{ node *Node }

// Check implements upgrade.Precheck.
func (u upgradePrecheck) Check(ctx context.Context, c upgrade.Call) ([]continuity.UpgradeFinding, error) {
	p, r, err := u.node.rollout(c)
	if err != nil {
		return nil, err
	}
	needs := binding.UpgradeNeeds(r)
	sources := precheck.Sources{
		Network: outgoing.New(u.node.checks.policy.Narrow(p.Tech.Allow...), nil),
		Program: func(ctx context.Context, id string) (string, error) {
			for i := range r.Needs.Programs {
				if r.Needs.Programs[i].ID == id {
					return u.node.order(ctx, &r.Needs.Programs[i].Shown, told{version: c.Upgrade.To}, c.Key+"/program-"+id)
				}
			}
			return "", continuity.E(continuity.CodeNotFound, nil)
		},
	}
	if r.Data != nil {
		sources.Kind = r.Data.Kind
		if sources.Database, err = u.node.dataOf(p, r); err != nil {
			return nil, err
		}
	}
	if len(needs.OnDuty) > 0 {
		if sources.People, err = u.onDuty(ctx, p); err != nil {
			return nil, err
		}
	}
	findings := precheck.Judge(needs, precheck.Gather(ctx, needs, sources))
	for _, id := range binding.UpgradeChecks(p, c.Spec.ID) {
		f := continuity.UpgradeFinding{ID: id, Level: continuity.FindingOK, Reason: continuity.CheckReason{Code: "upgrade.watch.up", Args: map[string]any{"id": id}}}
		if state, _ := eyes(u).check(ctx, p.ID, id, ""); state != continuity.CheckUp && state != continuity.CheckDegraded {
			f.Level = continuity.FindingBlock
			f.Reason = problemOf("upgrade.watch.check", "id", id, "state_text", "cli.check.state."+string(state)).Reason
		}
		findings = append(findings, f)
	}
	return findings, nil
}

// onDuty are the people who have roles now.
func (u upgradePrecheck) onDuty(ctx context.Context, p *plan.Plan) (people []precheck.Person, err error) {
	roles, err := u.node.api.OnCall.Now(ctx, p.ID, "", time.Now())
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		if r.Person == "" {
			continue
		}
		i := slices.IndexFunc(people, func(one precheck.Person) bool { return one.ID == r.Person })
		if i < 0 {
			i = len(people)
			people = append(people, precheck.Person{ID: r.Person})
		}
		people[i].OnDuty = append(people[i].OnDuty, r.Role)
	}
	return people, nil
}
