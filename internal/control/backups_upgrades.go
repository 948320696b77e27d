package control

import (
	"context"
	"errors"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// upgradeRestorer brings back what an upgrade spoiled, and makes copies to try it on.
type upgradeRestorer struct{ *vault }

func (v upgradeRestorer) find(service, id string) (keeping.Set, error) {
	sets, _ := setPlans{v.node}.Sets()
	for i := range sets {
		if sets[i].Service == service && sets[i].ID == id {
			return sets[i], nil
		}
	}
	return keeping.Set{}, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.set", "set", id, "service", service)
}

// best brings back the best that there is of a set at a moment; where that is not what was
// recorded, or can't be restored, another that reaches as far.
func (v upgradeRestorer) best(ctx context.Context, service, set, id, into string, moment time.Time) (keeping.Set, continuity.RestoredCopy, error) {
	s, err := v.find(service, set)
	if err != nil {
		return s, continuity.RestoredCopy{}, err
	}
	choices, err := v.Choices(ctx, s, moment)
	if err != nil {
		return s, continuity.RestoredCopy{}, err
	}
	if len(choices) == 0 || choices[0].State == string(backup.Refuted) {
		return s, continuity.RestoredCopy{}, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.choice", "set", set, "backup", "")
	}
	var errs []error
	for _, choice := range choices {
		if choice.State == string(backup.Refuted) || choice.Reaches.Before(choices[0].Reaches) || ctx.Err() != nil {
			continue
		}
		made, err := v.Bring(ctx, s, continuity.Restore{ID: id, Service: service, Into: into, Moment: moment}, choice, nil)
		if err == nil && made.Good {
			return s, made, nil
		}
		if err == nil {
			err = continuity.E(continuity.CodeBackupPiece, nil, "piece", choice.Backup, "cause", strings.Join(made.Differ, ", "))
		}
		errs = append(errs, err)
	}
	return s, continuity.RestoredCopy{}, errors.Join(append(errs, ctx.Err())...)
}

// Away implements setRestorer.
func (v upgradeRestorer) Away(ctx context.Context, service, set string) (away []string, err error) {
	s, err := v.find(service, set)
	if err != nil {
		return nil, err
	}
	h, err := v.Holdings(ctx, s)
	for _, r := range h.Away {
		away = append(away, r.Target)
	}
	return away, err
}

// Prepare implements setRestorer.
func (v upgradeRestorer) Prepare(ctx context.Context, service, set, id string, moment time.Time) error {
	_, _, err := v.best(ctx, service, set, id, continuity.IntoOver, moment)
	return err
}

// Copy implements setRestorer.
func (v upgradeRestorer) Copy(ctx context.Context, service, set string) (address string, done func(), err error) {
	id := "rehearsal-" + backup.NewID()
	s, _, err := v.best(ctx, service, set, id, continuity.IntoCopy, time.Time{})
	key := s.Key() + " " + id
	if err != nil {
		return "", nil, errors.Join(err, v.forget(key))
	}
	return v.address(key), func() {
		if err := v.forget(key); err != nil {
			v.node.log.Warn("a copy for a rehearsal was not ended well", "set", s.Key(), "error", err)
		}
	}, nil
}

// Switch implements setRestorer.
func (v upgradeRestorer) Switch(ctx context.Context, service, set, id string) error {
	s, err := v.find(service, set)
	if err != nil {
		return err
	}
	return v.vault.Switch(ctx, s, id)
}
