package ledger

import (
	"context"

	"holdfast/internal/continuity"
)

// Wait returns when a record has left pending, or ctx is done, with its status
// then.
func (l *Ledger) Wait(ctx context.Context, r continuity.Receipt) Status {
	l.mu.Lock()
	st, ok := l.state.status(r)
	if !ok || !st.State.Pending() {
		l.mu.Unlock()
		return st
	}
	ended := make(chan struct{})
	l.waiters[r] = append(l.waiters[r], ended)
	l.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
		l.stopWaiting(r, ended)
	}
	st, _ = l.Status(r)
	return st
}

func (l *Ledger) stopWaiting(r continuity.Receipt, ended chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.waiters[r]
	for i, c := range list {
		if c == ended {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(l.waiters, r)
	} else {
		l.waiters[r] = list
	}
}

func (l *Ledger) wakeWaiters(r continuity.Receipt) {
	for _, c := range l.waiters[r] {
		close(c)
	}
	delete(l.waiters, r)
}
