package control

import (
	"context"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// repliesFor is how long after a window an answer to what was said of it counts as
// feedback.
const repliesFor = 14 * 24 * time.Hour

// hearOfWindows hands on what a channel's provider told, and then takes answers to
// messages of windows as what they are: whether it works again, or how it was. What
// can't be taken is written to the log: the provider has done its part.
func (n *Node) hearOfWindows(acks *notify.Acks) func(context.Context, string, []notify.Event) error {
	return func(ctx context.Context, channel string, events []notify.Event) error {
		if err := acks.Take(ctx, channel, events); err != nil {
			return err
		}
		for i := range events {
			if e := &events[i]; e.Kind == notify.EventReply && e.Text != "" {
				if err := n.heardOfWindow(ctx, acks, channel, e); err != nil && ctx.Err() == nil {
					n.log.Warn("an answer about a window was not taken", "channel", channel, "code", continuity.CodeOf(err), "error", err)
				}
			}
		}
		return nil
	}
}

func (n *Node) heardOfWindow(ctx context.Context, acks *notify.Acks, channel string, e *notify.Event) error {
	if n.api.Windows == nil || n.api.Courses == nil {
		return nil
	}
	about, person, ok, err := acks.Answered(ctx, channel, e)
	id, _, below := strings.Cut(about, ".")
	if err != nil || !ok || !below || person == "" {
		return err
	}
	w, _, err := n.api.Windows.Get(ctx, id)
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
		return nil // it is about something else
	case err != nil:
		return err
	}
	by := continuity.Actor{Kind: "person", ID: person, Via: channel}
	text := notify.OwnWords(e.Text)
	switch w.State {
	case continuity.WindowReadmitting:
		works, said := notify.Agrees(e.Text), text
		if works {
			said = ""
		}
		_, err = n.api.Courses.CheckIn(ctx, by, id, person, works, said)
		if continuity.CodeOf(err) != continuity.CodeInvalid {
			return err
		} // who was not let in says how it is all the same
	case continuity.WindowDone, continuity.WindowFailed:
		if time.Since(w.Ended) >= repliesFor {
			return nil
		}
	default:
		return nil
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
