package control

import (
	"context"
	"encoding/json"
	"strings"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// autoreplyAction has whoever writes to a channel answered by itself, or no longer.
func (n *Node) autoreplyAction(on bool) runbook.Action {
	set := func(ctx context.Context, c runbook.Call, want *continuity.AutoreplyFor) runbook.Result {
		a := continuity.Autoreply{ID: continuity.AutoreplyID(c.Run.Service, c.Step.With["channel"]), Service: c.Run.Service, Channel: c.Step.With["channel"]}
		version := continuity.VersionNew
		o, err := n.store.Get(ctx, continuity.KindAutoreply, a.ID)
		switch {
		case continuity.CodeOf(err) == continuity.CodeNotFound:
		case err != nil:
			return failed("store", "why", string(continuity.CodeOf(err)))
		default:
			if err := json.Unmarshal(o.Body, &a); err != nil {
				return failed("damaged")
			}
			version = o.Version
		}
		undo := json.RawMessage("null")
		for _, w := range a.Wanted {
			if w.About == aboutOf(c.Run) {
				undo = jsonOf(w)
			}
		}
		if want != nil {
			a.Want(*want)
		} else if !a.Drop(aboutOf(c.Run)) {
			return runbook.Result{Undo: undo} // none was given for this
		}
		return runbook.Result{Undo: undo, Changes: []continuity.Change{a.Change(version)}}
	}
	back := func(ctx context.Context, c runbook.Call) runbook.Result {
		if c.Undo == nil || string(c.Undo) == "null" {
			return set(ctx, c, nil)
		}
		var before continuity.AutoreplyFor
		if err := json.Unmarshal(c.Undo, &before); err != nil {
			return failed("damaged")
		}
		return set(ctx, c, &before)
	}
	if !on {
		return runbook.Action{Plain: true, Undo: back, Do: func(ctx context.Context, c runbook.Call) runbook.Result { return set(ctx, c, nil) }}
	}
	return runbook.Action{
		Plain: true, Undo: back,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			words, err := n.wordsOf(ctx, c.Run, "", c.Step.With["template"], clockOf(&c))
			switch {
			case err != nil:
				return failed("template", "template", c.Step.With["template"])
			case len(words.Missing) > 0:
				return failed("template-lacks", "template", c.Step.With["template"], "words", strings.Join(words.Missing, ", "))
			}
			if c.Run.Exercise != "" {
				words.Text = announce.Marked(words.Text)
			}
			return set(ctx, c, &continuity.AutoreplyFor{About: aboutOf(c.Run), Text: words.Text, Since: c.Now, Exercise: c.Run.Exercise})
		},
	}
}
