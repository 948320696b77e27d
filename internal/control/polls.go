package control

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

const (
	// pollEvery is how often channels are asked whose answers have to be fetched:
	// somebody who has answered is not to be called again.
	pollEvery = 20 * time.Second
	pollTime  = 2 * time.Minute
	// kindPoll is the kind of objects of what such a channel has read.
	kindPoll = "channel-read"
)

// polled is how far a channel's answers were read.
type polled struct {
	State []byte `json:"state"`
}

// pollChannels fetches answers while this node leads.
func (n *Node) pollChannels(take func(ctx context.Context, channel string, events []notify.Event) error) {
	n.whileLeading("answers of channels", func(ctx context.Context, lease *continuity.Lease) {
		var all sync.WaitGroup
		for id, s := range n.channels.senders {
			poller, ok := s.channel.(notify.Poller)
			if !ok {
				continue
			}
			all.Go(func() {
				n.every(ctx, pollEvery, func(ctx context.Context) error { return n.poll(ctx, lease, id, poller, take) })
			})
		}
		all.Wait()
	})
}

// poll fetches once. What was read is noted after it was taken, so that it is read
// again if this node dies between: to acknowledge twice changes nothing.
func (n *Node) poll(ctx context.Context, lease *continuity.Lease, id string, poller notify.Poller, take func(context.Context, string, []notify.Event) error) error {
	ctx, cancel := context.WithTimeout(ctx, pollTime)
	defer cancel()
	o, err := n.store.Get(ctx, kindPoll, id)
	if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
		return err
	}
	var was polled
	_ = json.Unmarshal(o.Body, &was) // nothing, or of another program: begin anew
	events, state, err := poller.Poll(ctx, was.State)
	if err != nil {
		return continuity.E(continuity.CodeUnreachable, err, "channel", id)
	}
	if err := take(ctx, id, events); err != nil || string(state) == string(was.State) {
		return err
	}
	body, err := json.Marshal(polled{state})
	if err != nil {
		return err
	}
	_, err = n.store.Commit(ctx, continuity.Batch{
		Actor: continuity.Actor{Kind: continuity.ActorEngine, ID: "channels", Via: n.name}, Leader: lease,
		Changes: []continuity.Change{{Kind: kindPoll, ID: id, Version: o.Version, Body: body, Action: "answers.read"}},
	})
	return err
}
