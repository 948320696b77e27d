package ledger

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Subject is whose requests are looked for: those of a key, or of a caller, or
// of both, on one route.
type Subject struct {
	Route  string
	Key    continuity.KeyTag
	Text   string // of the key; empty: any key
	Caller string // empty: any caller
}

func (s Subject) is(r *continuity.Record) bool {
	if r == nil || r.Route != s.Route {
		return false
	}
	// What is erased bears the hash of its key only.
	return (s.Text == "" || r.Key == s.Key && (r.Erased || r.KeyText == s.Text)) && (s.Caller == "" || r.Caller == s.Caller)
}

// Found is a request of a subject that is still in the journal.
type Found struct {
	Receipt  continuity.Receipt // none for one that only passed
	State    continuity.State
	At       time.Time // when it was accepted, or passed
	Ended    time.Time // the newest outcome
	Entries  []continuity.Position
	Recorded bool // it passed and was written down before
	Erased   bool // already
}

// eraser is a log whose entries can be changed, each as long as before.
type eraser interface {
	Erase(at []continuity.Position, change func(journal.Stored) ([]byte, error)) error
}

// Find lists what the journal still holds of a subject, and writes down who
// asked.
func (l *Ledger) Find(ctx context.Context, s Subject, person, why string) ([]Found, error) {
	found, _, err := l.seek(ctx, s)
	if err != nil {
		return nil, err
	}
	return found, l.note(s, continuity.Privacy{Person: person, Why: why, Count: len(found)})
}

// Erase discards what is pending of a subject and makes unreadable whatever the
// journal holds of its requests and their answers, and of answers whose requests
// it no longer holds, as they could be the subject's. Receipts, hashes, states and
// amounts stay, so that the books balance and a repeat is recognised. It can be
// done again, after a crash above all, and then finishes.
func (l *Ledger) Erase(ctx context.Context, s Subject, person, why string) (found []Found, discarded int, err error) {
	log, ok := l.log.(eraser)
	if !ok {
		return nil, 0, continuity.E(continuity.CodeInternal, errors.New("ledger: the log can't erase"))
	}
	if found, _, err = l.seek(ctx, s); err != nil {
		return nil, 0, err
	}
	for _, f := range found {
		if f.Recorded {
			continue
		}
		done, err := l.eraseRecord(f.Receipt, person, why)
		if err != nil {
			return nil, discarded, err
		}
		if done {
			discarded++
		}
	}
	// What was carried forward or answered meanwhile is there now, too.
	found, at, err := l.seek(ctx, s)
	if err != nil {
		return nil, discarded, err
	}
	if err := l.note(s, continuity.Privacy{Erased: true, Person: person, Why: why, Count: len(found)}); err != nil {
		return nil, discarded, err
	}
	for _, f := range found {
		at = append(at, f.Entries...)
	}
	if err := log.Erase(at, redact); err != nil {
		if errors.Is(err, journal.ErrFull) {
			return nil, discarded, continuity.E(continuity.CodeDiskFull, err)
		}
		return nil, discarded, err
	}
	return found, discarded, nil
}

func (l *Ledger) note(s Subject, p continuity.Privacy) error {
	p.Route = s.Route
	if s.Text != "" {
		p.Key = s.Key
	}
	l.mu.Lock()
	proposed := l.propose(continuity.Event{Kind: continuity.KindPrivacy, Privacy: &p})
	l.mu.Unlock()
	_, err := proposed.wait()
	return err
}

// eraseRecord discards a record that may still be sent; one that is being sent
// is waited for.
func (l *Ledger) eraseRecord(r continuity.Receipt, person, why string) (done bool, err error) {
	l.mu.Lock()
	ref, err := l.hold(r, true)
	if err != nil {
		l.mu.Unlock()
		if code := continuity.CodeOf(err); code == continuity.CodeState || code == continuity.CodeNotFound {
			return false, nil // it has ended
		}
		return false, err
	}
	st := l.state.statusOf(ref)
	if !permits(continuity.VerbErase, st) {
		l.drop(ref)
		l.mu.Unlock()
		return false, continuity.E(continuity.CodeState, errState, "state", st.State.String())
	}
	p := l.newProposal(continuity.Event{Kind: continuity.KindAct, Act: &continuity.Act{
		Receipt: r, Version: st.Version, Verb: continuity.VerbErase, Person: person, Why: why,
	}})
	p.ref = ref
	l.enqueue(p)
	l.mu.Unlock()
	_, err = p.wait()
	return err == nil, err
}

// erase discards a record whose data goes, in doubt or not. What stands behind
// it in its key waits for as long as it would have.
func (s *State) erase(ref uint32, r continuity.Receipt, at continuity.Position) {
	t := s.slots.at(ref)
	until := t.notBefore
	if t.state() != continuity.InDoubt {
		until = 0
	}
	if t.state() == continuity.Dead {
		s.discard(ref, r, at)
		return
	}
	behind := s.end(ref, r, continuity.Discarded, continuity.ReasonPerson, at)
	if behind != 0 && s.slots.at(behind).notBefore < until {
		s.slots.edit(behind).notBefore = until
	}
}

// seek reads the whole journal. strays are the places of answers whose requests it
// no longer holds: whose they were nobody can tell, and nobody can ask for them.
func (l *Ledger) seek(ctx context.Context, s Subject) (list []Found, strays []continuity.Position, err error) {
	l.savePassed()
	forgotten := map[continuity.Receipt]bool{} // records that are there all the same
	var order []*Found
	byReceipt, byPlace := map[continuity.Receipt]*Found{}, map[continuity.Position]*Found{}
	for stored, err := range l.log.All(0) {
		if err != nil {
			return nil, nil, continuity.E(continuity.CodeDamaged, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, continuity.E(continuity.CodeTimeout, err)
		}
		switch stored.Kind {
		case continuity.KindAccepted, continuity.KindCarried, continuity.KindRecorded, continuity.KindAct, continuity.KindProposed,
			continuity.KindOutcome, continuity.KindPassed:
		default:
			continue
		}
		e, err := Decode(stored)
		if err != nil {
			return nil, nil, continuity.E(continuity.CodeDamaged, err)
		}
		add := func(r *continuity.Record, recorded bool) {
			f := byReceipt[r.Receipt]
			if f == nil || recorded {
				f = &Found{Receipt: r.Receipt, At: e.At, Recorded: recorded, State: continuity.Queued}
				order = append(order, f)
			}
			if recorded {
				byPlace[stored.Position] = f
			} else {
				byReceipt[r.Receipt] = f
			}
			f.Erased = r.Erased
			f.Entries = append(f.Entries, stored.Position)
		}
		switch {
		case s.is(e.Recorded):
			add(e.Recorded, true)
		case e.Outcome != nil:
			if f := byReceipt[e.Outcome.Receipt]; f != nil {
				f.State, f.Ended = e.Outcome.To, e.At
				f.Entries = append(f.Entries, stored.Position)
			} else if says(e.Outcome.Response) && !forgotten[e.Outcome.Receipt] && !l.remembers(e.Outcome.Receipt) {
				strays = append(strays, stored.Position)
			}
		case e.Proposed != nil && s.is(e.Proposed.Act.Replacement):
			if f := byReceipt[e.Proposed.Act.Receipt]; f != nil {
				f.Entries = append(f.Entries, stored.Position)
			}
		default:
			if r, err := recordOf(&e); err == nil && s.is(r) {
				add(r, false)
			} else if err == nil && r != nil && !l.remembers(r.Receipt) {
				forgotten[r.Receipt] = true
			}
			for _, p := range e.Passed {
				if f := byPlace[p.Position]; f != nil {
					f.State, f.Ended = p.To, e.At
				}
			}
		}
	}
	found := make([]Found, 0, len(order))
	for _, f := range order {
		if st, ok := l.Status(f.Receipt); ok && !f.Recorded {
			f.State = st.State
		}
		f.Entries = slices.Compact(f.Entries)
		found = append(found, *f)
	}
	return found, strays, nil
}

func (l *Ledger) remembers(r continuity.Receipt) bool {
	_, ok := l.Status(r)
	return ok
}

// says reports whether a response holds anything that can be taken out.
func says(r *continuity.Response) bool { return r != nil && (len(r.Header) > 0 || len(r.Body) > 0) }

// redact takes out of an entry what a customer sent or was answered.
func redact(s journal.Stored) ([]byte, error) { return takeOut(s, false) }

// takeOut takes the content out of an entry: for its customer's sake, or because
// it has had its time.
func takeOut(s journal.Stored, expired bool) ([]byte, error) {
	e, err := Decode(s)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Outcome != nil && e.Outcome.Response != nil:
		e.Outcome.Response = &continuity.Response{Status: e.Outcome.Response.Status, Cut: e.Outcome.Response.Cut, Expired: expired}
	case e.Recorded != nil:
		forget(e.Recorded, expired)
	case e.Proposed != nil && e.Proposed.Act.Replacement != nil:
		forget(e.Proposed.Act.Replacement, expired)
	default:
		r, err := recordOf(&e)
		if err != nil || r == nil {
			return nil, nil
		}
		forget(r, expired)
	}
	b := encode(nil, &e)
	copy(b, s.Payload[:stampBytes])
	return pad(b, len(s.Payload))
}

// forget leaves of a record what the books and the recognition of repeats need,
// and of one that has had its time who may ask what became of it.
func forget(r *continuity.Record, expired bool) {
	who := ""
	if expired {
		who = r.Caller
	}
	*r = continuity.Record{
		Receipt: r.Receipt, Fingerprint: r.Fingerprint, Route: r.Route, Key: r.Key, Method: r.Method,
		Lost: r.Lost, Settle: r.Settle, Replaces: r.Replaces, Again: r.Again, Amount: r.Amount, Class: r.Class,
		Upstream: r.Upstream, Caller: who, Erased: true, Expired: expired,
	}
}

// padding is a field that no event has, and nobody reads.
const padding protowire.Number = 63

// pad makes a payload as long as another was.
func pad(b []byte, n int) ([]byte, error) {
	rest := n - len(b)
	if rest == 0 {
		return b, nil
	}
	tag := protowire.SizeTag(padding)
	if rest < tag+1 {
		return nil, errPadding
	}
	digits := 1 // of the length, which may take more of them than it needs
	for rest-tag-digits >= 1<<(7*digits) {
		digits++
	}
	b = protowire.AppendTag(b, padding, protowire.BytesType)
	length := rest - tag - digits
	for i := range digits {
		digit := byte(length>>(7*i)) & 0x7f // #nosec G115 -- masked
		if i < digits-1 {
			digit |= 0x80
		}
		b = append(b, digit)
	}
	return append(b, make([]byte, length)...), nil
}

var errPadding = errors.New("ledger: an entry can't keep its length")
