package control

import (
	"context"
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
	"holdfast/internal/problem"
	"holdfast/internal/warning"
)

// notifyDesk shows notifications to the API.
type notifyDesk struct {
	*notify.Acts

	node *Node
}

// Silence implements controlapi.Notifications: one of what does not exist would have
// people think that they are not told.
func (d notifyDesk) Silence(ctx context.Context, by continuity.Actor, s continuity.Silence) (notify.KeptSilence, error) {
	p := d.node.planOf(s.Service)
	if p == nil {
		return notify.KeptSilence{}, continuity.E(continuity.CodeNotFound, nil, "kind", "plan", "id", s.Service)
	}
	known := watched(p)
	for _, m := range s.Match {
		name := strings.TrimPrefix(m, s.Service+".")
		if slices.Contains(known, name) || foreign(name) {
			continue
		}
		_, err := d.node.store.Get(ctx, warning.Kind, s.Service+"."+name)
		switch {
		case continuity.CodeOf(err) == continuity.CodeNotFound:
			return notify.KeptSilence{}, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "notify.invalid.silence-match",
				"value", m, "service", s.Service, "known", strings.Join(known, ", "))
		case err != nil:
			return notify.KeptSilence{}, err
		}
	}
	return d.Acts.Silence(ctx, by, s)
}

// watched are the names of what a plan warns of, and of what that rests on.
func watched(p *plan.Plan) (all []string) {
	for i := range p.Components {
		all = append(all, p.Components[i].ID)
	}
	for i := range p.Warnings {
		all = append(all, p.Warnings[i].ID)
	}
	for i := range p.SLOs {
		all = append(all, continuity.FromSLO+"."+p.SLOs[i].ID)
	}
	if p.Tech != nil {
		for i := range p.Tech.Checks {
			all = append(all, p.Tech.Checks[i].ID)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// foreign reports whether a warning is named by somebody else, who may not have done
// so yet.
func foreign(name string) bool {
	source, rest, _ := strings.Cut(name, ".")
	return rest != "" && slices.Contains([]string{
		continuity.FromAlert, continuity.FromHook, continuity.FromNotice, continuity.FromStaff, continuity.FromNotify, continuity.FromBackup, continuity.FromEngine,
	}, source)
}
