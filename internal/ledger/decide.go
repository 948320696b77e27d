package ledger

import (
	"errors"

	"holdfast/internal/continuity"
)

// Act puts a person's decision about one version of a record on stable storage
// and returns the status it leads to: of the replacement, for an edit.
func (l *Ledger) Act(a continuity.Act) (Status, error) {
	if a.Approver != "" && a.Approver == a.Person {
		return Status{}, continuity.E(continuity.CodeInvalid, errors.New("ledger: a second person has to approve"))
	}
	l.mu.Lock()
	if a.Verb == continuity.VerbTold || a.Verb == continuity.VerbReject || a.Verb == continuity.VerbRestore {
		p, err := l.noted(&a)
		l.mu.Unlock()
		if err != nil {
			return Status{}, err
		}
		return p.wait()
	}
	ref, err := l.hold(a.Receipt, false)
	if err != nil {
		l.mu.Unlock()
		return Status{}, err
	}
	if err := l.actable(ref, &a); err != nil {
		l.drop(ref)
		l.mu.Unlock()
		return Status{}, err
	}
	p := l.newProposal(continuity.Event{Kind: continuity.KindAct, Act: &a})
	p.ref = ref
	if a.Replacement != nil {
		l.launch(a.Replacement, len(p.payload))
	}
	l.enqueue(p)
	l.mu.Unlock()
	return p.wait()
}

// noted proposes an act that changes no record's state; l.mu is held.
func (l *Ledger) noted(a *continuity.Act) (*proposal, error) {
	switch a.Verb {
	case continuity.VerbTold:
		e := l.state.repeats.find(a.Receipt)
		if e == nil {
			return nil, continuity.E(continuity.CodeNotFound, errUnknown)
		}
		if !tellable(l.state, e) || e.told() {
			st, _ := l.state.status(a.Receipt)
			return nil, continuity.E(continuity.CodeState, errState, "state", st.State.String())
		}
	case continuity.VerbReject:
		if _, ok := l.state.proposed[a.Receipt]; !ok {
			return nil, continuity.E(continuity.CodeNotFound, errors.New("ledger: nothing is proposed"))
		}
	}
	return l.propose(continuity.Event{Kind: continuity.KindAct, Act: a}), nil
}

// actable says whether an act fits the record as it stands; l.mu is held.
func (l *Ledger) actable(ref uint32, a *continuity.Act) error {
	st := l.state.statusOf(ref)
	switch {
	case st.Version != a.Version:
		return continuity.E(continuity.CodeVersion, nil, "version", st.Version, "given", a.Version)
	case l.state.slots.at(ref).is(flagClaimed) || !permits(a.Verb, st):
		return continuity.E(continuity.CodeState, errState, "state", st.State.String())
	case (a.Verb == continuity.VerbEdit) != (a.Replacement != nil):
		return continuity.E(continuity.CodeInvalid, errors.New("an edit, and nothing else, has a replacement"))
	case a.Replacement != nil:
		_, flying := l.flight.receipts[a.Replacement.Receipt]
		if flying || l.state.repeats.find(a.Replacement.Receipt) != nil {
			return continuity.E(continuity.CodeInvalid, errTaken)
		}
		a.Replacement.Replaces = a.Receipt
		a.Replacement.Lost = false
		less := st.Amount
		if !st.State.Pending() {
			less = continuity.Money{}
		}
		return l.affords(a.Replacement, less)
	}
	return nil
}
