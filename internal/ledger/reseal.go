package ledger

import "holdfast/internal/continuity"

// Reseal writes as many new checkpoints as are kept, so that none is left that
// an older master key sealed.
func (l *Ledger) Reseal() error {
	for range 2 {
		l.mu.Lock()
		p := l.propose(continuity.Event{Kind: continuity.KindClock}) // each at a place of its own
		l.mu.Unlock()
		if _, err := p.wait(); err != nil {
			return err
		}
		if err := l.Checkpoint(); err != nil {
			return err
		}
	}
	return nil
}
