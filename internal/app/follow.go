package app

import (
	"slices"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/health"
)

// Follow implements api.Following. The word is a standing setting beside that of
// the route's own health, with an end; the stricter of the two wins. So the route
// stops going to a system that only looks well, and a control node that dies
// leaves nothing behind.
func (d *desk) Follow(r api.FollowRequest) ([]api.Switch, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	l := d.lane(r.Route)
	if l == nil {
		return nil, d.noRoute(r.Route)
	}
	then := l.route.Detect.Then
	if then == continuity.IntakeUnset {
		then = continuity.IntakeHold
	}
	most := l.route.Detect.Follow
	s := continuity.Switch{Route: r.Route, Owner: continuity.OwnerCheck + r.Check, Lift: !r.Down}
	stands := slices.ContainsFunc(d.ledger.Switches(r.Route), func(other continuity.Switch) bool { return other.Owner == s.Owner })
	switch {
	case !r.Down && !stands:
		return d.switches(r.Route), nil // which writes nothing
	case !r.Down:
	case most <= 0:
		return nil, invalid("api.invalid.follow", "name", r.Route)
	case then == continuity.IntakeHold && l.route.Hold.State != continuity.HoldOn:
		return nil, invalid("api.invalid.observe", "name", r.Route)
	case r.For <= 0:
		return nil, invalid("api.invalid.for")
	default:
		s.Intake, s.Replay, s.Reason = then, continuity.ReplayOff, health.ReasonFollows
		s.Until = time.Now().Add(min(most, time.Duration(r.For*float64(time.Second)))).Truncate(time.Millisecond)
	}
	if err := d.ledger.Switch(s); err != nil {
		return nil, err
	}
	if drainer := d.drainer(r.Route); drainer != nil {
		drainer.Nudge()
	}
	return d.switches(r.Route), nil
}
