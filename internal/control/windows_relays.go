package control

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

const (
	// windowOwner begins the names under which windows set things with relays.
	windowOwner = "window:"
	// relayPerson is how relays write the owner of a person's setting.
	relayPerson = "operator:"
	// handAgain is when a relay is told again that could not be told, and handLooks
	// how often it is seen whether what was put still stands.
	handAgain = 5 * time.Second
	handLooks = 15 * time.Second
)

// hands put with relays what windows want there, and take it away again. What they
// did is written where it was wanted. A relay that was told just before this node
// died is told once more: that changes nothing, as there is one setting of an owner.
type hands struct {
	relays map[string]hand
	clock  func() time.Time
	wanted map[string]kept
	again  map[string]time.Time // when something is looked at next
}

// hand is a relay as it is worked on.
type hand interface {
	Status(ctx context.Context) (api.Status, error)
	Switch(ctx context.Context, s api.SwitchRequest) ([]api.Switch, error)
	Admission(ctx context.Context, route string) ([]api.Admission, error)
	Admit(ctx context.Context, r api.AdmissionRequest) ([]api.Admission, error)
}

type kept struct {
	continuity.During

	version int64
}

// openWindowRelays has windows change what relays do.
func (n *Node) openWindowRelays(context.Context) error {
	if len(n.o.Config.Relays) == 0 {
		return nil
	}
	h := &hands{relays: map[string]hand{}, clock: time.Now}
	for _, r := range n.o.Config.Relays {
		h.relays[r.ID] = n.relayAPI(r)
	}
	h.Reset()
	f := follow.New(follow.Options{
		Store: n.store, Name: "window-relays", Node: n.name, Kinds: []string{continuity.KindDuring}, Log: n.log, Every: feedPause, Refused: n.refused("window-relays"),
		Lease: func() (continuity.Lease, bool) {
			if lease := n.leads(); lease != nil {
				return *lease, true
			}
			return continuity.Lease{}, false
		},
	}, h)
	n.whileLeading("window-relays", func(ctx context.Context, _ *continuity.Lease) { f.Run(ctx) })
	return nil
}

// Reset implements follow.Engine.
func (h *hands) Reset() { h.wanted, h.again = map[string]kept{}, map[string]time.Time{} }

// Show implements follow.Engine.
func (h *hands) Show(_, id string, version int64, body json.RawMessage, _ continuity.Actor) error {
	delete(h.wanted, id)
	if body == nil {
		return nil
	}
	k := kept{version: version}
	if err := json.Unmarshal(body, &k.During); err != nil {
		return err
	}
	if !k.Over() && k.State != continuity.DuringTaken {
		h.wanted[id] = k
	}
	return nil
}

// Step implements follow.Engine: it works on what is due, and writes how that went.
func (h *hands) Step(ctx context.Context, now time.Time) ([]continuity.Change, time.Time, error) {
	var next time.Time
	for _, id := range slices.Sorted(maps.Keys(h.wanted)) {
		k := h.wanted[id]
		if follow.Alone(ctx, continuity.KindDuring, id) {
			continue
		}
		if due := h.again[id]; now.Before(due) && k.State != continuity.DuringWanted && k.State != continuity.DuringEnding || now.Before(due) && k.Failure != "" {
			if next.IsZero() || due.Before(next) {
				next = due
			}
			continue
		}
		d := k.During
		h.work(ctx, &d)
		if ctx.Err() != nil {
			return nil, next, ctx.Err()
		}
		pause := handLooks
		if d.Failure != "" {
			pause = handAgain
		}
		h.again[id] = now.Add(pause)
		if d.State == k.State && d.Failure == k.Failure {
			if next.IsZero() || h.again[id].Before(next) {
				next = h.again[id]
			}
			continue
		}
		d.Since = now
		body, err := json.Marshal(d)
		if err != nil {
			return nil, next, err
		}
		return []continuity.Change{{Kind: continuity.KindDuring, ID: id, Service: d.Service, Version: k.version, Body: body, Action: "during." + d.State}}, next, nil
	}
	return nil, next, nil
}

// work brings one thing on its way.
func (h *hands) work(ctx context.Context, d *continuity.During) {
	ctx, done := context.WithTimeout(ctx, wordTime)
	defer done()
	relay := h.relays[d.Relay]
	if relay == nil {
		h.failed(d, continuity.E(continuity.CodeNotFound, nil, "kind", "relay", "id", d.Relay))
		return
	}
	var err error
	switch {
	case d.What == continuity.DuringLine:
		err = h.line(ctx, relay, d)
	case d.State == continuity.DuringEnding:
		err = h.end(ctx, relay, d)
	default:
		err = h.put(ctx, relay, d)
	}
	if err != nil && ctx.Err() != context.Canceled {
		h.failed(d, err)
	}
}

// failed notes that a relay could not be told. What is ending goes on ending.
func (h *hands) failed(d *continuity.During, err error) {
	if d.State == continuity.DuringWanted {
		d.State = continuity.DuringFailed
	}
	d.Failure = string(continuity.CodeOf(err))
}

// person is the name of a window with relays.
func person(d *continuity.During) string { return windowOwner + d.Window }

// put sets what is wanted; of what stands it sees whether it still does. A person who
// took it away meant that: it is not put again.
func (h *hands) put(ctx context.Context, relay hand, d *continuity.During) error {
	route, err := routeOf(ctx, relay, d.Route)
	if err != nil {
		return err
	}
	stands := ours(route.Switches, d)
	if d.State == continuity.DuringPut {
		if d.Failure = ""; !stands {
			d.State = continuity.DuringTaken
		}
		return nil
	}
	if d.Before == nil {
		d.Before = standingOf(route)
	}
	if !stands {
		r := api.SwitchRequest{Route: d.Route, Intake: d.Mode, Person: person(d), Why: d.Why}
		if d.What == continuity.DuringUploads {
			r.Intake, r.Block = continuity.IntakeBlock.String(), &api.Block{Paths: d.Paths, Say: map[string]string{"en": d.Say.En, "zh": d.Say.Zh}}
		}
		if _, err := relay.Switch(ctx, r); err != nil {
			return err
		}
	}
	d.State, d.Failure = continuity.DuringPut, ""
	return nil
}

// end takes away what was put, and names what people set meanwhile: that stays.
func (h *hands) end(ctx context.Context, relay hand, d *continuity.During) error {
	if d.What == continuity.DuringMode && h.lineWanted(d) {
		return nil // first the line, then the route: nobody slips in between
	}
	route, err := routeOf(ctx, relay, d.Route)
	if err != nil {
		return err
	}
	if ours(route.Switches, d) {
		r := api.SwitchRequest{Route: d.Route, Intake: "auto", Person: person(d), Why: d.Why}
		if d.What == continuity.DuringUploads {
			r.Block = &api.Block{Paths: d.Paths}
		}
		if _, err := relay.Switch(ctx, r); err != nil {
			return err
		}
		if route, err = routeOf(ctx, relay, d.Route); err != nil {
			return err
		}
	}
	d.State, d.Failure, d.After, d.Left = continuity.DuringEnded, "", standingOf(route), nil
	if d.What != continuity.DuringMode {
		return nil
	}
	for _, owner := range slices.Sorted(maps.Keys(d.After.Settings)) {
		name, people := strings.CutPrefix(owner, relayPerson)
		if people && (d.Before == nil || d.Before.Settings[owner] != d.After.Settings[owner]) {
			d.Left = append(d.Left, name)
		}
	}
	return nil
}

// lineWanted reports whether the route of a mode has to have a line first.
func (h *hands) lineWanted(d *continuity.During) bool {
	for id := range h.wanted {
		l := h.wanted[id]
		if l.Window == d.Window && l.What == continuity.DuringLine && l.Relay == d.Relay && l.Route == d.Route &&
			(l.State == continuity.DuringWanted || l.State == continuity.DuringFailed) {
			return true
		}
	}
	return false
}

// line opens a route's waiting line as far as the window has got, and ends it with the
// window. One that ended by itself has let everybody in.
func (h *hands) line(ctx context.Context, relay hand, d *continuity.During) error {
	all, err := relay.Admission(ctx, d.Route)
	if err != nil {
		return err
	}
	var now *api.Admission
	for i := range all {
		if all[i].Route == d.Route {
			now = &all[i]
		}
	}
	stands, most := false, 0
	if now != nil && now.Line != nil {
		most = now.Line.Most
		stands = slices.ContainsFunc(now.Settings, func(s api.AdmissionSet) bool {
			return s.Line && s.Owner == relayPerson+person(d)+":line"
		})
	}
	switch {
	case d.State == continuity.DuringEnding:
		if stands {
			if _, err := relay.Admit(ctx, api.AdmissionRequest{Route: d.Route, Lift: api.LiftLine, Person: person(d), Why: d.Why}); err != nil {
				return err
			}
		}
		d.State, d.Failure = continuity.DuringEnded, ""
		return nil
	case d.State == continuity.DuringPut:
		d.Failure = ""
		if !stands && d.Open >= d.Of {
			d.State = continuity.DuringEnded
		} else if !stands {
			d.State = continuity.DuringTaken
		}
		return nil
	}
	open := 0
	if d.Open < d.Of {
		open = openTo(d, now)
	}
	if !stands || most != open {
		if _, err := relay.Admit(ctx, api.AdmissionRequest{Route: d.Route, Line: true, Open: open, Person: person(d), Why: d.Why}); err != nil {
			return err
		}
	}
	d.State, d.Failure = continuity.DuringPut, ""
	return nil
}

// openTo is how many of a line's batches are open with a batch of the window: the
// same where both have as many, else in proportion. A line that does not stand yet
// does not say how many it has.
func openTo(d *continuity.During, now *api.Admission) int {
	if now == nil || now.Line == nil || len(now.Line.Batches) == 0 || len(now.Line.Batches) == d.Of {
		return d.Open
	}
	all := len(now.Line.Batches)
	return max(1, min(all-1, (d.Open*all)/d.Of))
}

// routeOf is how a route stands.
func routeOf(ctx context.Context, relay hand, id string) (*api.Route, error) {
	status, err := relay.Status(ctx)
	if err != nil {
		return nil, err
	}
	for i := range status.Routes {
		if status.Routes[i].ID == id {
			return &status.Routes[i], nil
		}
	}
	return nil, continuity.E(continuity.CodeNotFound, nil, "kind", "route", "id", id)
}

// ours reports whether what a window put stands.
func ours(all []api.Switch, d *continuity.During) bool {
	owner := relayPerson + person(d)
	return slices.ContainsFunc(all, func(s api.Switch) bool {
		if d.What == continuity.DuringUploads {
			return s.Block != nil && strings.HasPrefix(s.Owner, owner+":") && slices.Equal(s.Block.Paths, d.Paths)
		}
		return s.Block == nil && s.Owner == owner && s.Intake == d.Mode
	})
}

// standingOf is what stands of a route, what windows put apart.
func standingOf(route *api.Route) *continuity.RouteStanding {
	s := &continuity.RouteStanding{Intake: route.Intake, Settings: map[string]string{}}
	for _, w := range route.Switches {
		if w.Intake != "" && w.Block == nil && !strings.HasPrefix(w.Owner, relayPerson+windowOwner) {
			s.Settings[w.Owner] = w.Intake
		}
	}
	return s
}
