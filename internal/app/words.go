package app

import (
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// Words implements api.Speaking. They are kept nowhere: a control node says them anew,
// and one that died has said them for a short time only.
func (d *desk) Words(r api.WordsRequest) error {
	if !d.engine.Say(r.Route, continuity.Said{En: r.En, Zh: r.Zh}, time.Now().Add(time.Duration(r.For*float64(time.Second)))) {
		return d.noRoute(r.Route)
	}
	return nil
}
