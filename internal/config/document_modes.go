package config

import (
	"net/netip"
	"time"

	"holdfast/internal/continuity"
)

type standbyBlock struct {
	block
	Upstream value[string] `yaml:"upstream" kind:"upstream" required:"true" example:"http://127.0.0.1:9002"`
	Moved    list[string]  `yaml:"moved" kind:"upstream" example:"http://127.0.0.1:9003"`
	Timeouts timeoutsBlock `yaml:"timeouts"`
	Check    checkBlock    `yaml:"check"`
}

type replyBlock struct {
	block
	Cache    value[bool]          `yaml:"cache" kind:"bool" default:"false"`
	Item     value[int64]         `yaml:"item" kind:"size" default:"256KiB"`
	Stale    value[time.Duration] `yaml:"stale" kind:"duration" default:"24h"`
	Title    saidBlock            `yaml:"title"`
	Text     saidBlock            `yaml:"text"`
	Channels []channelBlock       `yaml:"channels"`
	After    value[time.Duration] `yaml:"retry_after" kind:"duration" example:"60s"`
}

type saidBlock struct {
	block
	En value[string] `yaml:"en" kind:"text" example:"Back at six"`
	Zh value[string] `yaml:"zh" kind:"text" example:"六点恢复"`
}

type channelBlock struct {
	block
	Name saidBlock     `yaml:"name" required:"true"`
	URL  value[string] `yaml:"url" kind:"link" example:"tel:+8610123456"`
	Text saidBlock     `yaml:"text"`
}

// blockEntry is a block by configuration: no switch lifts it.
type blockEntry struct {
	block
	Reason  value[string]          `yaml:"reason" kind:"text" required:"true" example:"scraper"`
	Address list[netip.Prefix]     `yaml:"address" kind:"cidr" example:"[192.0.2.0/24, \"2001:db8::/32\"]"`
	Path    list[string]           `yaml:"path" kind:"path" example:"/export/**"`
	Header  list[continuity.Field] `yaml:"header" kind:"headers" example:"User-Agent"`
}

func (r *routeBlock) standby() *continuity.Standby {
	s := &r.Standby
	if !s.Set {
		return nil
	}
	out := &continuity.Standby{Upstream: s.Upstream.V, Moved: s.Moved.Values(), Timeouts: s.Timeouts.built()}
	if !s.Timeouts.Set {
		out.Timeouts = r.Timeouts.built()
	}
	if s.Check.Set {
		out.Path, out.Every, out.Down, out.Up = s.Check.Path.V, s.Check.Every.V, int(s.Check.Down.V), int(s.Check.Up.V)
	}
	return out
}

func (t *timeoutsBlock) built() continuity.Timeouts {
	return continuity.Timeouts{Connect: t.Connect.V, Attempt: t.Attempt.V, Idle: t.Idle.V}
}

func (s *saidBlock) said() continuity.Said { return continuity.Said{En: s.En.V, Zh: s.Zh.V} }

func (r *routeBlock) reply() *continuity.Reply {
	b := &r.Reply
	if !b.Set {
		return nil
	}
	out := &continuity.Reply{
		Cache: b.Cache.V, Item: b.Item.V, Stale: b.Stale.V, Title: b.Title.said(), Text: b.Text.said(), After: b.After.V,
	}
	for i := range b.Channels {
		c := &b.Channels[i]
		out.Channels = append(out.Channels, continuity.Channel{Name: c.Name.said(), URL: c.URL.V, Text: c.Text.said()})
	}
	return out
}

func (r *routeBlock) blocks() []continuity.Block {
	var out []continuity.Block
	for i := range r.Block {
		b := &r.Block[i]
		out = append(out, continuity.Block{
			Reason: b.Reason.V, Addresses: b.Address.Values(), Paths: b.Path.Values(), Headers: b.Header.Values(),
		})
	}
	return out
}

var holdStates = map[string]continuity.HoldState{"": continuity.HoldObserve, "observe": continuity.HoldObserve, "on": continuity.HoldOn, "never": continuity.HoldNever}

// checkModes holds what a route does besides passing and holding to all that it
// needs.
func checkModes(f *findings, doc *document, r *routeBlock) {
	if r.Standby.Set && r.Standby.Upstream.V != "" && r.Standby.Upstream.V == r.Upstream.V {
		f.Error(r.Standby.Upstream.At, "config.standby-same", "value", r.Standby.Upstream.Text)
	}
	switch then := &r.Detect.Then; {
	case then.V == "divert" && !r.Standby.Set:
		f.Error(then.At, "config.then-needs", "then", "divert", "field", "standby", "example", "standby: {upstream: http://127.0.0.1:9002}")
	case then.V == "reply" && !r.Reply.Set:
		f.Error(then.At, "config.then-needs", "then", "reply", "field", "reply", "example", "reply: {cache: true}")
	}
	if r.Hold.Share.Set && r.Hold.State.V != "on" {
		f.Warning(r.Hold.Share.At, "config.share-unheld")
	}
	if r.Reply.Set && r.Reply.Item.V > doc.Limits.Replies.V && doc.Limits.Replies.V > 0 {
		f.Error(fallback(r.Reply.Item.At, doc.Limits.Replies.At), "config.item-above",
			"value", r.Reply.Item.Text, "limit", "limits.replies", "most", doc.Limits.Replies.Text)
	}
	for i := range r.Reply.Channels {
		c := &r.Reply.Channels[i]
		if !c.URL.Set && !c.Text.Set {
			f.Error(c.At, "config.channel-empty")
		}
		if !c.Name.En.Set && !c.Name.Zh.Set {
			f.Error(c.Name.At, "config.channel-nameless")
		}
	}
	for i := range r.Block {
		b := &r.Block[i]
		if !b.Address.Set && !b.Path.Set && !b.Header.Set {
			f.Error(b.At, "config.block-all")
		}
	}
}
