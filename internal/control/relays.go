package control

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/outgoing"
)

// A word on a route's health holds for wordLasts and is said anew every
// wordEvery: one that was lost, or a relay that was started again, costs little,
// and a node that dies is not listened to for long.
const (
	wordLasts = 45 * time.Second
	wordEvery = 15 * time.Second
	wordTime  = 5 * time.Second
)

// relayClient reaches one relay's admin API with its token, and nobody else.
func (n *Node) relayClient(r controlconfig.Relay) *http.Client {
	guard := outgoing.New(outgoing.NewPolicy(append(relayRules(r.Admin), n.o.Config.Outgoing...)...), nil)
	client := guard.Client(outgoing.Options{Body: 16 << 20, Idle: 1})
	source, ref := n.o.Config.Source(), r.Token
	client.Transport = &bearing{client.Transport, func() (string, error) {
		token, err := source.Resolve(ref)
		return "Bearer " + token.Reveal(), err
	}}
	return client
}

// relayRules let in a relay's own address: who writes the settings has named it.
func relayRules(admin string) []outgoing.Rule {
	u, err := url.Parse(admin)
	if err != nil {
		return nil
	}
	hosts, port := []string{u.Hostname()}, u.Port()
	if u.Hostname() == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	var rules []outgoing.Rule
	for _, host := range hosts {
		if rule, err := outgoing.ParseRule(net.JoinHostPort(host, port)); err == nil {
			rules = append(rules, rule)
		}
	}
	return rules
}

// relayAPI is a relay's admin API, in the language of the node's settings.
func (n *Node) relayAPI(r controlconfig.Relay) *api.Client {
	return api.ClientOf(r.Admin, n.relayClient(r), "control:"+n.name, catalogue.Lang(n.o.Config.Language))
}

// speaker tells relays what checks say of the systems behind their routes.
type speaker struct {
	node   *Node
	relays map[string]*api.Client
	passes sync.WaitGroup

	mu     sync.Mutex                       // each relay is told by a goroutine of its own
	states map[string]continuity.CheckState // by service/check
	said   map[binding.Gate]word
	mute   map[string]bool // relays that could not be told
	busy   map[string]bool // relays that are being told
}

type word struct {
	down bool
	at   time.Time
}

// speakForGates speaks while this node leads. It says nothing of what is not
// known: then a word that was said ends by itself, and the relay goes by its own
// health.
func (n *Node) speakForGates(ctx context.Context, _ *continuity.Lease) {
	s := &speaker{
		node: n, relays: map[string]*api.Client{}, states: map[string]continuity.CheckState{}, said: map[binding.Gate]word{},
		mute: map[string]bool{}, busy: map[string]bool{},
	}
	defer s.passes.Wait()
	for _, r := range n.o.Config.Relays {
		s.relays[r.ID] = n.relayAPI(r)
	}
	if len(s.relays) == 0 {
		return
	}
	seq, err := s.read(ctx)
	for err != nil {
		n.log.Warn("checks can't be read for the relays", "code", continuity.CodeOf(err), "error", err)
		if pause(ctx, time.Second); ctx.Err() != nil {
			return
		}
		seq, err = s.read(ctx)
	}
	for ctx.Err() == nil {
		s.speak(ctx)
		seq = s.listen(ctx, seq)
	}
}

// read learns how all checks stand.
func (s *speaker) read(ctx context.Context) (int64, error) {
	seq, _, err := s.node.store.LastEvent(ctx)
	if err != nil {
		return 0, err
	}
	for cursor := ""; ; {
		page, next, err := s.node.store.List(ctx, continuity.Query{Kind: continuity.ObjectCheck, Cursor: cursor, Limit: 1000})
		if err != nil {
			return 0, err
		}
		for _, o := range page {
			s.take(o.ID, o.Body)
		}
		if cursor = next; cursor == "" {
			return seq, nil
		}
	}
}

func (s *speaker) take(id string, body json.RawMessage) {
	var c continuity.JudgedCheck
	if body == nil || json.Unmarshal(body, &c) != nil {
		c.State = continuity.CheckUnknown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[id] = c.State
}

// listen waits for what changes, no longer than until a word has to be said anew.
func (s *speaker) listen(ctx context.Context, seq int64) int64 {
	waiting, done := context.WithTimeout(ctx, wordEvery/3)
	defer done()
	events, err := s.node.feed.After(waiting, seq, 1000)
	if err != nil && waiting.Err() == nil {
		pause(ctx, time.Second)
	}
	for i := range events {
		if events[i].Kind == continuity.ObjectCheck {
			s.take(events[i].ID, events[i].After)
		}
		seq = events[i].Seq
	}
	return seq
}

// speak says what is to be said now.
func (s *speaker) speak(ctx context.Context) {
	holding := s.node.plans.Holding()
	var wanted []binding.Gate
	for _, p := range holding.Plans {
		wanted = append(wanted, binding.Gates(p)...)
	}
	s.tell(ctx, wanted, holding.Unread)
}

// tell says to each relay what its gates have to know, and waits for none: one
// that answers late keeps no other from hearing, and is told no second time
// meanwhile. Of services whose plans can't
// be read whole what was asked for before is still asked for.
func (s *speaker) tell(ctx context.Context, wanted []binding.Gate, unread map[string]bool) {
	gates, asked := map[string][]binding.Gate{}, map[binding.Gate]bool{}
	for _, gate := range wanted {
		gates[gate.Relay] = append(gates[gate.Relay], gate)
		asked[gate] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for gate := range s.said {
		if !asked[gate] { // the plan doesn't ask for it any more
			gates[gate.Relay] = append(gates[gate.Relay], gate)
			asked[gate] = unread[gate.Service]
		}
	}
	for relay, of := range gates {
		if s.busy[relay] {
			continue
		}
		s.busy[relay] = true
		s.passes.Go(func() {
			for _, gate := range of {
				if !s.gate(ctx, gate, asked[gate]) {
					break // a relay that did not hear one word is told the others next time
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.busy[relay] = false
		})
	}
}

// gate says what is to be said of a gate, and reports whether the relay may be
// told more.
func (s *speaker) gate(ctx context.Context, gate binding.Gate, asked bool) bool {
	s.mu.Lock()
	last, spoke := s.said[gate]
	state := s.states[gate.Check]
	s.mu.Unlock()
	down := asked && state == continuity.CheckDown
	switch {
	case asked && (state == continuity.CheckUnknown || state == ""):
		return true
	case asked && spoke && last.down == down && (!down || time.Since(last.at) < wordEvery):
		return true // a good word does not end, and need not be said anew
	case (asked || last.down) && !s.say(ctx, gate, down):
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked {
		s.said[gate] = word{down, time.Now()}
	} else {
		delete(s.said, gate)
	}
	return true
}

// say tells a relay and reports whether it heard.
func (s *speaker) say(ctx context.Context, gate binding.Gate, down bool) bool {
	relay := s.relays[gate.Relay]
	if relay == nil {
		if s.turns(gate.Relay, true) {
			s.node.log.Warn("a plan names a relay that the settings don't", "service", gate.Service, "route", gate.Route, "relay", gate.Relay)
		}
		return false
	}
	ctx, done := context.WithTimeout(ctx, wordTime)
	defer done()
	_, err := relay.Follow(ctx, api.FollowRequest{Route: gate.Route, Check: gate.Check, Down: down, For: wordLasts.Seconds(), Node: s.node.name})
	if mute := err != nil; s.turns(gate.Relay, mute) {
		s.node.log.Warn("telling a relay how a route's system is", "relay", gate.Relay, "route", gate.Route, "failing", mute, "code", continuity.CodeOf(err), "error", err)
	}
	return err == nil
}

// turns notes whether a relay could be told, and reports whether that is new.
func (s *speaker) turns(relay string, mute bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := s.mute[relay] != mute
	s.mute[relay] = mute
	return is
}
