package ledger

import (
	"cmp"
	"errors"
	"slices"

	"holdfast/internal/continuity"
)

// expireAtOnce bounds a round, and what it holds in memory.
const expireAtOnce = 4096

// expire ends what has waited longer than its route allows and is known as not
// processed. Of each key it takes the oldest: the step that ends it parks the
// next, and a person decides about the rest.
func (l *Ledger) expire() error {
	var flying []*proposal
	var err error
	for _, at := range l.tooOld() {
		rec, readErr := l.Record(at)
		if readErr != nil {
			err = readErr
			break
		}
		if p := l.proposeExpired(rec); p != nil {
			flying = append(flying, p)
		}
	}
	ended := map[string]int{}
	for _, p := range flying {
		route := p.route
		if _, e := p.wait(); e != nil {
			err = errors.Join(err, e)
		} else {
			ended[route]++
		}
	}
	for route, n := range ended {
		l.logger.Warn("records expired undelivered; what follows each in its key is parked", "route", route, "records", n)
	}
	return err
}

// proposeExpired proposes to end one record, unless something has happened to
// it meanwhile.
func (l *Ledger) proposeExpired(rec *continuity.Record) *proposal {
	l.mu.Lock()
	defer l.mu.Unlock()
	ref, err := l.state.find(rec.Receipt)
	if err != nil || !l.expirable(l.state.slots.at(ref)) {
		return nil
	}
	l.state.slots.edit(ref).flags |= flagBusy
	o := continuity.Outcome{Receipt: rec.Receipt, To: continuity.Dead, Reason: continuity.ReasonExpired}
	p := l.newProposal(continuity.Event{Kind: continuity.KindOutcome, Outcome: &o})
	p.ref, p.route = ref, rec.Route
	l.enqueue(p)
	return p
}

// expirable: waiting, never possibly processed, and in nobody's hands.
func (l *Ledger) expirable(t *slot) bool {
	return t.state() == continuity.Queued && !t.is(flagDoubted|flagClaimed|flagBusy)
}

// old is a record that has waited too long.
type old struct {
	accepted tick
	position continuity.Position
}

func (o old) compare(p old) int {
	return cmp.Or(cmp.Compare(o.accepted, p.accepted), cmp.Compare(o.position, p.position))
}

// tooOld finds where records to expire stand, oldest first, one of each key.
func (l *Ledger) tooOld() []continuity.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	limits := make([]tick, len(l.state.routes)) // accepted before this: too old
	any := false
	for i, r := range l.state.routes {
		age := l.routes[r.name].Hold.Age
		oldest, ok := r.ages.lowest()
		now := l.now()
		if age <= 0 || !ok || now < millis(age) {
			continue
		}
		limits[i] = floorTick(now - millis(age))
		any = any || oldest <= second(limits[i])
	}
	if !any {
		return nil
	}
	oldest := make(map[continuity.KeyTag]old)
	for ref := uint32(1); int(ref) <= l.state.slots.used; ref++ {
		t := l.state.slots.at(ref)
		if !l.expirable(t) || t.accepted >= limits[t.route] {
			continue
		}
		this := old{t.accepted, t.position}
		if known, ok := oldest[t.key]; ok && known.compare(this) < 0 || !ok && len(oldest) == expireAtOnce {
			continue
		}
		oldest[t.key] = this
	}
	found := make([]old, 0, len(oldest))
	for _, o := range oldest {
		found = append(found, o)
	}
	slices.SortFunc(found, old.compare)
	at := make([]continuity.Position, len(found))
	for i, f := range found {
		at[i] = f.position
	}
	return at
}
