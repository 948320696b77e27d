package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// The names below are part of the format; docs/formats/journal.md lists them.

type snapshotRoute struct {
	Route               string           `json:"route"`
	Accepted            int64            `json:"accepted"`
	DeliveredAtOnce     int64            `json:"delivered_at_once"`
	DeliveredAfterDoubt int64            `json:"delivered_after_doubt"`
	Refused             int64            `json:"refused"`
	Dead                int64            `json:"dead"`
	Discarded           int64            `json:"discarded"`
	Told                int64            `json:"told,omitempty"`
	Recorded            int64            `json:"recorded,omitempty"`
	Amounts             []Sums           `json:"amounts,omitempty"` // of what is pending: zero
	Switches            []snapshotSwitch `json:"switches,omitempty"`
}

// snapshotSwitch holds the whole setting as the journal writes it, so that a
// field that is added there need not be added here.
type snapshotSwitch struct {
	Setting []byte `json:"setting"`
}

type snapshotMoney struct {
	Units    int64  `json:"units"`
	Currency string `json:"currency"` // empty: a free place
}

type snapshotProposal struct {
	Receipt  string              `json:"receipt"`
	Position continuity.Position `json:"position"`
	Version  uint16              `json:"version"`
	Verb     continuity.Verb     `json:"verb"`
	Person   string              `json:"person"`
	Clock    continuity.Clock    `json:"clock"`
}

func headOf(r *routeState) snapshotRoute {
	h := snapshotRoute{
		Route: r.name, Accepted: r.totals.Accepted, DeliveredAtOnce: r.totals.DeliveredAtOnce,
		DeliveredAfterDoubt: r.totals.DeliveredAfterDoubt, Refused: r.totals.Refused, Dead: r.totals.Dead,
		Discarded: r.totals.Discarded, Told: r.totals.Told, Recorded: r.totals.Recorded, Amounts: r.sumList(),
	}
	for i := range h.Amounts { // the slots say it again
		a := &h.Amounts[i]
		a.Queued, a.Attempting, a.InDoubt, a.Parked = 0, 0, 0, 0
	}
	for i := range r.owners {
		h.Switches = append(h.Switches, snapshotSwitch{appendSwitch(nil, &r.owners[i])})
	}
	return h
}

func (h *snapshotRoute) totals() continuity.Totals {
	return continuity.Totals{
		Route: h.Route, Accepted: h.Accepted, DeliveredAtOnce: h.DeliveredAtOnce, DeliveredAfterDoubt: h.DeliveredAfterDoubt,
		Refused: h.Refused, Dead: h.Dead, Discarded: h.Discarded, Told: h.Told, Recorded: h.Recorded,
	}
}

func (h *snapshotRoute) give(s *State) error {
	_, r := s.route(h.Route)
	r.totals = h.totals()
	for _, a := range h.Amounts {
		*r.sum(a.Currency) = a
	}
	for _, w := range h.Switches {
		d := fields{rest: w.Setting}
		r.owners = append(r.owners, *d.sw())
		if d.err != nil {
			return fmt.Errorf("%w: %w", errSnapshot, d.err)
		}
	}
	return nil
}

// take adds what is small to the head.
func (h *snapshotHead) take(s *State) {
	h.Currencies = slices.Clone(s.purse.currencies)
	for _, m := range s.purse.large {
		h.Large = append(h.Large, snapshotMoney(m))
	}
	if len(s.failures) > 0 {
		h.Failures = maps.Clone(s.failures)
	}
	for _, p := range s.proposed {
		h.Proposed = append(h.Proposed, snapshotProposal{p.Receipt.String(), p.Position, p.Version, p.Verb, p.Person, p.Clock})
	}
	slices.SortFunc(h.Proposed, func(a, b snapshotProposal) int { return cmp.Compare(a.Position, b.Position) })
}

func (h *snapshotHead) give(s *State) error {
	large := make([]continuity.Money, len(h.Large))
	for i, m := range h.Large {
		large[i] = continuity.Money(m)
	}
	s.purse.restore(h.Currencies, large)
	if h.Failures != nil {
		s.failures = h.Failures
	}
	for _, p := range h.Proposed {
		r, err := continuity.ParseReceipt(p.Receipt)
		if err != nil {
			return fmt.Errorf("%w: %w", errSnapshot, err)
		}
		s.proposed[r] = Proposal{r, p.Position, p.Version, p.Verb, p.Person, p.Clock}
	}
	return nil
}

// readHead reads a head of any version.
func readHead(text []byte) (snapshotHead, error) {
	var head snapshotHead
	var version struct {
		Version int `json:"version"`
	}
	err := json.Unmarshal(text, &version)
	switch {
	case err != nil:
	case version.Version == 1:
		head, err = readFirstHead(text)
	case version.Version == snapshotVersion:
		err = json.Unmarshal(text, &head)
	default:
		err = fmt.Errorf("version %d", version.Version)
	}
	if err != nil {
		return head, fmt.Errorf("%w: %w", errSnapshot, err)
	}
	return head, nil
}

// readFirstHead reads a head of version 1, whose routes had the names of the
// program's own types.
func readFirstHead(text []byte) (snapshotHead, error) {
	var first struct {
		snapshotHead
		Routes []struct {
			Totals struct {
				Route                                                                    string
				Accepted, DeliveredAtOnce, DeliveredAfterDoubt, Refused, Dead, Discarded int64
			} `json:"totals"`
			Switches []struct {
				Route, Owner, Reason string
				Intake               continuity.Intake
				Replay               continuity.Replay
				Force                bool
				Until                time.Time
			} `json:"switches"`
		} `json:"routes"`
	}
	if err := json.Unmarshal(text, &first); err != nil {
		return snapshotHead{}, err
	}
	head := first.snapshotHead
	for _, r := range first.Routes {
		t := r.Totals
		route := snapshotRoute{
			Route: t.Route, Accepted: t.Accepted, DeliveredAtOnce: t.DeliveredAtOnce, DeliveredAfterDoubt: t.DeliveredAfterDoubt,
			Refused: t.Refused, Dead: t.Dead, Discarded: t.Discarded,
		}
		for _, w := range r.Switches {
			s := continuity.Switch{Route: w.Route, Owner: w.Owner, Reason: w.Reason, Intake: w.Intake, Replay: w.Replay, Force: w.Force, Until: w.Until}
			route.Switches = append(route.Switches, snapshotSwitch{appendSwitch(nil, &s)})
		}
		head.Routes = append(head.Routes, route)
	}
	return head, nil
}
