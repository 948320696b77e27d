package keeping

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Bounds of works.
const (
	// atOnce is how many sets are captured at the same time, and of how many a backup is
	// proven: proving takes what a server takes, beside the node's work.
	atOnce, provenAtOnce = 4, 1
	firstRetry           = time.Minute
	mostRetry            = time.Hour
	firstHeldRetry       = 2 * time.Second // while requests are held
	mostHeldRetry        = time.Minute
	lookEvery            = 5 * time.Minute // at what the targets have
	pruneEvery           = 24 * time.Hour
	safeEvery            = 3 * time.Second // it is noted that changes are safe, at most
)

// turn is one look at a set.
type turn struct {
	e       *Engine
	set     *Set
	k       *kept
	now     time.Time
	next    time.Time
	changes []continuity.Change
}

func (t *turn) at(when time.Time) {
	if t.next.IsZero() || when.Before(t.next) {
		t.next = when
	}
}

// store has the set become what it is now in the turn's hands.
func (t *turn) store(action, reason string, more ...continuity.Change) {
	k := t.k
	t.changes = append(more, continuity.Set(continuity.KindBackupSet, k.ID, k.Service, k.version, action, reason, k.BackupSet))
}

func (t *turn) decide() {
	id := t.set.Key()
	known := t.e.sets[id]
	if known == nil {
		t.k = &kept{BackupSet: continuity.BackupSet{ID: id, Service: t.set.Service, Set: t.set.ID, Kind: t.set.Kind, Every: t.set.Every, Since: t.now}}
		t.store("backup-set.added", "")
		return
	}
	copied := *known
	t.k = &copied
	if t.k.Kind != t.set.Kind || t.k.Every != t.set.Every {
		t.k.Kind, t.k.Every = t.set.Kind, t.set.Every
		t.store("backup-set.changed", "")
		return
	}
	for _, step := range []func(){t.follow, func() { t.end(laneWork) }, func() { t.end(laneProof) }, t.looked, t.due, t.prove, t.look} {
		if step(); t.changes != nil {
			return
		}
	}
}

// end takes up what came of a work, and what a node that died left of one.
func (t *turn) end(lane string) {
	running := t.k.lane(lane)
	if *running == nil {
		return
	}
	work := **running
	f, there := t.e.flight(t.k.ID, lane)
	switch {
	case there && !f.done:
		return
	case !there && t.e.began[t.k.ID+lane].Equal(work.Started): // its start is stored now
		delete(t.e.began, t.k.ID+lane)
		t.fly(lane, work)
		return
	case !there:
		t.failed(running, work, continuity.CheckReason{Code: interrupted})
		return
	}
	*running = nil
	if f.out.err != nil {
		t.failed(running, work, Reason(f.out.err), t.take(f.out.holdings)...)
		return
	}
	work.Ended = t.now
	action := "backup-set." + work.Work
	switch work.Work {
	case continuity.WorkVerify:
		v := f.out.verdict
		work.Backup, work.Taken, work.Good = v.Piece, v.Taken, v.Proven.Good
		if t.k.Proven = &work; work.Good {
			t.k.Waits = t.waiting(v.Piece)
		} else {
			work.Why = continuity.CheckReason{Code: "keeping.why.differs", Args: map[string]any{"backup": v.Piece, "what": strings.Join(v.Proven.Differ, ", "), "code": string(v.Proven.Failed)}}
			action = "backup-set.refuted"
		}
	case continuity.WorkPrune:
		t.k.Pruned = t.now
	default:
		m := f.out.captured.Manifest
		work.Backup, work.Taken, work.Bytes, work.Targets = m.ID, m.Taken, m.Bytes, f.out.captured.Targets
		t.k.Captured = &work
		if m.Base == "" || m.Base == m.ID {
			full := work
			t.k.Full, t.k.Due = &full, t.set.NextFull(full.Started)
			if t.k.Waits.IsZero() {
				t.k.Waits = t.now
			}
		}
	}
	if t.k.Failing != nil && t.k.Failing.Work == work.Work {
		t.k.Failing = nil
	}
	t.answer(work)
	t.store(action, "", t.take(f.out.holdings)...)
}

// answer tells whoever asked for a work what became of it.
func (t *turn) answer(work continuity.BackupWork) {
	if asked := t.k.Asked; asked != nil && asked.Work == work.Work && asked.Asked.Equal(work.Asked) {
		t.k.Asked, t.k.Answered = nil, &work
	}
}

func (t *turn) failed(running **continuity.BackupWork, work continuity.BackupWork, why continuity.CheckReason, more ...continuity.Change) {
	*running = nil
	work.Ended, work.Why, work.Tries = t.now, why, t.tries(work.Work)+1
	t.k.Failing = &work
	if why.Code != interrupted { // which is begun anew
		t.answer(work)
	}
	t.store("backup-set.failed", why.Line(), more...)
}

// tries is how often in a row a work failed.
func (t *turn) tries(work string) int {
	if before := t.k.Failing; before != nil && before.Work == work {
		return before.Tries
	}
	return 0
}

// waiting is since when the oldest full backup waits for its proof that is newer than
// one that was proven.
func (t *turn) waiting(proven string) time.Time {
	if full := t.k.Full; full != nil && full.Backup != proven && !t.covers(proven, full.Backup) {
		return full.Ended
	}
	return time.Time{}
}

// covers says whether a piece follows on a full one.
func (t *turn) covers(piece, full string) bool {
	b, there := t.e.backups[t.k.ID+"/"+piece]
	return there && b.Base == full
}

// due begins a capture, or the removal of what need not be kept.
func (t *turn) due() {
	if t.k.Running != nil {
		return
	}
	work := continuity.BackupWork{Started: t.now}
	switch asked, due := t.k.Asked, t.dueFull(); {
	case asked != nil && asked.Work != continuity.WorkVerify:
		work.Work, work.By, work.Asked = asked.Work, asked.By, asked.Asked
	case t.held():
		return
	case !t.now.Before(due):
		work.Work = continuity.WorkFull
	case t.set.Deltas && t.k.Captured != nil && !t.now.Before(t.k.Captured.Started.Add(t.set.Every)):
		work.Work = continuity.WorkDelta
	case t.k.Full != nil && t.k.Proven != nil && t.k.Proven.Good && !t.now.Before(t.k.Pruned.Add(pruneEvery)):
		work.Work = continuity.WorkPrune
	default:
		t.at(due)
		if t.set.Deltas && t.k.Captured != nil {
			t.at(t.k.Captured.Started.Add(t.set.Every))
		}
		return
	}
	if t.e.flying(continuity.WorkFull) >= atOnce && work.Work == continuity.WorkFull {
		return // asked again when one has ended
	}
	if t.k.Due.IsZero() || !t.k.Due.After(t.now) {
		t.k.Due = t.set.NextFull(t.now)
	}
	t.launch(laneWork, work)
}

// dueFull is when the next full backup is due: at once where there is none.
func (t *turn) dueFull() time.Time {
	if t.k.Full == nil {
		return t.k.Since
	}
	return t.set.NextFull(t.k.Full.Started)
}

// held says that what failed is not tried again yet.
func (t *turn) held() bool {
	f := t.k.Failing
	if f == nil || f.Work == continuity.WorkVerify {
		return false
	}
	return t.before(again(f))
}

// before says that a moment is still to come, and has it looked then.
func (t *turn) before(when time.Time) bool {
	if t.now.Before(when) {
		t.at(when)
		return true
	}
	return false
}

// again is when what failed is tried anew: at once where its node died, unless it dies of
// it again and again.
func again(f *continuity.BackupWork) time.Time {
	if f.Why.Code == interrupted && f.Tries <= 3 {
		return f.Ended
	}
	return f.Ended.Add(backoff(f.Tries))
}

const interrupted = "keeping.why.interrupted"

// backoff is how long after so many failures it is tried again. It grows the same way
// each time, as a set is decided upon again and again meanwhile.
func backoff(tries int) time.Duration {
	wait := firstRetry
	for i := 1; i < tries && wait < mostRetry; i++ {
		wait *= 2
	}
	return min(wait, mostRetry)
}

// prove begins the restore that proves the newest backup.
func (t *turn) prove() {
	if t.k.Proving != nil || t.k.Full == nil {
		return
	}
	work := continuity.BackupWork{Work: continuity.WorkVerify, Started: t.now}
	asked := t.k.Asked
	switch {
	case asked != nil && asked.Work == continuity.WorkVerify:
		work.By, work.Asked, work.Backup = asked.By, asked.Asked, asked.Backup
	case t.unproved():
		if f := t.k.Failing; f != nil && f.Work == continuity.WorkVerify && t.before(again(f)) {
			return
		}
	default:
		return
	}
	if t.e.flying(continuity.WorkVerify) >= provenAtOnce {
		return
	}
	t.launch(laneProof, work)
}

// unproved says whether something is there to be proven: a full backup that nobody has
// restored, a chain that has grown for a day, or one that was proven long ago.
func (t *turn) unproved() bool {
	p := t.k.Proven
	switch {
	case p == nil:
		return true
	case !p.Good: // a refuted one is tried again, and is what it is meanwhile
		return p.Backup != t.k.Full.Backup || !t.before(p.Ended.Add(provenWithin))
	case p.Backup != t.k.Full.Backup && !t.covers(p.Backup, t.k.Full.Backup):
		return true
	}
	due := p.Started.Add(max(t.set.Verify, provenWithin))
	if t.set.Deltas && t.k.Captured.Backup != p.Backup {
		due = p.Started.Add(provenWithin / 2)
	}
	return !t.before(due)
}

// launch stores that a work begins; it begins when that is stored.
func (t *turn) launch(lane string, work continuity.BackupWork) {
	work.Started = t.now.Truncate(time.Microsecond)
	*t.k.lane(lane) = &work
	t.e.began[t.k.ID+lane] = work.Started
	t.store("backup-set.began", work.Work)
}

// fly has a work done whose start is stored.
func (t *turn) fly(lane string, work continuity.BackupWork) {
	set, vault := *t.set, t.e.o.Vault
	t.e.begin(t.set, lane, work.Work, work.Started, t.tries(work.Work), func(ctx context.Context, f *flight) (out outcome) {
		switch work.Work {
		case continuity.WorkVerify:
			out.verdict, out.err = vault.Verify(ctx, set, work.Backup, t.e.report(f))
		case continuity.WorkPrune:
			_, out.err = vault.Prune(ctx, set)
		default:
			out.captured, out.err = vault.Capture(ctx, set, work.Work, t.e.report(f))
		}
		if ctx.Err() == nil {
			if h, err := vault.Holdings(ctx, set); err == nil {
				out.holdings = &h
			}
		}
		return out
	})
}

// follow keeps the following of changes going.
func (t *turn) follow() {
	f, there := t.e.flight(t.k.ID, laneFollow)
	switch {
	case !t.set.Follow:
		if !there && t.k.Follow != nil {
			t.k.Follow = nil
			t.store("backup-set.follow-ended", "")
		}
		return
	case there && f.done:
		tries := 1
		if t.k.Follow != nil && t.k.Follow.Failing && !f.well {
			tries = t.k.Follow.Tries + 1
		}
		t.e.forget(t.k.ID, laneFollow)
		t.k.Follow = &continuity.Followed{Since: t.now, Failing: true, Why: Reason(f.out.err), Tries: tries}
		t.store("backup-set.follow-failed", t.k.Follow.Why.Code)
		return
	case there && f.well && (t.k.Follow == nil || t.k.Follow.Failing):
		t.k.Follow = &continuity.Followed{Since: t.now}
		t.store("backup-set.follow-goes", "")
		return
	case there:
		return
	}
	before := 0
	if fo := t.k.Follow; fo != nil && fo.Failing {
		before = fo.Tries
		if t.before(fo.Since.Add(min(time.Second<<min(fo.Tries-1, 8), time.Minute))) {
			return
		}
	}
	set, e := *t.set, t.e
	e.begin(t.set, laneFollow, continuity.WorkFollow, t.now, before, func(ctx context.Context, f *flight) outcome {
		var noted time.Time
		err := e.o.Vault.Follow(ctx, set, func(at time.Time) {
			now := e.o.Now()
			e.mu.Lock()
			first := !f.well
			f.well = true
			e.mu.Unlock()
			if first {
				e.o.Wake()
			} else if now.Sub(noted) < safeEvery {
				return
			}
			if err := e.o.Saw(ctx, continuity.KindBackupSet, set.Key(), at); err == nil {
				noted = now
			}
		})
		if err == nil {
			err = errEnded
		}
		return outcome{err: err}
	})
}

var errEnded = errors.New("keeping: following ended by itself")

// workLook is no work that a set tells of.
const workLook = "look"

// look has it looked what the targets have, from time to time.
func (t *turn) look() {
	if _, there := t.e.flight(t.k.ID, laneLook); there || t.k.Captured == nil && t.k.Follow == nil || t.k.Running != nil || t.k.Proving != nil {
		return
	}
	if t.before(t.e.began[t.k.ID+laneLook].Add(lookEvery)) {
		return
	}
	t.e.began[t.k.ID+laneLook] = t.now
	set, vault := *t.set, t.e.o.Vault
	t.e.begin(t.set, laneLook, workLook, t.now, 0, func(ctx context.Context, _ *flight) (out outcome) {
		h, err := vault.Holdings(ctx, set)
		if err == nil {
			out.holdings = &h
		}
		return outcome{holdings: out.holdings, err: err}
	})
}

// looked takes up what was found.
func (t *turn) looked() {
	f, there := t.e.flight(t.k.ID, laneLook)
	if !there || !f.done {
		return
	}
	if f.out.holdings == nil {
		t.e.forget(t.k.ID, laneLook)
		return
	}
	faults, away := t.k.Faults, t.k.Away
	more := t.take(f.out.holdings)
	if more == nil && slices.Equal(faults, t.k.Faults) && slices.EqualFunc(away, t.k.Away, sameTarget) {
		t.e.forget(t.k.ID, laneLook)
		return
	}
	action := "backup-set.looked"
	switch {
	case len(t.k.Faults) > len(faults):
		action = "backup-set.fault"
	case len(t.k.Away) > len(away):
		action = "backup-set.target-away"
	}
	t.store(action, "", more...)
}

// take makes true what targets have.
func (t *turn) take(h *Holdings) (changes []continuity.Change) {
	if h == nil {
		return nil
	}
	t.k.Faults = append(h.Faults, t.faultsOn(h.Away)...)
	t.k.Away = h.Away
	all := slices.Clone(h.Backups)
	for i := range all {
		all[i].Targets = slices.Sorted(slices.Values(all[i].Targets))
	}
	for _, key := range slices.Sorted(maps.Keys(t.e.backups)) { // what stood on targets that are away stands there still
		known := t.e.backups[key]
		on := slices.DeleteFunc(slices.Clone(known.Targets), func(target string) bool { return !isAway(h.Away, target) })
		if !strings.HasPrefix(key, t.k.ID+"/") || len(on) == 0 {
			continue
		}
		if i := slices.IndexFunc(all, func(b continuity.Backup) bool { return b.ID == key }); i >= 0 {
			all[i].Targets = slices.Sorted(slices.Values(append(all[i].Targets, on...)))
			continue
		}
		known.Targets = on
		all = append(all, known)
	}
	there := map[string]bool{}
	for i := range all {
		b := &all[i]
		there[b.ID] = true
		known, is := t.e.backups[b.ID]
		switch {
		case !is:
			changes = append(changes, continuity.Set(continuity.KindBackup, b.ID, b.Service, continuity.VersionNew, "backup.made", "", b))
		case !alike(&known, b):
			changes = append(changes, continuity.Set(continuity.KindBackup, b.ID, b.Service, t.e.stored[b.ID], "backup.changed", "", b))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.e.backups)) {
		if strings.HasPrefix(key, t.k.ID+"/") && !there[key] {
			changes = append(changes, continuity.Change{Kind: continuity.KindBackup, ID: key, Service: t.k.Service, Version: t.e.stored[key], Action: "backup.removed"})
		}
	}
	return changes
}

func isAway(away []continuity.TargetResult, target string) bool {
	return slices.ContainsFunc(away, func(r continuity.TargetResult) bool { return r.Target == target })
}

func sameTarget(a, b continuity.TargetResult) bool {
	return a.Target == b.Target && a.Why.Code == b.Why.Code
}

// faultsOn are those that are known of targets that can't be asked now.
func (t *turn) faultsOn(away []continuity.TargetResult) (all []continuity.BackupFault) {
	for _, f := range t.k.Faults {
		if isAway(away, f.Target) {
			all = append(all, f)
		}
	}
	return all
}

// alike says whether there is nothing new to say of a backup. How far the log behind it
// reaches changes all the time, and is no event.
func alike(a, b *continuity.Backup) bool {
	if !slices.Equal(a.Targets, b.Targets) || (a.Proof == nil) != (b.Proof == nil) {
		return false
	}
	return a.Proof == nil || a.Proof.At.Equal(b.Proof.At) && a.Proof.Good == b.Proof.Good
}

// Reason is an error as people are told it.
func Reason(err error) continuity.CheckReason {
	var e *continuity.Error
	switch {
	case errors.Is(err, errEnded):
		return continuity.CheckReason{Code: "keeping.why.ended"}
	case errors.As(err, &e):
		if id, is := e.Args["detail_id"].(string); is { // the code's own text speaks of relays and nodes
			return continuity.CheckReason{Code: id, Args: e.Args}
		}
		return continuity.CheckReason{Code: "error." + string(e.Code), Args: e.Args}
	}
	return continuity.CheckReason{Code: "error." + string(continuity.CodeInternal)}
}
