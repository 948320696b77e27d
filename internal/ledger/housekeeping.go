package ledger

import (
	"context"
	"errors"
	"io"
	"time"

	"holdfast/internal/continuity"
)

const (
	tickEvery   = time.Second
	clockEvery  = continuity.Clock(time.Minute / time.Millisecond)
	expireEvery = 5 * time.Second
	ageEvery    = time.Minute
	// afterEnd is how long a receipt outlives the route's longest age.
	afterEnd = 24 * time.Hour
	// checkpointBytes of log are written between checkpoints.
	checkpointBytes = 64 << 20
)

// Run does what time asks for: it saves the running clock, lifts switches that
// have run out, ends what is too old, takes checkpoints, and lets old segments
// go. It returns when ctx is done, or with the error that latched the journal.
func (l *Ledger) Run(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var expired, aged time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			l.savePassed()
			err := errors.Join(l.begin(), l.saveClock(), l.liftSwitches(now))
			if now.Sub(expired) >= expireEvery {
				expired = now
				err = errors.Join(err, l.expire())
			}
			if now.Sub(aged) >= ageEvery {
				aged = now
				err = errors.Join(err, l.age(ctx))
			}
			err = errors.Join(err, l.retain(ctx), l.checkpointIfDue())
			if latched := l.Latched(); latched != nil {
				return latched
			}
			if err != nil {
				l.logger.Warn("housekeeping will be tried again", "error", err)
			}
		}
	}
}

// saveClock writes the running time down while records wait and nothing else
// happens: an age that a restart would forget is late, so forget little.
func (l *Ledger) saveClock() error {
	l.mu.Lock()
	waiting := false
	for _, r := range l.state.routes {
		waiting = waiting || r.pendingCount() > 0
	}
	if !waiting || l.now()-l.state.clock < clockEvery {
		l.mu.Unlock()
		return nil
	}
	p := l.propose(continuity.Event{Kind: continuity.KindClock})
	l.mu.Unlock()
	_, err := p.wait()
	return err
}

func (l *Ledger) liftSwitches(now time.Time) error {
	var over []continuity.Switch
	l.mu.Lock()
	for _, r := range l.state.routes {
		for _, s := range r.owners {
			if !s.Until.IsZero() && !now.Before(s.Until) {
				over = append(over, continuity.Switch{Route: r.name, Owner: s.Owner, Reason: "ran out", Lift: true})
			}
		}
	}
	l.mu.Unlock()
	var err error
	for _, s := range over {
		err = errors.Join(err, l.Switch(s))
	}
	return err
}

func (l *Ledger) checkpointIfDue() error {
	l.mu.Lock()
	due := l.since >= checkpointBytes
	l.mu.Unlock()
	if !due {
		return nil
	}
	return l.Checkpoint()
}

// Checkpoint writes the state as it stands, tied to the synced position up to
// which it holds, and lets the segments go that neither this checkpoint nor the
// one before it needs: should one of the two be damaged, the other suffices.
func (l *Ledger) Checkpoint() error {
	if l.checkpoints == nil {
		return nil
	}
	l.mu.Lock()
	snap := l.state.snapshot()
	since := l.since
	l.mu.Unlock()
	var written counter
	err := l.checkpoints.Save(snap.head.Applied, func(w io.Writer) error { return snap.write(io.MultiWriter(w, &written)) })
	if err != nil {
		return err
	}
	l.mu.Lock()
	// A big state is written less often, so that checkpoints never cost more
	// than the log itself.
	l.since -= since + max(0, int64(written)-checkpointBytes)
	unneeded := min(l.saved, l.bodies)
	l.saved = snap.horizon
	l.state.dropMarks(unneeded)
	l.mu.Unlock()
	if unneeded == 0 {
		return nil
	}
	return l.log.Retire(unneeded)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// age lets go of what has had its time. With a the longest age of any route:
//
//   - what is still pending, or dead, a after its entry was written is copied
//     forward, so that a record that ends has an entry younger than a;
//   - what ended more than a plus a day ago is forgotten: the horizon;
//   - segments older than both together hold nothing that anybody remembers;
//   - those that are younger than a and the longest keep of any route hold what
//     a restored upstream may want again (rule 12).
func (l *Ledger) age(ctx context.Context) error {
	if l.checkpoints == nil {
		return nil // the beginning is all there is to start from
	}
	longest, keep := time.Duration(0), time.Duration(0)
	l.mu.Lock()
	for _, r := range l.routes {
		longest, keep = max(longest, r.Hold.Age), max(keep, r.Record.Keep)
	}
	now := l.now()
	old, forgotten := l.state.before(now, longest), l.state.before(now, longest+afterEnd)
	l.bodies = l.state.before(now, longest+max(longest+afterEnd, keep))
	carried, horizon, saved := l.carried, l.state.repeats.horizon, l.saved
	l.mu.Unlock()
	if old > carried {
		if err := l.carry(ctx, old); err != nil {
			return err
		}
	}
	if forgotten > horizon {
		return l.forget(forgotten)
	}
	if horizon > saved { // segments wait for a second checkpoint, at another position
		l.mu.Lock()
		p := l.propose(continuity.Event{Kind: continuity.KindClock})
		l.mu.Unlock()
		if _, err := p.wait(); err != nil {
			return err
		}
		return l.Checkpoint()
	}
	return nil
}

// forget moves the horizon. The segments that only what is forgotten needed go
// with the second checkpoint from here on.
func (l *Ledger) forget(below continuity.Position) error {
	l.mu.Lock()
	p := l.propose(continuity.Event{Kind: continuity.KindHorizon, Horizon: below})
	l.mu.Unlock()
	if _, err := p.wait(); err != nil {
		return err
	}
	for shard := range repeatShards {
		l.mu.Lock()
		l.state.repeats.sweep(shard)
		l.mu.Unlock()
	}
	return l.Checkpoint()
}
