package ledger

import (
	"context"
	"errors"

	"holdfast/internal/continuity"
)

const carryAtOnce = 256

// carry copies the request of every pending or dead record below a position
// forward, so that what lies below it can be let go.
func (l *Ledger) carry(ctx context.Context, below continuity.Position) error {
	flying := make([]*proposal, 0, carryAtOnce)
	land := func() error {
		var err error
		for _, p := range flying {
			_, e := p.wait()
			err = errors.Join(err, e)
		}
		flying = flying[:0]
		return err
	}
	for from := uint32(1); ; from += slotsPerChunk {
		positions, more := l.below(from, below)
		for _, at := range positions {
			rec, err := l.Record(at)
			if err != nil {
				return errors.Join(err, land())
			}
			if p := l.proposeCarried(rec); p != nil {
				flying = append(flying, p)
			}
			if len(flying) == carryAtOnce {
				if err := land(); err != nil {
					return err
				}
			}
		}
		if err := errors.Join(land(), ctx.Err()); err != nil {
			return err
		}
		if !more {
			l.mu.Lock()
			l.carried = max(l.carried, below)
			l.mu.Unlock()
			return nil
		}
	}
}

// below returns where the requests of one chunk of slots stand, if below a
// position.
func (l *Ledger) below(from uint32, below continuity.Position) (positions []continuity.Position, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := uint32(l.state.slots.used) // #nosec G115 -- references are 32 bits
	for ref := from; ref < from+slotsPerChunk && ref <= last; ref++ {
		if t := l.state.slots.at(ref); t.state() != 0 && t.position < below {
			positions = append(positions, t.position)
		}
	}
	return positions, from+slotsPerChunk <= last
}

// proposeCarried proposes to carry one record, unless it has ended meanwhile.
func (l *Ledger) proposeCarried(rec *continuity.Record) *proposal {
	p := l.newProposal(continuity.Event{Kind: continuity.KindCarried, Carried: &continuity.Carried{Record: rec}})
	l.mu.Lock()
	defer l.mu.Unlock()
	ref, err := l.hold(rec.Receipt, true)
	if err != nil {
		return nil
	}
	p.ref = ref
	l.enqueue(p)
	return p
}

// carried gives a record its new place in the journal.
func (s *State) carried(r *continuity.Record, at continuity.Position, size int) error {
	ref, err := s.find(r.Receipt)
	if err != nil {
		return err
	}
	t := s.slots.edit(ref)
	t.position = at
	if t.state().Pending() {
		s.routes[t.route].bytes += int64(size) - int64(t.size)
	}
	t.size = clampUint32(size)
	return nil
}
