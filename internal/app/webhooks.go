package app

import (
	"context"
	"maps"
	"path/filepath"
	"reflect"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
	"holdfast/internal/webhook"
)

// courier tells one route's clients how their requests ended.
type courier struct {
	hook continuity.Webhook
	*webhook.Courier
	stop func()
}

// tell lets each route that has a webhook have its courier, and no other. The
// caller holds reloading, or starts.
func (a *App) tell(routes []continuity.Route) {
	if a.ledger == nil {
		return
	}
	wanted := make(map[string]continuity.Webhook)
	for _, r := range routes {
		if r.Webhook != nil {
			wanted[r.ID] = *r.Webhook
		}
	}
	for id, c := range a.couriers {
		if hook, ok := wanted[id]; !ok || !reflect.DeepEqual(hook, c.hook) {
			c.stop()
			delete(a.couriers, id)
		}
	}
	for id, hook := range wanted {
		if a.couriers[id] == nil {
			a.couriers[id] = a.newCourier(id, hook)
		}
	}
	a.showCouriers()
}

func (a *App) showCouriers() {
	shown := maps.Clone(a.couriers)
	a.telling.Store(&shown)
}

// hookFails is how long an endpoint may fail before people are told: longer
// than it takes to start a program again.
const hookFails = time.Minute

// webhook tells how a route's endpoint is told; nil where there is none.
func (d *desk) webhook(route string) *api.Webhook {
	shown := d.telling.Load()
	if shown == nil || (*shown)[route] == nil {
		return nil
	}
	s := (*shown)[route].Stats()
	out := &api.Webhook{Told: s.Told, Failed: s.Failed, GivenUp: s.GivenUp, Lost: s.Lost, Waiting: s.Waiting, Gone: s.Gone}
	if !s.Failing.IsZero() {
		out.Failing = time.Since(s.Failing).Seconds()
	}
	return out
}

func (a *App) newCourier(id string, hook continuity.Webhook) *courier {
	c := &courier{hook: hook, Courier: webhook.New(webhook.Options{
		Route: id, Hook: hook, Log: a.journal, Decode: ledger.Decode, Dir: filepath.Join(a.home.DataDir, "webhooks"), Logger: a.log,
		RouteOf: func(r continuity.Receipt) (string, bool) {
			st, ok := a.ledger.Status(r)
			if !ok || st.Route != "" {
				return st.Route, ok
			}
			rec, err := a.ledger.Record(st.Position) // of one that has ended only the journal knows
			if err != nil {
				return "", false
			}
			return rec.Route, true
		},
	})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx) // it logs its troubles and goes on
	}()
	c.stop = func() {
		cancel()
		<-done
	}
	return c
}

// stopTelling ends all couriers; what has not been told is told after the next
// start.
func (a *App) stopTelling() {
	for id, c := range a.couriers {
		c.stop()
		delete(a.couriers, id)
	}
	a.showCouriers()
}
