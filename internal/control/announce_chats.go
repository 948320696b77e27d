package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// One address is answered by itself this often for one incident or window at most:
// two programs that answer each other come to rest.
const answersAgain = time.Hour

// answerUnclaimed answers whoever writes to a channel that answers by itself while
// something stands, and what they write belongs to nothing that they were told.
func (n *Node) answerUnclaimed(ctx context.Context, sender string, e *notify.Event) error {
	if e.From == "" {
		return nil
	}
	for cursor := ""; ; {
		page, next, err := n.store.List(ctx, continuity.Query{Kind: continuity.KindAutoreply, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var a continuity.Autoreply
			if err := json.Unmarshal(o.Body, &a); err != nil {
				return err
			}
			if !a.On || a.Channel == "" || n.senderOf(a.Service, a.Channel) != sender {
				continue
			}
			return n.answer(ctx, sender, &a, e)
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// senderOf is the node's channel behind one of a plan.
func (n *Node) senderOf(service, channel string) string {
	p := n.planOf(service)
	if p == nil {
		return ""
	}
	if s := p.Behind(channel); s != nil {
		return s.Via
	}
	return channel
}

// answer has an address answered, once in a while.
func (n *Node) answer(ctx context.Context, sender string, a *continuity.Autoreply, e *notify.Event) error {
	now := time.Now().UTC()
	whom := sha256.Sum256([]byte(a.ID + "\n" + a.About + "\n" + e.From))
	since := now.Truncate(answersAgain)
	note := continuity.Notification{
		ID: a.ID + ".n-" + hex.EncodeToString(whom[:8]) + "-" + since.Format("2006010215"), Service: a.Service, About: continuity.KindAutoreply + "/" + a.ID,
		Urgency: continuity.UrgencyNotice, At: now, To: []continuity.Recipient{{Kind: continuity.ToAddress, ID: sender, Address: e.From}}, Text: a.Text, Exercise: a.Drill,
	}
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "announce", Via: n.name}
	_, err := n.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{continuity.Tell(note)}})
	if continuity.CodeOf(err) == continuity.CodeVersion {
		return nil // they were answered already
	}
	return err
}
