package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

const (
	batchEvents  = 5_000                 // in one transaction
	restBetween  = 10 * time.Millisecond // so that many small syncs share one transaction
	longestPause = 30 * time.Second      // between tries while something is wrong
)

// statements is the context of all that Run writes. With one that can be done
// the driver would start a goroutine for each statement.
var statements = context.Background()

// Run follows the log until ctx is done. Whatever goes wrong meanwhile is
// logged, shown by Lag, and tried again: the view holds up nobody else.
func (v *View) Run(ctx context.Context) error {
	pause := v.opt.Poll
	for {
		err := v.CatchUp(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			pause = v.opt.Poll
			if !v.sleep(ctx, restBetween) {
				return nil
			}
		default:
			v.fail(err)
			pause = min(2*pause, longestPause)
		}
		if !v.sleep(ctx, pause) {
			return nil
		}
	}
}

// sleep ends when somebody waits for the view, too.
func (v *View) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-v.kick:
	}
	return true
}

func (v *View) fail(err error) {
	v.state.Lock()
	known := v.trouble != nil && v.trouble.Error() == err.Error()
	v.trouble = err
	v.state.Unlock()
	if !known {
		v.log.Error("the view does not go on", "error", err.Error())
	}
}

// CatchUp brings the view to the end that the log has now, rebuilding the file
// first where it does not fit the log. Run does the same over and over; the two
// exclude each other.
func (v *View) CatchUp(ctx context.Context) error {
	err := v.checkFile(ctx)
	if err == nil {
		err = v.follow(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if v.write != nil {
		v.write.rollback()
	}
	if errors.Is(err, journal.ErrGone) {
		err = errUseless{"the journal no longer has the entries that come next"}
	}
	if !disposable(err) && v.write != nil {
		return err
	}
	if err := v.renew(ctx, err); err != nil {
		return err
	}
	return v.follow(ctx)
}

// checkFile looks whether the file is still the one that was opened and, once
// after the machine started, whether it survived: nothing in it is ever synced.
func (v *View) checkFile(ctx context.Context) error {
	if v.write == nil {
		return errUseless{"the file could not be opened"}
	}
	if now, err := os.Stat(v.opt.Path); err != nil || !os.SameFile(now, v.file) {
		return errUseless{"the file was taken away"}
	}
	if v.suspect.Swap(false) {
		return errUseless{"the file is damaged: a query met it"}
	}
	if v.checked {
		return nil
	}
	if boot := machineBoot(); boot == "" || boot != v.at.boot {
		var verdict string
		if err := v.write.conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			return errUseless{"the file is damaged: " + verdict}
		}
	}
	v.checked = true
	return nil
}

// follow applies entries in batches up to the log's end.
func (v *View) follow(ctx context.Context) error {
	at, start, end := v.at, v.opt.Log.Start(), v.opt.Log.End()
	fresh := len(at.digest) == 0
	switch {
	case at.position == end, fresh && start == end:
		v.caughtUp(at)
		return nil
	case fresh:
		at.boot = machineBoot()
	case at.position > end:
		return errUseless{fmt.Sprintf("its position %d is beyond the journal's end %d", at.position, end)}
	case at.position < start:
		return errUseless{fmt.Sprintf("its position %d is before the journal's start %d", at.position, start)}
	}
	from := at.position
	if !fresh && at.last >= start {
		from = at.last // read again, to see whether it is the same journal
	}
	if fresh {
		whole, err := v.fromBeginning()
		if err != nil {
			return err
		}
		at.whole = whole
	}
	if v.write.whole = at.whole; !at.whole && v.opt.Base != nil {
		if err := v.settle(ctx, from, &at); err != nil {
			return err
		}
		from = at.position
	}
	if err := v.applyFrom(ctx, from, end, &at); err != nil {
		return err
	}
	at.position = max(at.position, end) // where segments meet, the end may lie behind the last entry's next
	if err := v.commit(at); err != nil {
		return err
	}
	v.caughtUp(at)
	return nil
}

// fromBeginning looks whether the log's oldest entry is its first.
func (v *View) fromBeginning() (bool, error) {
	for s, err := range v.opt.Log.All(0) {
		if err != nil {
			return false, err
		}
		ev, err := v.opt.Decode(s)
		return ev.Kind == continuity.KindRestart && ev.First, err
	}
	return false, nil
}

// settle follows the log to where the ledger stands now, and asks it what the
// log does not tell any more.
func (v *View) settle(ctx context.Context, from continuity.Position, at *progress) error {
	base, err := v.opt.Base(ctx)
	if err != nil {
		return err
	}
	if base.Position < at.position {
		return nil // the ledger has yet to apply what is on disk; next time
	}
	if err := v.applyFrom(ctx, from, base.Position, at); err != nil {
		return err
	}
	at.position = base.Position
	if err := v.write.settle(statements, base, at.wall); err != nil {
		return err
	}
	at.whole, v.write.whole = true, true
	return v.commit(*at)
}

// applyFrom applies what lies before an end, and leaves the last batch open.
// What came before an entry that can't be
// read is right, and committed.
func (v *View) applyFrom(ctx context.Context, from, end continuity.Position, at *progress) error {
	n, known := 0, at.position
	for s, err := range v.opt.Log.All(from) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && s.Position < known {
			if !bytes.Equal(v.digest(s), at.digest) {
				return errUseless{"it was built from another journal"}
			}
			continue
		}
		if err == nil && s.Position >= end {
			return nil
		}
		var ev continuity.Event
		if err == nil {
			ev, err = v.opt.Decode(s)
		}
		if err != nil && n > 0 {
			return errors.Join(err, v.commit(*at))
		}
		if err != nil {
			return err
		}
		if err := v.take(s, ev, at); err != nil {
			return err
		}
		if n++; n%v.opt.Batch == 0 {
			if err := v.commit(*at); err != nil {
				return err
			}
		}
	}
	return nil
}

// take applies one entry to the open batch and moves at behind it.
func (v *View) take(s journal.Stored, ev continuity.Event, at *progress) error {
	if ev.Kind == continuity.KindHorizon {
		if err := v.forget(ev.Horizon, at); err != nil {
			return err
		}
	}
	if err := v.write.begin(statements); err != nil {
		return err
	}
	if err := v.write.apply(statements, s, ev); err != nil {
		return err
	}
	at.position, at.last, at.digest, at.clock, at.wall = s.Next, s.Position, v.digest(s), ev.Clock, ev.At
	return nil
}

// forget commits the batch so far and then forgets in steps, so that a horizon
// over millions of records needs neither memory nor a long transaction.
func (v *View) forget(below continuity.Position, at *progress) error {
	at.horizon = max(at.horizon, below)
	for done := false; !done; {
		if err := v.commit(*at); err != nil {
			return err
		}
		if err := v.write.begin(statements); err != nil {
			return err
		}
		var err error
		if done, err = v.write.forgetBelow(statements, below); err != nil {
			return err
		}
	}
	return nil
}

func (v *View) commit(at progress) error {
	if err := v.write.commit(statements, at); err != nil {
		return err
	}
	v.advance(at)
	return nil
}

func (v *View) caughtUp(at progress) {
	v.state.Lock()
	defer v.state.Unlock()
	v.current, v.trouble = time.Now(), nil
	v.at = at
}

// digest tells one entry from another.
func (v *View) digest(s journal.Stored) []byte {
	v.hash.Reset()
	v.hash.Write([]byte{byte(s.Kind)})
	v.hash.Write(s.Payload)
	return v.hash.Sum(nil)
}
