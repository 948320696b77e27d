package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
	"holdfast/internal/notify"
)

// repliesFor is how long after a window an answer to what was said of it counts as
// feedback.
const repliesFor = 14 * 24 * time.Hour

// hearOfWindows hands on what a channel's provider told, and then takes answers to
// messages of windows as what they are: whether it works again, or how it was. What
// can't be taken is written to the log: the provider has done its part.
func (n *Node) hearOfWindows(take func(context.Context, string, []notify.Event) error) func(context.Context, string, []notify.Event) error {
	return func(ctx context.Context, channel string, events []notify.Event) error {
		if err := take(ctx, channel, events); err != nil {
			return err
		}
		for i := range events {
			if e := &events[i]; e.Kind == notify.EventReply && e.Text != "" {
				if err := n.heardOfWindow(ctx, channel, e); err != nil && ctx.Err() == nil {
					n.log.Warn("an answer about a window was not taken", "channel", channel, "code", continuity.CodeOf(err), "error", err)
				}
			}
		}
		return nil
	}
}

func (n *Node) heardOfWindow(ctx context.Context, channel string, e *notify.Event) error {
	open, err := n.windowsThatListen(ctx)
	if err != nil || len(open) == 0 {
		return err
	}
	d, err := n.answered(ctx, channel, e, open)
	if err != nil || d == nil {
		return err
	}
	id, _, _ := strings.Cut(d.Notification, ".")
	by := continuity.Actor{Kind: "person", ID: d.Person, Via: channel}
	text := notify.OwnWords(e.Text)
	if open[id] == continuity.WindowReadmitting {
		works := notify.Agrees(e.Text)
		if works {
			text = ""
		}
		_, err = n.api.Courses.CheckIn(ctx, by, id, d.Person, works, text)
		return err
	}
	score := 0
	if len(text) == 1 && text >= "1" && text <= "5" {
		score, text = int(text[0]-'0'), ""
	}
	if score == 0 && text == "" {
		return nil
	}
	_, err = n.api.Courses.Feedback(ctx, by, id, score, text)
	return err
}

// windowsThatListen are those of which somebody may say something, with their states.
func (n *Node) windowsThatListen(ctx context.Context) (map[string]string, error) {
	open := map[string]string{}
	if n.api.Windows == nil || n.api.Courses == nil {
		return open, nil
	}
	for cursor := ""; ; {
		page, next, err := n.api.Windows.List(ctx, maintenance.Query{All: true, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for i := range page {
			w := &page[i]
			if w.State == continuity.WindowReadmitting || (w.State == continuity.WindowDone || w.State == continuity.WindowFailed) && time.Since(w.Ended) < repliesFor {
				open[w.ID] = w.State
			}
		}
		if cursor = next; cursor == "" {
			return open, nil
		}
	}
}

// answered is the delivery of a window's message that an answer belongs to: the one
// that the provider names, else the last that went to whoever has the address. Where
// they were told something else since, the answer is about that.
func (n *Node) answered(ctx context.Context, channel string, e *notify.Event, open map[string]string) (*continuity.Delivery, error) {
	var sent []continuity.Delivery
	for cursor := ""; ; {
		page, next, err := n.store.List(ctx, continuity.Query{Kind: continuity.KindDelivery, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			var d continuity.Delivery
			if json.Unmarshal(o.Body, &d) == nil && d.Sender == channel && d.Person != "" && !d.Sent.IsZero() {
				sent = append(sent, d)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.SortFunc(sent, func(a, b continuity.Delivery) int { return b.Sent.Compare(a.Sent) })
	theirs := map[string]bool{}
	for i := range sent {
		d := &sent[i]
		id, _, _ := strings.Cut(d.Notification, ".")
		if e.ID != "" && d.Provider == e.ID {
			if open[id] == "" {
				return nil, nil
			}
			return d, nil
		}
		is, asked := theirs[d.Person]
		if !asked && e.From != "" {
			addresses, err := n.addressesOf(ctx, d.Person)
			if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
				return nil, err
			}
			is = slices.ContainsFunc(addresses, func(one string) bool { return notify.SameAddress(one, e.From) })
			theirs[d.Person] = is
		}
		if !is {
			continue
		}
		if open[id] == "" {
			return nil, nil
		}
		return d, nil
	}
	return nil, nil
}
