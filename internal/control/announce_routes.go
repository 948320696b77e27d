package control

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

// Relays are looked at this often for what their routes are to say, and told anew
// before their words end: those of a node that dies end by themselves.
const (
	routeWordsLook  = 2 * time.Second
	routeWordsEvery = 15 * time.Second
	routeWordsLast  = 45 * time.Second
)

// routeSpeaker tells relays what their routes say while an incident or a window
// stands.
type routeSpeaker struct {
	node   *Node
	relays map[string]*api.Client
	said   map[relayRoute]routeWord
	mute   map[string]bool // relays that could not be told
}

type relayRoute struct{ relay, route string }

type routeWord struct {
	text continuity.Text
	at   time.Time
}

// speakOnRoutes speaks while this node leads.
func (n *Node) speakOnRoutes(ctx context.Context, _ *continuity.Lease) {
	s := &routeSpeaker{node: n, relays: map[string]*api.Client{}, said: map[relayRoute]routeWord{}, mute: map[string]bool{}}
	for _, r := range n.o.Config.Relays {
		s.relays[r.ID] = n.relayAPI(r)
	}
	if len(s.relays) > 0 {
		n.every(ctx, routeWordsLook, s.speak)
	}
}

// speak says what is to be said now, and takes back what no longer is.
func (s *routeSpeaker) speak(ctx context.Context) error {
	wanted := map[relayRoute]continuity.Text{}
	for cursor := ""; ; {
		page, next, err := s.node.store.List(ctx, continuity.Query{Kind: continuity.KindAutoreply, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var a continuity.Autoreply
			if err := json.Unmarshal(o.Body, &a); err != nil {
				return err
			}
			if relay := s.node.relayOf(a.Service, a.Route); a.On && a.Route != "" && relay != "" {
				wanted[relayRoute{relay, a.Route}] = a.Text
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	now := time.Now()
	for at, text := range wanted {
		if last, ok := s.said[at]; (!ok || last.text != text || now.Sub(last.at) >= routeWordsEvery) && s.say(ctx, at, text) {
			s.said[at] = routeWord{text, now}
		}
	}
	for at, last := range s.said {
		if _, still := wanted[at]; !still && (now.Sub(last.at) >= routeWordsLast || s.say(ctx, at, continuity.Text{})) {
			delete(s.said, at)
		}
	}
	return nil
}

// relayOf is the relay of a service's route.
func (n *Node) relayOf(service, route string) string {
	p := n.planOf(service)
	if p == nil || p.Tech == nil {
		return ""
	}
	i := slices.IndexFunc(p.Tech.Routes, func(r plan.Route) bool { return r.ID == route })
	if i < 0 {
		return ""
	}
	return p.Tech.Routes[i].Relay
}

// say tells a relay and reports whether it heard.
func (s *routeSpeaker) say(ctx context.Context, at relayRoute, text continuity.Text) bool {
	relay := s.relays[at.relay]
	if relay == nil {
		return false
	}
	ctx, done := context.WithTimeout(ctx, wordTime)
	defer done()
	err := relay.Words(ctx, api.WordsRequest{Route: at.route, En: text.En, Zh: text.Zh, For: routeWordsLast.Seconds(), Node: s.node.name})
	if mute := err != nil; s.mute[at.relay] != mute {
		s.mute[at.relay] = mute
		s.node.log.Warn("telling a relay what a route says", "relay", at.relay, "route", at.route, "failing", mute, "code", continuity.CodeOf(err), "error", err)
	}
	return err == nil
}
