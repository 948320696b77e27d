package ledger

import (
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Proposal is an act that waits for a second person. The event at Position
// holds the act itself.
type Proposal struct {
	Receipt  continuity.Receipt  `json:"receipt"`
	Position continuity.Position `json:"position"`
	Version  uint16              `json:"version"`
	Verb     continuity.Verb     `json:"verb"`
	Person   string              `json:"person"`
	Clock    continuity.Clock    `json:"clock"`
}

const (
	// lapses is how long a proposal waits, in running time.
	lapses        = continuity.Clock(24 * time.Hour / time.Millisecond)
	mostProposals = 10_000
)

func (s *State) propose(p *continuity.Proposed, at continuity.Position) {
	for r, old := range s.proposed {
		if s.clock > old.Clock+lapses {
			delete(s.proposed, r)
		}
	}
	s.proposed[p.Act.Receipt] = Proposal{
		Receipt: p.Act.Receipt, Position: at, Version: p.Act.Version, Verb: p.Act.Verb, Person: p.Act.Person, Clock: s.clock,
	}
}

// proposal returns what waits for a second person on a record as it stands.
func (s *State) proposal(r continuity.Receipt) (Proposal, bool) {
	p, ok := s.proposed[r]
	if !ok || s.clock > p.Clock+lapses {
		return Proposal{}, false
	}
	ref, err := s.find(r)
	return p, err == nil && s.slots.at(ref).version == p.Version
}

// Propose puts an act that a second person has to approve on stable storage.
func (l *Ledger) Propose(p continuity.Proposed) error {
	l.mu.Lock()
	ref, err := l.hold(p.Act.Receipt, false)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	err = l.actable(ref, &p.Act)
	if err == nil && len(l.state.proposed) >= mostProposals {
		err = continuity.E(continuity.CodeLimitCount, errors.New("ledger: too many proposed acts"), "route", l.state.statusOf(ref).Route, "limit", mostProposals)
	}
	if err != nil {
		l.drop(ref)
		l.mu.Unlock()
		return err
	}
	e := l.newProposal(continuity.Event{Kind: continuity.KindProposed, Proposed: &p})
	e.ref = ref
	l.enqueue(e)
	l.mu.Unlock()
	_, err = e.wait()
	return err
}

// Proposal tells what waits for a second person on a record.
func (l *Ledger) Proposal(r continuity.Receipt) (Proposal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.proposal(r)
}

// Proposals lists all acts that wait for a second person, in no order.
func (l *Ledger) Proposals() []Proposal {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []Proposal
	for r := range l.state.proposed {
		if p, ok := l.state.proposal(r); ok {
			list = append(list, p)
		}
	}
	return list
}

// ProposedAct reads the act that a proposal holds.
func (l *Ledger) ProposedAct(p Proposal) (*continuity.Act, error) {
	e, err := l.event(p.Position)
	if err != nil {
		return nil, err
	}
	if e.Proposed == nil {
		return nil, continuity.E(continuity.CodeDamaged, errors.New("ledger: no proposed act there"))
	}
	act := e.Proposed.Act
	return &act, nil
}
