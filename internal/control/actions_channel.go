package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/runbook"
)

// tryChannel tests a channel of the plan. One that the node can't send over is tested
// by a person, whose line is ticked off.
func (n *Node) tryChannel(ctx context.Context, c runbook.Call, channel string) (json.RawMessage, *continuity.CheckReason) {
	p, way := n.planOf(c.Run.Service), n.way()
	if p == nil {
		return nil, failed("no-plan").Failed
	}
	w, s, ok := way.behind(p, "", channel)
	if !ok {
		return jsonOf(map[string]any{"channel": channel, "tested": "by hand"}), nil
	}
	to := w.Address
	if s.kind.Address != "" && to == "" {
		to = n.addressOf(ctx, c, s.kind.Address)
	}
	trial, _, err := n.channels.tester.Test(ctx, notify.Test{
		Channel: w.Sender, To: to, Language: catalogue.Lang(cmp.Or(n.o.Config.Language, "en")), Plan: c.Run.Service + "/" + channel,
		Template: n.channels.template(w.Sender, catalogue.Lang(cmp.Or(n.o.Config.Language, "en"))),
		By:       continuity.Actor{Kind: continuity.ActorEngine, ID: c.Run.ID, Via: n.name},
	})
	output := jsonOf(map[string]any{"channel": channel, "sender": w.Sender, "trial": trial.ID, "state": trial.State, "read": trial.Read})
	switch {
	case err != nil:
		return output, failed("channel", "channel", channel, "why", string(continuity.CodeOf(err))).Failed
	case trial.State != notify.TrialPassed:
		return output, &continuity.CheckReason{Code: cmp.Or(trial.Reason.Code, "runbook.failed.channel-test"), Args: trial.Reason.Args}
	}
	return output, nil
}

// addressOf is where a test goes: to whom the step names, else to whoever leads the
// role that owns it.
func (n *Node) addressOf(ctx context.Context, c runbook.Call, kind string) string {
	person := c.Step.With["to"]
	if c.Step.Do != "channel.test" || person == "" {
		person = c.Step.Owner
		if p := n.planOf(c.Run.Service); p != nil && p.Roles[person] != nil {
			person, _ = n.way().lead(ctx, p, person, time.Now())
		}
	}
	who, _, err := n.store.People().Get(ctx, person)
	if err != nil {
		return ""
	}
	for _, a := range who.Addresses {
		if a.Kind == kind {
			return a.Value
		}
	}
	return ""
}

func (n *Node) testAction() runbook.Action {
	return runbook.Action{
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			output, why := n.tryChannel(ctx, c, c.Step.With["channel"])
			return runbook.Result{Output: output, Failed: why}
		},
		Show: n.showChannel("channel"),
	}
}

func (n *Node) showChannel(name string) func(context.Context, runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
	return func(_ context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
		channel := c.Step.With[name]
		if p := n.planOf(c.Run.Service); p != nil {
			if w, _, ok := n.way().behind(p, "", channel); ok {
				return what("channel", "channel", channel, "sender", w.Sender), nil
			}
		}
		return what("channel-by-hand", "channel", channel), nil
	}
}

// switchAction has one channel take the place of another: tested before it does, and
// the first tested before it comes back.
func (n *Node) switchAction() runbook.Action {
	return runbook.Action{
		Needs: rightSwitch,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			from, to := c.Step.With["from"], c.Step.With["to"]
			output, why := n.tryChannel(ctx, c, to)
			if why != nil {
				return runbook.Result{Output: output, Failed: why}
			}
			id := continuity.SwitchedID(c.Run.Service, from)
			before, err := n.store.Get(ctx, continuity.KindSwitched, id)
			if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
				return failed("channel", "channel", to, "why", string(continuity.CodeOf(err)))
			}
			undo := before.Body
			if undo == nil {
				undo = json.RawMessage("null")
			}
			return runbook.Result{Output: output, Undo: undo, Changes: []continuity.Change{
				continuity.Put(continuity.KindSwitched, id, c.Run.Service, "switched.over", continuity.Switched{
					ID: id, Service: c.Run.Service, From: from, To: to, Since: time.Now().UTC(), About: c.Run.About, By: c.Run.ID,
				}),
			}}
		},
		Undo: func(ctx context.Context, c runbook.Call) runbook.Result {
			from := c.Step.With["from"]
			if c.Undo == nil {
				return runbook.Result{} // it was never switched
			}
			output, why := n.tryChannel(ctx, c, from)
			if why != nil {
				return runbook.Result{Output: output, Failed: why}
			}
			back := continuity.Put(continuity.KindSwitched, continuity.SwitchedID(c.Run.Service, from), c.Run.Service, "switched.back", nil)
			if string(c.Undo) != "null" {
				back.Body = c.Undo
			}
			return runbook.Result{Output: output, Changes: []continuity.Change{back}}
		},
		Show: n.showChannel("to"),
	}
}

// switched are the channels of a service that another one takes the place of.
func (r *router) switched(ctx context.Context, service string) (map[string]string, error) {
	over := map[string]string{}
	for cursor := ""; ; {
		page, next, err := r.node.store.List(ctx, continuity.Query{Kind: continuity.KindSwitched, Service: service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			var s continuity.Switched
			if err := json.Unmarshal(o.Body, &s); err != nil {
				return nil, err
			}
			over[s.From] = s.To
		}
		if cursor = next; cursor == "" {
			return over, nil
		}
	}
}

// pauseAction has bulk uploads pause, or go on: whoever uploads goes by the object.
func (n *Node) pauseAction(on bool) runbook.Action {
	set := func(ctx context.Context, c runbook.Call, on bool) runbook.Result {
		what := c.Step.With["what"]
		id := continuity.PauseID(c.Run.Service, what)
		before, err := n.store.Get(ctx, continuity.KindPause, id)
		if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
			return failed("store", "why", string(continuity.CodeOf(err)))
		}
		undo := before.Body
		if undo == nil {
			undo = json.RawMessage("null")
		}
		change := continuity.Put(continuity.KindPause, id, c.Run.Service, "uploads.resumed", nil)
		if on {
			change = continuity.Put(continuity.KindPause, id, c.Run.Service, "uploads.paused", continuity.Pause{
				ID: id, Service: c.Run.Service, What: what, Since: c.Now, About: c.Run.About, By: c.Run.ID,
			})
		}
		if !on && before.Body == nil {
			return runbook.Result{Undo: undo} // nothing paused
		}
		return runbook.Result{Undo: undo, Changes: []continuity.Change{change}}
	}
	return runbook.Action{
		Plain: true,
		Do:    func(ctx context.Context, c runbook.Call) runbook.Result { return set(ctx, c, on) },
		Undo: func(ctx context.Context, c runbook.Call) runbook.Result {
			id := continuity.PauseID(c.Run.Service, c.Step.With["what"])
			if c.Undo == nil || string(c.Undo) == "null" {
				return set(ctx, c, false)
			}
			change := continuity.Put(continuity.KindPause, id, c.Run.Service, "uploads.paused", nil)
			change.Body = c.Undo
			return runbook.Result{Changes: []continuity.Change{change}}
		},
	}
}

// groupLasts is how long a temporary group stands where a step says nothing else.
const groupLasts = 24 * time.Hour

// opened is what is kept of a temporary group.
type opened struct {
	Group   string `json:"group"`            // of people
	Channel string `json:"channel"`          // of the plan
	ID      string `json:"id,omitempty"`     // the provider's
	Join    string `json:"join,omitempty"`   // the code or link by which people join
	Sender  string `json:"sender,omitempty"` // of the node
}

// groupAction opens a group for a time: by the provider, where the channel's does, else
// by showing everybody the code or link by which they join.
func (n *Node) groupAction() runbook.Action {
	return runbook.Action{
		Do: n.openGroup,
		Undo: func(ctx context.Context, c runbook.Call) runbook.Result {
			var o opened
			if c.Undo == nil {
				return runbook.Result{}
			}
			if err := json.Unmarshal(c.Undo, &o); err != nil {
				return failed("damaged")
			}
			if g, ok := n.channels.senders[o.Sender].channel.(notify.Gatherer); ok && o.ID != "" {
				if err := g.Part(ctx, o.ID); err != nil && notify.FailureOf(err).Code != notify.FailProvider {
					return failed("group", "channel", o.Channel, "why", notify.FailureOf(err).Code)
				}
			}
			return runbook.Result{Changes: []continuity.Change{continuity.Put(continuity.KindGroup, o.Group, "", "group.ended", nil)}}
		},
		Show: n.showChannel("channel"),
	}
}

func (n *Node) openGroup(ctx context.Context, c runbook.Call) runbook.Result {
	p, channel, team := n.planOf(c.Run.Service), c.Step.With["channel"], c.Step.With["team"]
	if p == nil {
		return failed("no-plan")
	}
	lasts := groupLasts
	if text := c.Step.With["for"]; text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil || lasts <= 0 {
			return failed("group-time", "value", text)
		}
	}
	key := plainKey(c.Run.ID + "-" + c.Step.ID)
	name := p.Name.En
	if t := p.Teams[team]; t != nil {
		name = cmp.Or(p.Name.Zh, p.Name.En) + " " + cmp.Or(t.Name.Zh, t.Name.En, team)
	}
	people := teamOf(p, team)
	o := opened{Group: "run-" + key, Channel: channel, Join: c.Step.With["join"]}
	w, s, reached := n.way().behind(p, "", channel)
	gatherer, can := s.channel.(notify.Gatherer)
	if reached && can {
		g, err := gatherer.Gather(ctx, notify.Gathering{Key: key, Name: name, Members: n.kindsOf(ctx, people, s.kind.Address)})
		if err != nil {
			return failed("group", "channel", channel, "why", notify.FailureOf(err).Code)
		}
		o.ID, o.Sender, o.Join = g.ID, w.Sender, cmp.Or(g.Link, o.Join)
	} else if o.Join == "" {
		if ch, ok := p.Channel(channel); ok {
			o.Join = cmp.Or(ch.How.Zh, ch.How.En)
		}
		if o.Join == "" {
			return failed("group-join", "channel", channel)
		}
	}
	args := func(catalogue.Lang) catalogue.Args {
		return catalogue.Args{"service": c.Run.Service, "name": name, "join": cmp.Or(o.Join, o.ID), "run": c.Run.ID, "channel": channel}
	}
	return runbook.Result{Output: jsonOf(o), Undo: jsonOf(o), Changes: []continuity.Change{
		continuity.Put(continuity.KindGroup, o.Group, "", "group.opened", continuity.Group{
			ID: o.Group, Name: continuity.Text{En: name, Zh: name}, People: people, Until: time.Now().Add(lasts).UTC(), About: aboutOf(c.Run),
		}),
		continuity.Tell(continuity.Notification{
			ID: stepNote(c), Service: c.Run.Service, About: continuity.KindRun + "/" + c.Run.ID, At: time.Now().UTC(), Urgency: continuity.UrgencyNotice,
			To: []continuity.Recipient{{Kind: continuity.ToTeam, ID: team}}, Exercise: c.Run.Exercise, Shown: c.Run.Shown,
			Subject: both("runbook.tell.group.subject", args), Text: both("runbook.tell.group.text", args),
		}),
	}}
}

// stepNote is the id of what an attempt of a step has told: of this one, and of no other.
func stepNote(c runbook.Call) string {
	return c.Run.ID + ".n-" + strings.ReplaceAll(c.Step.ID, "/", ".") + "-" + strconv.Itoa(c.Attempt)
}

// plainKey is a text as an id of letters and digits.
func plainKey(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(text))
}

// kindsOf are the addresses of one kind of some people.
func (n *Node) kindsOf(ctx context.Context, ids []string, kind string) (all []string) {
	for _, id := range ids {
		who, _, err := n.store.People().Get(ctx, id)
		if err != nil || who.HasLeft(time.Now()) {
			continue
		}
		for _, a := range who.Addresses {
			if a.Kind == kind {
				all = append(all, a.Value)
				break
			}
		}
	}
	return all
}

var errNoTemplate = errors.New("control: no such template")

// clockOf is the time of a call, by the clock that its run goes by.
func clockOf(c *runbook.Call) time.Time {
	if c.Run.Exercise != "" {
		return c.Shown
	}
	return c.Now
}

// repeats names what an audience was told already of the incident that a run is for,
// where a template would be its first word.
func (n *Node) repeats(ctx context.Context, run *continuity.Run, audience, template string) (by string, yes bool, err error) {
	kind, id, _ := strings.Cut(run.About, "/")
	rules, ok := n.words.Of(run.Service, time.Now())
	if kind != continuity.KindIncident || !ok {
		return "", false, nil
	}
	i, err := n.incidentOf(ctx, id)
	if err != nil {
		return "", false, err
	}
	var w *continuity.Window
	if i.Origin.Kind == continuity.KindWindow {
		o, err := n.store.Get(ctx, continuity.KindWindow, i.Origin.ID)
		switch {
		case continuity.CodeOf(err) == continuity.CodeNotFound:
		case err != nil:
			return "", false, err
		default:
			w = &continuity.Window{}
			if err := json.Unmarshal(o.Body, w); err != nil {
				return "", false, err
			}
		}
	}
	by, yes = rules.Repeats(&i, w, audience, template)
	return by, yes, nil
}

// wordsOf fills a template for what a run is about, as an update of it would be, at a
// time by the clock that it goes by.
func (n *Node) wordsOf(ctx context.Context, run *continuity.Run, audience, template string, at time.Time) (c announce.Composed, err error) {
	rules, ok := n.words.Of(run.Service, time.Now())
	if !ok {
		return c, errNoTemplate
	}
	kind, id, _ := strings.Cut(run.About, "/")
	switch kind {
	case continuity.KindIncident:
		var i continuity.Incident
		if i, err = n.incidentOf(ctx, id); err == nil {
			c, ok = rules.OfIncident(&i, audience, template, at)
		}
	case continuity.KindWindow:
		var o continuity.Object
		var w continuity.Window
		if o, err = n.store.Get(ctx, kind, id); err == nil {
			err = json.Unmarshal(o.Body, &w)
		}
		c, ok = rules.OfWindow(&w, template)
	default:
		since := run.Started
		if run.Exercise != "" {
			since = at
		}
		c, ok = rules.Of(run.Service, since, template)
	}
	if err == nil && !ok {
		err = errNoTemplate
	}
	return c, err
}

// notifyAction tells an audience, in the words of a template.
func (n *Node) notifyAction() runbook.Action {
	show := func(ctx context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
		w := c.Step.With
		words, err := n.wordsOf(ctx, c.Run, w["to"], w["template"], clockOf(&c))
		switch {
		case err != nil:
			return what("notify", "to", w["to"], "template", w["template"]), failed("template", "template", w["template"]).Failed
		case len(words.Missing) > 0:
			return what("notify", "to", w["to"], "template", w["template"]), failed("template-lacks", "template", w["template"], "words", strings.Join(words.Missing, ", ")).Failed
		}
		return what("notify", "to", w["to"], "template", w["template"]), nil
	}
	return runbook.Action{
		Plain: true, Show: show,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			words, err := n.wordsOf(ctx, c.Run, c.Step.With["to"], c.Step.With["template"], clockOf(&c))
			switch {
			case errors.Is(err, errNoTemplate):
				return failed("template", "template", c.Step.With["template"])
			case err != nil:
				return failed("store", "why", string(continuity.CodeOf(err)))
			case len(words.Missing) > 0:
				return failed("template-lacks", "template", c.Step.With["template"], "words", strings.Join(words.Missing, ", "))
			}
			by, told, err := n.repeats(ctx, c.Run, c.Step.With["to"], c.Step.With["template"])
			if err != nil {
				return failed("store", "why", string(continuity.CodeOf(err)))
			}
			if told {
				return runbook.Result{Output: jsonOf(map[string]any{"told_by": by})}
			}
			note := continuity.Notification{
				ID: stepNote(c), Service: c.Run.Service, About: aboutOf(c.Run), At: c.Now,
				Urgency: continuity.UrgencyNotice, To: []continuity.Recipient{{Kind: continuity.ToAudience, ID: c.Step.With["to"]}},
				Template: c.Step.With["template"], Vars: words.Vars, Exercise: c.Run.Exercise,
			}
			if c.Run.Exercise != "" {
				note.Shown = c.Shown
			}
			if channel := c.Step.With["channel"]; channel != "" {
				note.Channels = []string{channel}
			}
			return runbook.Result{Output: jsonOf(map[string]any{"notification": note.ID}), Changes: []continuity.Change{continuity.Tell(note)}}
		},
	}
}
