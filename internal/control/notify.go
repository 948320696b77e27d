package control

import (
	"cmp"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
	"holdfast/internal/warning"
)

// failedFor is how long the warning stands that somebody could not be told.
const failedFor = time.Hour

// openNotify tells people what other engines want told.
func (n *Node) openNotify(context.Context) error {
	way := &router{node: n, senders: n.channels.senders}
	engine := notify.New(notify.Options{
		Store: n.store, Node: n.name, Router: way, Channels: way, Prove: n.prove, Number: (&numbers{node: n}).hash, Tried: n.tried, Failed: n.untold, Refused: n.refused("notify"),
		Seed: rand.Uint64(), // #nosec G404 -- of pauses
		Log:  n.log,
		Lease: func() (continuity.Lease, bool) {
			if lease := n.leads(); lease != nil {
				return *lease, true
			}
			return continuity.Lease{}, false
		},
	})
	n.whileLeading("notify", func(ctx context.Context, _ *continuity.Lease) { engine.Run(ctx) })
	n.whileLeading("untold", func(ctx context.Context, _ *continuity.Lease) { n.every(ctx, time.Minute, n.endUntold) })
	n.whileLeading("silences", func(ctx context.Context, lease *continuity.Lease) {
		done := map[string]bool{}
		n.every(ctx, 5*time.Second, func(ctx context.Context) error { return n.afterSilences(ctx, lease, done) })
	})
	n.api.Notifications = notifyDesk{notify.NewActs(n.store, way, time.Now), n}
	return nil
}

// both makes a text of the catalogue in both languages.
func both(id string, args func(catalogue.Lang) catalogue.Args) continuity.Text {
	return continuity.Text{En: catalogue.Text(catalogue.En, id, args(catalogue.En)), Zh: catalogue.Text(catalogue.Zh, id, args(catalogue.Zh))}
}

// tell is whom a change of a warning is told to: what is orange or red pages the
// owner, what is less is a notice; that it is over is told to those who were told.
// A node without channels tells nobody.
func (n *Node) tell(before, after continuity.Warning, action string, now time.Time) []continuity.Change {
	if len(n.o.Config.Channels) == 0 || after.Source == continuity.FromNotify { // of that each is told by itself
		return nil
	}
	note := continuity.Notification{
		ID: after.ID + ".n-" + strconv.FormatInt(now.UnixMilli(), 36), Service: after.Service, About: warning.Kind + "/" + after.ID, At: now,
		Urgency: continuity.UrgencyNotice,
	}
	id := "notify.warning."
	switch action {
	case warning.Opened, warning.Raised, warning.Returned:
		if before.Stands() && !after.Level.Over(before.Level) {
			return nil
		}
		note.To, note.Escalate = n.ownersOf(&after)
		if len(note.To) == 0 {
			return nil // nobody's plan
		}
		note.Group, note.Touches = after.Service, n.touches(&after)
		if after.Level.Over(continuity.LevelYellow) && after.Source != continuity.FromChannel {
			note.Urgency = continuity.UrgencyPage // that one channel of several fails may wait for the morning
		}
		note.Rank = slices.Index([]continuity.Level{"blue", "yellow", "orange", "red"}, after.Level) + 1
	case warning.Cleared:
		id, note.Ends = "notify.cleared.", true
		note.To = []continuity.Recipient{{Kind: continuity.ToTold, ID: after.Since.UTC().Format(time.RFC3339Nano)}}
	default:
		return nil
	}
	args := func(lang catalogue.Lang) catalogue.Args {
		name := after.Text.En
		if lang == catalogue.Zh && after.Text.Zh != "" || name == "" {
			name = after.Text.Zh
		}
		return catalogue.Args{
			"service": after.Service, "name": name, "level": catalogue.Text(lang, "warning.level."+string(after.Level), nil),
			"since": after.Since.UTC().Format("2006-01-02 15:04 UTC"), "id": after.ID, "source": catalogue.Text(lang, "warning.source."+after.Source, nil),
		}
	}
	note.Subject, note.Text = both(id+"subject", args), both(id+"text", args)
	return []continuity.Change{continuity.Tell(note)}
}

// touches are the checks that a warning rests on, and the components that they
// look at.
func (n *Node) touches(w *continuity.Warning) (all []string) {
	p := n.planOf(w.Service)
	if p == nil {
		return nil
	}
	for i := range w.Evidence {
		check, ours := strings.CutPrefix(w.Evidence[i].ID, w.Service+"/")
		if w.Evidence[i].Kind != "check" || !ours || slices.Contains(all, check) {
			continue
		}
		all = append(all, check)
		for j := range p.Components {
			if c := &p.Components[j]; slices.Contains(c.Checks, check) && !slices.Contains(all, c.ID) {
				all = append(all, c.ID)
			}
		}
	}
	return all
}

// commander is the role that answers for what names no other.
const commander = "commander"

// ownersOf are who is told of a warning, and who after them: of one of the node
// itself, such as of its channels, all who own a plan.
func (n *Node) ownersOf(w *continuity.Warning) (to, escalate []continuity.Recipient) {
	if w.Service == "" {
		plans, _ := n.plansNow()
		for _, p := range plans {
			if owner := (continuity.Recipient{Kind: continuity.ToPerson, ID: p.Owner}); !slices.Contains(to, owner) {
				to = append(to, owner)
			}
		}
		return to, nil
	}
	p := n.planOf(w.Service)
	if p == nil {
		return nil, nil
	}
	role := w.Owner
	switch _, there := p.Roles[role]; {
	case there:
		to = []continuity.Recipient{{Kind: continuity.ToRole, ID: role}}
		escalate = []continuity.Recipient{{Kind: continuity.ToDeputies, ID: role}}
	case role != "":
		to = []continuity.Recipient{{Kind: continuity.ToPerson, ID: role}}
	}
	if _, there := p.Roles[commander]; there && role != commander {
		first := continuity.Recipient{Kind: continuity.ToRole, ID: commander}
		if to == nil {
			to = []continuity.Recipient{first}
		} else {
			escalate = append(escalate, first)
		}
		escalate = append(escalate, continuity.Recipient{Kind: continuity.ToDeputies, ID: commander})
	}
	if to == nil {
		to = []continuity.Recipient{{Kind: continuity.ToPerson, ID: p.Owner}}
	}
	for _, id := range sortedKeys(p.Teams) {
		if role == "" && slices.Contains(p.Teams[id].Roles, commander) || slices.Contains(p.Teams[id].Roles, role) {
			escalate = append(escalate, continuity.Recipient{Kind: continuity.ToTeam, ID: id})
		}
	}
	return to, escalate
}

// planOf is the plan of a service that holds; nil: there is none.
func (n *Node) planOf(service string) *plan.Plan {
	plans, _ := n.plansNow()
	for _, p := range plans {
		if p.ID == service {
			return p
		}
	}
	return nil
}

// tried takes over how an attempt on a channel ended.
func (n *Node) tried(ctx context.Context, id string, f *notify.Failure, at time.Time) {
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "notify", Via: n.name}
	if err := n.channels.tester.Note(ctx, by, id, f, at); err != nil && ctx.Err() == nil {
		n.log.Warn("how a channel does was not written down", "channel", id, "code", continuity.CodeOf(err), "error", err)
	}
}

// untoldRule names the signal that somebody was not told.
const untoldRule = "untold"

// aboutUntold begins what a notification is about that tells of another one.
const aboutUntold = continuity.KindNotification + "/"

// untold warns that a notification failed, and has it told to others.
func (n *Node) untold(note *continuity.Notification, at time.Time) []continuity.Change {
	service := note.Service
	if service == "" {
		service = "_"
	}
	id := service + "." + continuity.FromNotify + "." + untoldRule
	args := func(lang catalogue.Lang) catalogue.Args {
		return catalogue.Args{"service": note.Service, "about": subjectOf(note, lang), "id": note.ID, "why": catalogue.Text(lang, notify.FailureText(note.Failure), nil)}
	}
	s := continuity.Signal{
		ID: id, Service: note.Service, Source: continuity.FromNotify, Rule: untoldRule,
		Text: both(untoldText(note), args), Level: continuity.LevelYellow, At: at,
	}
	body, err := json.Marshal(s)
	if err != nil {
		return nil // it is made of texts and times
	}
	changes := []continuity.Change{{
		Kind: warning.KindSignal, ID: s.ID, Service: s.Service, Version: continuity.VersionAny, Body: body, Action: "signal.firing",
	}}
	if further := n.further(note, args, at); further != nil {
		changes = append(changes, continuity.Tell(*further))
	}
	return changes
}

// untoldText is the text that says that somebody was not told, or did not answer.
func untoldText(note *continuity.Notification) string {
	if note.Failure == notify.FailUnacknowledged {
		return "notify.unanswered"
	}
	return "notify.untold"
}

// subjectOf is what a notification is called: its subject, or the first line of its text,
// or the template of which neither was made.
func subjectOf(note *continuity.Notification, lang catalogue.Lang) string {
	for _, t := range []continuity.Text{note.Subject, note.Text} {
		text := t.En
		if lang == catalogue.Zh && t.Zh != "" || text == "" {
			text = t.Zh
		}
		if line, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); line != "" {
			return line
		}
	}
	return cmp.Or(note.Template, note.About)
}

// further tells those who answer for a service that somebody was not told: each time,
// those of a few minutes together. What tells of that itself goes no further.
func (n *Node) further(note *continuity.Notification, args func(catalogue.Lang) catalogue.Args, at time.Time) *continuity.Notification {
	if strings.HasPrefix(note.About, aboutUntold) {
		return nil
	}
	out := continuity.Notification{
		ID: note.ID + ".untold-" + strconv.FormatInt(at.UnixMilli(), 36) + strings.ToLower(crand.Text()[:4]), Service: note.Service, About: aboutUntold + note.ID, At: at,
		Urgency: continuity.UrgencyNotice, Group: note.Service + "/untold", Exercise: note.Exercise, Shown: note.Shown,
		Subject: both(untoldText(note)+".subject", args), Text: both(untoldText(note), args),
	}
	out.To, out.Escalate = n.ownersOf(&continuity.Warning{Service: note.Service})
	if len(out.To) == 0 {
		return nil
	}
	if note.Urgency == continuity.UrgencyPage && note.Failure != notify.FailUnacknowledged { // who got it and did not answer was paged already
		out.Urgency = continuity.UrgencyPage
	}
	return &out
}

// endUntold ends what was warned of long enough ago.
func (n *Node) endUntold(ctx context.Context) error {
	for cursor := ""; ; {
		page, next, err := n.store.List(ctx, continuity.Query{Kind: warning.KindSignal, Cursor: cursor, Limit: 1000})
		if err != nil {
			return err
		}
		for _, o := range page {
			var s continuity.Signal
			if err := json.Unmarshal(o.Body, &s); err != nil {
				return err
			}
			if s.Source != continuity.FromNotify || time.Since(s.At) < failedFor {
				continue
			}
			_, err := n.store.Apply(ctx, continuity.Actor{Kind: continuity.ActorEngine, ID: "notify", Via: n.name}, []continuity.Change{{
				Kind: o.Kind, ID: o.ID, Version: o.Version, Action: "signal.ended",
			}})
			if err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
