package control

import (
	"context"
	"encoding/json"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/runbook"
)

// backupEvery is how often it is looked at what became of a work that was asked for.
const backupEvery = 2 * time.Second

// backupAction has a backup made or proven, and waits for its end.
func (n *Node) backupAction(work string) runbook.Action {
	return runbook.Action{
		Again: true,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			set := c.Step.With["set"]
			asked, err := n.backups.Ask(ctx, c.Run.By, c.Run.Service, set, work, "")
			if err != nil {
				return backupFailed(set, err)
			}
			for {
				done, is, err := n.backups.Answer(ctx, c.Run.Service, set, asked.Asked)
				switch {
				case err != nil && ctx.Err() == nil:
					return backupFailed(set, err)
				case is && done.Why.Code != "":
					return runbook.Result{Output: jsonOf(done), Failed: &done.Why}
				case is:
					return runbook.Result{Output: jsonOf(map[string]any{"set": set, "backup": done.Backup, "taken": done.Taken, "bytes": done.Bytes})}
				}
				if pause(ctx, backupEvery); ctx.Err() != nil {
					return failed("ended")
				}
			}
		},
		Show: func(ctx context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
			set := c.Step.With["set"]
			shown, err := n.backups.Set(ctx, c.Run.Service, set)
			if err != nil {
				return what("backup", "set", set, "work", work, "now", "-"), lacking(backupFailed(set, err))
			}
			return what("backup", "set", set, "work", work, "now", shown.State), nil
		},
	}
}

func backupFailed(set string, err error) runbook.Result {
	why := keeping.Reason(err)
	return runbook.Result{Failed: &why, Output: jsonOf(map[string]any{"set": set})}
}

// restoreAction brings a set back over the original: what is restored takes its place
// once another person than who began the run has approved the restore.
func (n *Node) restoreAction() runbook.Action {
	return runbook.Action{
		Needs: "restore", Again: true,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			ctx = granted(ctx)
			set := c.Step.With["set"]
			var kept struct {
				Restore string `json:"restore"`
			}
			kept.Restore = keeping.RestoreIDOf(c.Run.Service, c.Run.ID+"/"+c.Step.ID)
			if err := c.Keep(ctx, jsonOf(kept)); err != nil {
				return failed("ended")
			}
			if _, err := n.restores.Restore(ctx, kept.Restore); continuity.CodeOf(err) == continuity.CodeNotFound {
				d := keeping.Draft{ID: kept.Restore, Service: c.Run.Service, Sets: []string{set}, Into: continuity.IntoOver, Why: "run " + c.Run.ID}
				if c.Run.About != "" {
					d.Incident = aboutIncident(c.Run)
				}
				if _, err = n.restores.Propose(ctx, c.Run.By, d); err != nil {
					return backupFailed(set, err)
				}
			} else if err != nil {
				return backupFailed(set, err)
			}
			return n.awaitRestore(ctx, c, kept.Restore, continuity.RestoreDone)
		},
		Undo: func(ctx context.Context, c runbook.Call) runbook.Result {
			ctx = granted(ctx)
			var kept struct {
				Restore string `json:"restore"`
			}
			if c.Undo == nil || json.Unmarshal(c.Undo, &kept) != nil {
				return runbook.Result{} // it never came to restoring
			}
			k, err := n.restores.Restore(ctx, kept.Restore)
			switch {
			case continuity.CodeOf(err) == continuity.CodeNotFound:
				return runbook.Result{}
			case err != nil:
				return backupFailed(c.Step.With["set"], err)
			case k.Switched.IsZero():
				if _, err = n.restores.Drop(ctx, c.Run.By, k.ID, k.Version); err != nil {
					return backupFailed(c.Step.With["set"], err)
				}
				return runbook.Result{}
			}
			// Where requests went on it waits for a second person, and may be told again.
			wanted := k.Undoing != nil || k.State == continuity.RestoreUndoing || k.State == continuity.RestoreUndone
			if !wanted {
				if _, err = n.restores.Undo(ctx, c.Run.By, k.ID, k.Version, "run "+c.Run.ID); err != nil {
					return backupFailed(c.Step.With["set"], err)
				}
			}
			return n.awaitRestore(ctx, c, k.ID, continuity.RestoreUndone)
		},
		Show: func(ctx context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
			set := c.Step.With["set"]
			choices, err := n.restores.Choices(ctx, c.Run.Service, []string{set}, time.Time{})
			if err == nil && len(choices) == 0 {
				err = continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.choice", "set", set, "backup", "")
			}
			if err != nil {
				return what("backup", "set", set, "work", "restore", "now", "-"), lacking(backupFailed(set, err))
			}
			return what("backup", "set", set, "work", "restore", "now", choices[0].Backup), nil
		},
	}
}

type grantedKey struct{}

// granted is for what a step does: that whoever began its run may, or somebody who may
// agreed, was seen to before.
func granted(ctx context.Context) context.Context {
	return context.WithValue(ctx, grantedKey{}, true)
}

// mayRestore says whether somebody may decide on bringing data back.
func (n *Node) mayRestore(ctx context.Context, by continuity.Actor, service, word string) error {
	if yes, _ := ctx.Value(grantedKey{}).(bool); yes {
		return nil
	}
	return n.mayOfWindows(ctx, by, service, word)
}

// awaitRestore waits until a restore has come to its end; it takes the original's place
// as soon as it is approved.
func (n *Node) awaitRestore(ctx context.Context, c runbook.Call, id, end string) runbook.Result {
	for {
		k, err := n.restores.Restore(ctx, id)
		switch {
		case err != nil && ctx.Err() == nil:
			return backupFailed(c.Step.With["set"], err)
		case err == nil && k.State == end:
			return runbook.Result{Output: jsonOf(map[string]any{"restore": id, "rto": k.RTO, "rpo": k.RPO})}
		case err == nil && k.Over():
			return failed("restore", "restore", id)
		case err == nil && k.State == continuity.RestoreReady && k.Approved != nil && end == continuity.RestoreDone:
			if _, err := n.restores.Switch(ctx, k.Approved.By, id, k.Version, ""); err != nil && continuity.CodeOf(err) != continuity.CodeVersion {
				return backupFailed(c.Step.With["set"], err)
			}
		}
		if pause(ctx, backupEvery); ctx.Err() != nil {
			return failed("ended")
		}
	}
}

// aboutIncident is the incident that a run is for, or nothing.
func aboutIncident(run *continuity.Run) string {
	const kind = continuity.KindIncident + "/"
	if len(run.About) > len(kind) && run.About[:len(kind)] == kind {
		return run.About[len(kind):]
	}
	return ""
}
