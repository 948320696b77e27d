package control

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/notify"
	"holdfast/internal/problem"
)

// channelDesk shows the node's channels to the API, and tests them.
type channelDesk struct {
	*Node

	senders map[string]sender
	tester  *notify.Tester
}

// openChannels opens the node's channels, and watches how they do.
func (n *Node) openChannels(context.Context) error {
	senders, err := openSenders(&n.o.Config, n.log)
	if err != nil {
		return err
	}
	links := ""
	if n.o.Config.Public != nil {
		links = n.o.Config.Public.URL
	}
	n.channels = &channelDesk{n, senders, &notify.Tester{
		Store: n.store, Links: links, Node: n.name, Now: time.Now, Log: n.log,
		Channel: func(id string) (notify.Kind, notify.Channel, bool) {
			s, ok := senders[id]
			return s.kind, s.channel, ok
		},
	}}
	n.api.Channels = n.channels
	n.whileLeading("channels", func(ctx context.Context, _ *continuity.Lease) {
		n.every(ctx, 5*time.Second, n.channels.warn)
	})
	n.whileLeading("deliveries", func(ctx context.Context, _ *continuity.Lease) { n.channels.follow(ctx) })
	return nil
}

// follow learns from deliveries how the channels do.
func (d *channelDesk) follow(ctx context.Context) {
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "channels", Via: d.name}
	seq, _, err := d.store.LastEvent(ctx)
	for ctx.Err() == nil {
		var events []continuity.AuditEvent
		if err == nil {
			events, err = d.feed.After(ctx, seq, 1000)
		} else {
			pause(ctx, time.Second)
			seq, _, err = d.store.LastEvent(ctx)
		}
		last := map[string]*continuity.AuditEvent{} // of each channel: what came before it is over
		for i := range events {
			seq = events[i].Seq
			if sender, _, ok := ended(&events[i]); ok {
				last[sender] = &events[i]
			}
		}
		for id, e := range last {
			_, failure, _ := ended(e)
			if err := d.tester.Note(ctx, by, id, failure, e.At); err != nil && ctx.Err() == nil {
				d.log.Warn("how a channel does can't be written", "channel", id, "code", continuity.CodeOf(err), "error", err)
			}
		}
	}
}

// ended is how an attempt ended that an event tells of, if it tells of one.
func ended(e *continuity.AuditEvent) (sender string, f *notify.Failure, ok bool) {
	var d continuity.Delivery
	if e.Kind != continuity.KindDelivery || e.Actor.Kind != continuity.ActorEngine || e.After == nil || json.Unmarshal(e.After, &d) != nil {
		return "", nil, false
	}
	switch d.State {
	case continuity.DeliveryDelivered:
		return d.Sender, nil, d.By == ""
	case continuity.DeliveryDue, continuity.DeliveryFailed:
		return d.Sender, &notify.Failure{Code: d.Failure}, d.Failure != ""
	}
	return "", nil, false
}

// Channels implements controlapi.Channels.
func (d *channelDesk) Channels(ctx context.Context) ([]controlapi.ChannelInfo, error) {
	all := make([]controlapi.ChannelInfo, 0, len(d.senders))
	for id := range d.senders {
		one, err := d.Channel(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b controlapi.ChannelInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Channel implements controlapi.Channels.
func (d *channelDesk) Channel(ctx context.Context, id string) (controlapi.ChannelInfo, error) {
	s, ok := d.senders[id]
	if !ok {
		return controlapi.ChannelInfo{}, d.unknown(id)
	}
	state, err := d.state(ctx, id)
	if err != nil {
		return controlapi.ChannelInfo{}, err
	}
	info := controlapi.ChannelInfo{
		ID: id, Kind: s.set.Kind, State: state.State, Since: state.Since, LastSent: state.LastSent, Failure: state.Failure, Said: state.Said, Status: state.Status, Test: state.Test,
		Address: s.kind.Address,
	}
	if _, receives := s.channel.(notify.Receiver); receives && d.o.Config.Public != nil {
		info.Hook = d.o.Config.Public.URL + "/in/" + id
	}
	return info, nil
}

func (d *channelDesk) unknown(id string) error {
	known := make([]string, 0, len(d.senders))
	for one := range d.senders {
		known = append(known, one)
	}
	slices.Sort(known)
	return continuity.E(continuity.CodeNotFound, nil, problem.DetailID, "channel.none", "id", id, "known", strings.Join(known, ", "))
}

func (d *channelDesk) state(ctx context.Context, id string) (continuity.ChannelState, error) {
	s := continuity.ChannelState{ID: id, State: notify.ChannelUnknown}
	o, err := d.store.Get(ctx, continuity.KindChannel, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(o.Body, &s)
	}
	return s, err
}

// Test implements controlapi.Channels.
func (d *channelDesk) Test(ctx context.Context, by continuity.Actor, id string, want controlapi.ChannelTest) (controlapi.ChannelTested, error) {
	s, ok := d.senders[id]
	if !ok {
		return controlapi.ChannelTested{}, d.unknown(id)
	}
	if s.kind.Address != "" && want.To == "" {
		return controlapi.ChannelTested{}, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "channel.no-address", "id", id, "address", s.kind.Address)
	}
	lang := catalogue.Lang(want.Language)
	if lang == "" {
		lang = catalogue.Lang(d.o.Config.Language)
	}
	trial, advice, err := d.tester.Test(ctx, notify.Test{Channel: id, To: want.To, Language: lang, Template: d.template(id, lang), By: by})
	out := controlapi.ChannelTested{Trial: trial, Advice: []controlapi.ChannelAdvice{}, Linked: d.tester.Links != ""}
	for _, a := range advice {
		out.Advice = append(out.Advice, controlapi.ChannelAdvice(a))
	}
	return out, err
}

// warn says of each channel that fails that it does, and of each other that it
// does not, or is none of this node's any more.
func (d *channelDesk) warn(ctx context.Context) error {
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "channels", Via: d.name}
	for cursor := ""; ; {
		page, next, err := d.store.List(ctx, continuity.Query{Kind: continuity.KindChannel, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var s continuity.ChannelState
			if err := json.Unmarshal(o.Body, &s); err != nil {
				return err
			}
			_, there := d.senders[o.ID]
			if there && s.State == notify.ChannelFailing {
				err = d.inbox.Raise(ctx, by, failing(&s))
			} else {
				err = d.inbox.End(ctx, by, "", continuity.FromChannel, o.ID)
			}
			if err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// saidOf is what a provider said of a failure, as far as it is for people.
func saidOf(said string, status int) string {
	if said == "" && status != 0 {
		return strconv.Itoa(status)
	}
	return said
}

// failing is the signal that a channel fails: nobody is told over it.
func failing(s *continuity.ChannelState) continuity.Signal {
	text := func(lang catalogue.Lang) string {
		why := catalogue.Text(lang, notify.FailureText(s.Failure), nil)
		if said := saidOf(s.Said, s.Status); said != "" {
			why += catalogue.Text(lang, "channel.said", catalogue.Args{"said": said})
		}
		return catalogue.Text(lang, "channel.failing", catalogue.Args{"channel": s.ID, "why": why})
	}
	return continuity.Signal{
		Source: continuity.FromChannel, Rule: s.ID, Level: continuity.LevelOrange, At: s.Since,
		Text: continuity.Text{En: text(catalogue.En), Zh: text(catalogue.Zh)},
	}
}
