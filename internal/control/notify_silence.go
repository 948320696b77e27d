package control

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/warning"
)

// lateSilence is how long after its end it is looked for what a silence kept back:
// a node may lead that did not then.
const lateSilence = 24 * time.Hour

// afterSilences tells of warnings that a silence kept from being told and that stand
// when it is over. Done remembers the silences that were looked at; what was told
// already is not told again, whoever looked.
func (n *Node) afterSilences(ctx context.Context, lease *continuity.Lease, done map[string]bool) error {
	now := time.Now().UTC()
	for cursor := ""; ; {
		page, next, err := n.store.List(ctx, continuity.Query{Kind: continuity.KindSilence, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var s continuity.Silence
			if err := json.Unmarshal(o.Body, &s); err != nil {
				return err
			}
			if done[s.ID] || now.Before(s.Until) || now.Sub(s.Until) > lateSilence {
				continue
			}
			if err := n.afterSilence(ctx, lease, &s, now); err != nil {
				return err
			}
			done[s.ID] = true
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

func (n *Node) afterSilence(ctx context.Context, lease *continuity.Lease, s *continuity.Silence, now time.Time) error {
	last := map[string]continuity.Notification{} // by what it is about
	for cursor := ""; ; {
		page, next, err := n.store.List(ctx, continuity.Query{Kind: continuity.KindNotification, Service: s.Service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var note continuity.Notification
			if err := json.Unmarshal(o.Body, &note); err != nil {
				return err
			}
			if !note.At.Before(last[note.About].At) {
				last[note.About] = note
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	var changes []continuity.Change
	for _, about := range sortedKeys(last) {
		id, of := strings.CutPrefix(about, warning.Kind+"/")
		if note := last[about]; !of || note.State != continuity.NotifySilenced || note.By != continuity.KindSilence+"/"+s.ID {
			continue
		}
		k, err := warning.NewActs(n.store, time.Now).Get(ctx, id)
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			continue
		}
		if err != nil {
			return err
		}
		if slices.Contains([]string{continuity.WarningOpen, continuity.WarningConfirmed}, k.State) {
			changes = append(changes, n.tell(continuity.Warning{}, k.Warning, warning.Opened, now)...)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "notify", Via: n.name}
	_, err := n.store.Commit(ctx, continuity.Batch{Actor: by, Changes: changes, Leader: lease})
	return err
}
