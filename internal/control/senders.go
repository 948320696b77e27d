package control

import (
	"errors"
	"log/slog"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/notify"
	"holdfast/internal/notify/kinds"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// sender is a channel of the node.
type sender struct {
	set     controlconfig.Channel
	kind    notify.Kind
	channel notify.Channel
}

// openSender opens a channel; it connects to nothing yet.
func openSender(c *controlconfig.Control, set controlconfig.Channel, log *slog.Logger) (sender, error) {
	kind, ok := kinds.All[set.Kind]
	if !ok {
		return sender{}, continuity.E(continuity.CodeConfig, errors.New("control: no kind of channel "+set.Kind))
	}
	guard := outgoing.New(outgoing.NewPolicy(c.Outgoing...), nil)
	source := c.Source()
	tools := notify.Tools{
		ID: set.ID, Client: guard.Client, Guard: guard, Now: time.Now, Log: log,
		Secret: func(ref secret.Ref) (continuity.Secret, error) {
			text, err := source.Resolve(ref)
			return continuity.Secret(text.Reveal()), err
		},
	}
	if c.Public != nil {
		tools.Hook = c.Public.URL + "/in/" + set.ID
	}
	channel, err := kind.Open(set.Settings, tools)
	if err != nil {
		return sender{}, continuity.E(continuity.CodeConfig, err, "channel", set.ID)
	}
	return sender{set, kind, channel}, nil
}

// openSenders opens all channels of the settings.
func openSenders(c *controlconfig.Control, log *slog.Logger) (map[string]sender, error) {
	all := make(map[string]sender, len(c.Channels))
	for _, set := range c.Channels {
		s, err := openSender(c, set, log)
		if err != nil {
			return nil, err
		}
		all[set.ID] = s
	}
	return all, nil
}
