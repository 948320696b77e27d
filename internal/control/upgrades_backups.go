package control

import (
	"context"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/upgrade"
)

// setRestorer brings sets of data back.
type setRestorer interface {
	// Away are the targets of a set that can't be asked now.
	Away(ctx context.Context, service, set string) ([]string, error)
	// Prepare makes a copy of a set at a moment, proves it and puts it beside the source
	// under an id. Done again it changes nothing.
	Prepare(ctx context.Context, service, set, id string, moment time.Time) error
	// Copy makes one of the newest backup of a set, to be tried things on, until done.
	Copy(ctx context.Context, service, set string) (address string, done func(), err error)
	// Switch puts what was prepared in the source's place. Done again it changes nothing.
	Switch(ctx context.Context, service, set, id string) error
}

// upgradeBackups are those of the sets that an upgrade may spoil.
type upgradeBackups struct{ node *Node }

// upgradeActor asks for backups.
var upgradeActor = continuity.Actor{Kind: continuity.ActorEngine, ID: "upgrade"}

// Ready implements upgrade.Backups: what is not fresh is captured now, and what is not
// proven is proven. Targets are asked, as nothing can be brought back to a moment that
// is safe nowhere.
func (u upgradeBackups) Ready(ctx context.Context, c upgrade.Call) (all []continuity.UpgradeSet, err error) {
	for _, id := range c.Spec.Sets {
		if u.node.restorer == nil && c.Spec.Data.Back != "" {
			return nil, continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.no-backups")
		}
		s, err := u.node.api.Backups.Set(ctx, c.Spec.Service, id)
		if err != nil {
			return nil, err
		}
		set := continuity.UpgradeSet{Set: id, Taken: s.Safe}
		if s.Full != nil {
			set.Backup = s.Full.Backup
			if set.Taken.IsZero() {
				set.Taken = s.Full.Taken
			}
		}
		if s.Proven != nil && s.Proven.Good && s.Full != nil && s.Proven.Backup == s.Full.Backup {
			set.Proven = s.Proven.Ended
		}
		away, err := u.away(ctx, c, id)
		if err != nil {
			return nil, err
		}
		if len(away) > 0 {
			set.Lacks = &continuity.CheckReason{Code: "upgrade.fault.set-away", Args: map[string]any{"set": id, "targets": strings.Join(away, ", ")}}
			all = append(all, set)
			continue
		}
		work := ""
		switch {
		case s.Full == nil, lacks(&s), time.Since(set.Taken) > c.Spec.Fresh:
			work = continuity.WorkFull
		case set.Proven.IsZero():
			work = continuity.WorkVerify
		}
		if work != "" {
			set.Lacks = &continuity.CheckReason{Code: "upgrade.fault.set-" + work, Args: map[string]any{"set": id}}
			if s.Asked == nil {
				if _, err := u.node.api.Backups.Ask(ctx, upgradeActor, c.Spec.Service, id, work, ""); err != nil {
					return nil, err
				}
			}
		}
		all = append(all, set)
	}
	return all, nil
}

func (u upgradeBackups) away(ctx context.Context, c upgrade.Call, set string) ([]string, error) {
	if u.node.restorer == nil {
		return nil, nil
	}
	ctx, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	return u.node.restorer.Away(ctx, c.Spec.Service, set)
}

// lacks says whether a target did not take the newest backup.
func lacks(s *keeping.SetShown) bool {
	return s.Captured != nil && slices.ContainsFunc(s.Captured.Targets, func(r continuity.TargetResult) bool { return r.Why.Code != "" })
}

// Moment implements upgrade.Backups: nothing changes while requests are held, so that
// it is one just after data was looked at, once everything before it is safe. Sets whose
// changes are not followed are captured now.
func (u upgradeBackups) Moment(ctx context.Context, c upgrade.Call) (time.Time, error) {
	at := c.Upgrade.Held
	if b := c.Upgrade.Before; b != nil && b.At.After(at) {
		at = b.At
	}
	at = at.Add(time.Second) // clocks of two machines differ a little
	for _, id := range c.Spec.Sets {
		s, err := u.node.api.Backups.Set(ctx, c.Spec.Service, id)
		if err != nil {
			return at, err
		}
		if !s.Safe.Before(at) {
			continue
		}
		if !s.Follows && s.Asked == nil {
			if _, err := u.node.api.Backups.Ask(ctx, upgradeActor, c.Spec.Service, id, continuity.WorkFull, ""); err != nil {
				return at, err
			}
		}
		return at, &upgrade.NotYet{Reason: continuity.CheckReason{Code: "upgrade.fault.set-moment", Args: map[string]any{"set": id}}}
	}
	return at, nil
}

// Restore implements upgrade.Backups.
func (u upgradeBackups) Restore(ctx context.Context, c upgrade.Call, moment time.Time) error {
	if err := u.each(c, func(set string) error { return u.node.restorer.Prepare(ctx, c.Spec.Service, set, c.Copy, moment) }); err != nil {
		return err
	}
	return u.note(ctx, c, false)
}

// Switch implements upgrade.Backups.
func (u upgradeBackups) Switch(ctx context.Context, c upgrade.Call) error {
	if err := u.each(c, func(set string) error { return u.node.restorer.Switch(ctx, c.Spec.Service, set, c.Copy) }); err != nil {
		return err
	}
	return u.note(ctx, c, true)
}

// note has people see, among restores, what stands beside the data from now on.
func (u upgradeBackups) note(ctx context.Context, c upgrade.Call, switched bool) error {
	r := continuity.Restore{ID: c.Copy, Service: c.Spec.Service, Upgrade: c.Upgrade.ID, Why: c.Upgrade.ID, Moment: c.Upgrade.Moment}
	if f := c.Upgrade.Failure; f != nil {
		r.Fault = f.At
	}
	for _, id := range c.Spec.Sets {
		r.Sets = append(r.Sets, continuity.RestoreSet{Set: id})
	}
	return u.node.restores.OfUpgrade(ctx, upgradeActor, r, switched)
}

func (u upgradeBackups) each(c upgrade.Call, do func(set string) error) error {
	if u.node.restorer == nil {
		return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.fault.no-backups")
	}
	for _, set := range c.Spec.Sets {
		if err := do(set); err != nil {
			return err
		}
	}
	return nil
}
