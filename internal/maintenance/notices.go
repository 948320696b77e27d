package maintenance

import (
	"context"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/follow"
)

// kindNotice is the kind of what providers announce, of which notice is the part
// that windows come of.
const kindNotice = "notice"

type notice struct {
	ID      string `json:"id"`
	Service string `json:"service"`
	Type    string `json:"type"`
	State   string `json:"state"`
	Title   string `json:"title"`
	Agreed  *struct {
		At         time.Time `json:"at"`
		Title      string    `json:"title"`
		Kind       string    `json:"kind"`
		Start      time.Time `json:"start"`
		End        time.Time `json:"end"`
		Components []string  `json:"components"`
	} `json:"agreed"`
}

// fromNotices makes windows of what providers announced and a person confirmed, and
// has them follow what is confirmed later. One window is changed at a time.
func (e *Engine) fromNotices(ctx context.Context, now time.Time) []continuity.Change {
	of := map[string]string{} // notice to window
	for id, h := range e.windows {
		if h.Origin.Kind == OriginNotice {
			of[h.Origin.ID] = id
		}
	}
	for _, id := range e.facts.ids(kindNotice) {
		var n notice
		if _, ok := e.facts.get(kindNotice, id, &n); !ok || n.Type != "window" || n.Agreed == nil {
			continue
		}
		var w *window
		if of[id] == "" {
			w = e.announcedBy(&n, now)
		} else {
			w = e.follows(&n, of[id], now)
		}
		if changes := follow.Free(ctx, w.changes()); changes != nil {
			return changes
		}
	}
	return nil
}

// announcedBy proposes a window for a confirmed notice.
func (e *Engine) announcedBy(n *notice, now time.Time) *window {
	a := n.Agreed
	if n.State != "confirmed" || a.Start.IsZero() || !a.End.After(a.Start) || !a.End.After(now) {
		return nil
	}
	w := e.fresh(n.Service, "", now)
	if w.rules == nil {
		return nil
	}
	w.Kind, w.Start, w.End, w.Affected = continuity.WindowPlanned, a.Start.UTC(), a.End.UTC(), a.Components
	if a.Kind == continuity.WindowEmergency {
		w.Kind = continuity.WindowEmergency
	}
	w.Title, w.Noticed = plainText(a.Title), a.At
	w.Origin = continuity.Origin{Kind: OriginNotice, ID: n.ID}
	w.Lacks = w.lacks()
	w.mark("window.proposed")
	w.owner("maintenance.proposed.", continuity.UrgencyNotice, map[string]any{"items": w.lackTexts()})
	return w
}

// follows has a window go by what is confirmed of its notice now.
func (e *Engine) follows(n *notice, id string, now time.Time) *window {
	w := e.open(e.windows[id], now)
	if w.over() || w.begun() || w.rules == nil {
		return nil
	}
	a := n.Agreed
	switch {
	case n.State == "over" && w.shown.Before(w.Start), n.State == "dismissed":
		w.cancel("maintenance.cancelled.provider", continuity.Text{})
	case n.State == "confirmed" && !a.At.Equal(w.Noticed):
		before := w.Window
		w.Noticed = a.At
		w.mark("window.noticed")
		if a.End.After(a.Start) {
			w.Start, w.End, w.Affected = a.Start.UTC(), a.End.UTC(), a.Components
		}
		if !same(&before, &w.Window) {
			w.become("window.changed")
			w.changed(&before)
		}
	default:
		return nil
	}
	return w
}

// fresh begins a window with the next number of its service.
func (e *Engine) fresh(service, exercise string, now time.Time) *window {
	h := held{Window: continuity.Window{Service: service, Exercise: exercise, State: continuity.WindowProposed}}
	w := e.open(h, now)
	w.version = continuity.VersionNew
	w.At = w.now
	w.By = continuity.Actor{Kind: continuity.ActorEngine, ID: "maintenance"}
	if w.rules != nil {
		w.Zone = w.rules.Zone.String()
	}
	w.ID = numbered(service, w.shown.Year(), func(id string) bool { _, taken := e.windows[id]; return taken })
	return w
}
