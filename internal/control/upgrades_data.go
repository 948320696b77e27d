package control

import (
	"context"
	"net"
	"slices"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/upgrade"
	datafigures "holdfast/internal/upgrade/figures"
	probesql "holdfast/internal/watch/probe/sql"
)

// upgradeData is the data that an upgrade works with.
type upgradeData struct{ node *Node }

// dataOf is the database that a plan compares, for reading only.
func (n *Node) dataOf(p *plan.Plan, r *plan.Rollout) (probesql.Opener, error) {
	dsn, err := n.o.Config.Source().ForPlan(refOf(&r.Data.DSN))
	if err != nil {
		return nil, err
	}
	return probesql.Lazily(dsn.Reveal(), outgoing.New(n.checks.policy.Narrow(p.Tech.Allow...), nil).DialContext), nil
}

// Picture implements upgrade.Store: all figures are of one moment.
func (u upgradeData) Picture(ctx context.Context, c upgrade.Call) (*continuity.UpgradePicture, error) {
	p, r, err := u.node.rollout(c)
	if err != nil {
		return nil, err
	}
	var data probesql.Opener
	if r.Data != nil {
		if data, err = u.node.dataOf(p, r); err != nil {
			return nil, err
		}
	}
	return u.picture(ctx, c, r, "", c.Upgrade.Before, data)
}

// picture is of the data, or of a copy.
func (u upgradeData) picture(ctx context.Context, c upgrade.Call, r *plan.Rollout, copied string, before *continuity.UpgradePicture, data probesql.Opener) (*continuity.UpgradePicture, error) {
	pic := &continuity.UpgradePicture{At: time.Now().UTC(), Figures: []continuity.UpgradeFigure{}}
	var err error
	if m := r.Migration; m != nil && m.Status != nil {
		if pic.Schema, err = u.node.order(ctx, m.Status, told{c.Upgrade.To, copied}, c.Key+"/status"); err != nil {
			return nil, err
		}
	}
	if r.Data == nil {
		return pic, nil
	}
	pic.Figures, err = datafigures.Take(ctx, data, binding.UpgradeData(r.Data, before != nil && before.Schema != pic.Schema))
	return pic, err
}

// Down implements upgrade.Store: migrations go back to the form of the version that it
// goes back to. Where data have that form already, nothing is done.
func (u upgradeData) Down(ctx context.Context, c upgrade.Call, schema string) error {
	_, r, err := u.node.rollout(c)
	if err != nil {
		return err
	}
	m := r.Migration
	if m == nil || m.Down == nil {
		return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.no-down")
	}
	ctx, done := context.WithTimeout(ctx, m.Within)
	defer done()
	is := func() (string, error) {
		return u.node.order(ctx, m.Status, told{version: c.Upgrade.To}, c.Key+"/status")
	}
	if now, err := is(); err != nil || now == schema && schema != "" {
		return err
	}
	if _, err = u.node.order(ctx, m.Down, told{version: c.Upgrade.Back.Version}, c.Key+"/down"); err != nil {
		return err
	}
	if now, err := is(); err != nil || now == schema {
		return err
	}
	return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.not-down", "want", schema)
}

// Rehearse implements upgrade.Store: a copy of the newest backup is migrated there and
// back, and compared with what it was. Where the commands are told of no copy, nobody
// has seen the way down lead back.
func (u upgradeData) Rehearse(ctx context.Context, c upgrade.Call) (*continuity.UpgradeRehearsal, error) {
	p, r, err := u.node.rollout(c)
	if err != nil {
		return nil, err
	}
	out := &continuity.UpgradeRehearsal{At: time.Now().UTC()}
	at := slices.IndexFunc(c.Spec.Sets, func(id string) bool {
		set := p.Captured(id)
		return set != nil && r.Data != nil && set.Kind == r.Data.Kind
	})
	if r.Migration == nil || !r.Migration.Rehearsed() || at < 0 || u.node.restorer == nil {
		out.NoDown = &continuity.CheckReason{Code: "upgrade.fault.not-rehearsed"}
		return out, nil
	}
	began := time.Now()
	copied, done, err := u.node.restorer.Copy(ctx, c.Spec.Service, c.Spec.Sets[at])
	if err != nil {
		return nil, err
	}
	defer done()
	out.Restore = time.Since(began)
	look := func(before *continuity.UpgradePicture) (*continuity.UpgradePicture, error) {
		return u.picture(ctx, c, r, copied, before, probesql.Lazily(copied, (&net.Dialer{}).DialContext))
	}
	before, err := look(nil)
	if err != nil {
		return nil, err
	}
	m := r.Migration
	began = time.Now()
	if _, err := u.node.order(ctx, &m.Up, told{c.Upgrade.To, copied}, c.Key+"/up"); err != nil {
		return nil, err
	}
	out.Up = time.Since(began)
	now, err := look(before)
	if err != nil {
		return nil, err
	}
	out.Findings = upgrade.Differ(before, now, false)
	if m.Down == nil || len(out.Findings) > 0 {
		return out, nil
	}
	began = time.Now()
	_, err = u.node.order(ctx, m.Down, told{c.Upgrade.From, copied}, c.Key+"/down")
	if out.Down = time.Since(began); err == nil {
		now, err = look(before)
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		out.Down, out.NoDown = 0, &continuity.CheckReason{Code: "upgrade.fault.down-fails"}
	case len(upgrade.Differ(before, now, true)) > 0:
		out.Down, out.NoDown = 0, &upgrade.Differ(before, now, true)[0]
	}
	return out, nil
}
