package control

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
	"holdfast/internal/watch"
)

// timerTest is the kind of the timers of regular tests of channels.
const timerTest = "channel.test"

// regular is a channel of a plan that is to be tested again and again.
type regular struct {
	plan    *plan.Plan
	channel plan.Channel
	sender  *plan.Sender
}

func (r *regular) ref() string { return r.plan.ID + "/" + r.channel.ID }

func testTimer(ref string) string { return timerTest + "/" + ref }

// openChannelTests tests the channels of plans as often as these say.
func (n *Node) openChannelTests(context.Context) error {
	n.jobs[timerTest] = n.channels.testRegularly
	n.whileLeading("tests of channels", func(ctx context.Context, lease *continuity.Lease) {
		n.every(ctx, 30*time.Second, func(ctx context.Context) error { return n.channels.ensureTests(ctx, lease) })
	})
	return nil
}

// regulars are the channels of the plans that hold which are to be tested and which
// a channel of this node stands behind.
func (d *channelDesk) regulars() map[string]*regular {
	all := map[string]*regular{}
	plans, _ := d.plansNow()
	for _, p := range plans {
		for _, ch := range p.Channels {
			s := p.Behind(ch.ID)
			if ch.Test == nil {
				continue
			}
			if _, ok := d.senders[s.Via]; ok {
				r := &regular{p, ch, s}
				all[r.ref()] = r
			}
		}
	}
	return all
}

// ensureTests sets a timer for each regular test that has none: a period after the
// last one, or from now where there was none.
func (d *channelDesk) ensureTests(ctx context.Context, lease *continuity.Lease) error {
	var missing []continuity.Timer
	for ref, r := range d.regulars() {
		_, err := d.store.Timer(ctx, testTimer(ref))
		if err == nil {
			continue
		}
		if continuity.CodeOf(err) != continuity.CodeNotFound {
			return err
		}
		from := time.Now()
		s, err := d.state(ctx, r.sender.Via)
		if err != nil {
			return err
		}
		if s.Test != nil && s.Test.Plan == ref {
			from = s.Test.At
		}
		missing = append(missing, continuity.Timer{ID: testTimer(ref), Kind: timerTest, Due: r.channel.Test.Every.After(from), Body: json.RawMessage("{}")})
	}
	if len(missing) == 0 {
		return nil
	}
	_, err := d.store.Commit(ctx, continuity.Batch{Actor: d.me(), Schedule: missing, Leader: lease})
	return err
}

func (d *channelDesk) me() continuity.Actor {
	return continuity.Actor{Kind: continuity.ActorEngine, ID: "channels", Via: d.name}
}

// testRegularly is the handler of timerTest: it tests once, tells who is in charge,
// and sets the next one.
func (d *channelDesk) testRegularly(ctx context.Context, t continuity.Timer) (continuity.Batch, error) {
	b := continuity.Batch{Actor: d.me()}
	r := d.regulars()[strings.TrimPrefix(t.ID, timerTest+"/")]
	if r == nil {
		return b, nil // no plan wants it any more
	}
	want, err := d.wanted(ctx, r)
	if err != nil {
		return b, err
	}
	trial, _, err := d.tester.Test(ctx, want)
	if err != nil {
		return b, err
	}
	next := r.channel.Test.Every.After(trial.At)
	b.Schedule = []continuity.Timer{{ID: t.ID, Kind: timerTest, Due: next, Body: json.RawMessage("{}")}}
	b.Changes = []continuity.Change{continuity.Tell(r.result(&trial, next))}
	return b, nil
}

// wanted is the message of a regular test: to the plan's room, or to whoever is in
// charge of the test.
func (d *channelDesk) wanted(ctx context.Context, r *regular) (notify.Test, error) {
	lang := catalogue.Lang(d.o.Config.Language)
	want := notify.Test{Channel: r.sender.Via, To: r.sender.To, Language: lang, Plan: r.ref(), By: d.me()}
	kind := d.senders[r.sender.Via].kind
	if want.To == "" && kind.Address != "" {
		for _, id := range r.people() {
			person, _, err := d.store.People().Get(ctx, id)
			switch code := continuity.CodeOf(err); {
			case code == continuity.CodeNotFound, err == nil && person.HasLeft(time.Now()):
				continue
			case err != nil:
				return want, err
			}
			for _, a := range person.Addresses {
				if a.Kind == kind.Address {
					want.To, want.Person = a.Value, id
					break
				}
			}
			if want.To != "" {
				break
			}
		}
	}
	want.Template = d.approved(r.plan, r.sender, lang)
	return want, nil
}

// approved is the text in which a provider that sends approved ones only says that
// a channel is tested: that of a page. Without one, its refusal is what a test finds.
func (d *channelDesk) approved(p *plan.Plan, s *plan.Sender, lang catalogue.Lang) *notify.Template {
	if !p.Bound(s) {
		return nil
	}
	subject := catalogue.Text(lang, "channel.test-subject", catalogue.Args{"channel": s.ID})
	w, err := binding.Word(p, d.channelKind, s.ID, plan.Page, lang, map[string]string{"subject": subject, "text": subject, "link": "-"})
	if err != nil {
		return nil
	}
	return w.Template
}

// template is the approved text for a test by hand: that of the first plan which has
// one for the channel.
func (d *channelDesk) template(id string, lang catalogue.Lang) *notify.Template {
	plans, _ := d.plansNow()
	for _, p := range plans {
		if p.Tech == nil {
			continue
		}
		for i := range p.Tech.Channels {
			if s := &p.Tech.Channels[i]; s.Via == id {
				if t := d.approved(p, s, lang); t != nil {
					return t
				}
			}
		}
	}
	return nil
}

// people are those in charge of the test.
func (r *regular) people() []string {
	if role := r.plan.Roles[r.channel.Test.By]; role != nil {
		return role.People
	}
	return []string{r.channel.Test.By}
}

// result tells whoever is in charge how the test ended.
func (r *regular) result(trial *continuity.Trial, next time.Time) continuity.Notification {
	n := continuity.Notification{
		ID: r.plan.ID + ".n-test-" + r.channel.ID + "-" + trial.ID, Service: r.plan.ID, About: continuity.KindChannel + "/" + r.sender.Via,
		Urgency: continuity.UrgencyInfo, At: time.Now().UTC(), To: []continuity.Recipient{{Kind: continuity.ToPerson, ID: r.channel.Test.By}},
	}
	if r.plan.Roles[r.channel.Test.By] != nil {
		n.To[0].Kind = continuity.ToRole
	}
	if trial.State == notify.TrialFailed {
		n.Urgency = continuity.UrgencyNotice
	}
	say := func(lang catalogue.Lang) (subject, text string) {
		args := catalogue.Args{
			"channel": r.channel.ID, "service": r.plan.ID, "state": trial.State, "read": trial.Read, "why": watch.Say(lang, trial.Reason),
			"next": next.Format(time.DateOnly),
		}
		return catalogue.Text(lang, "channel.tested-subject", args), catalogue.Text(lang, "channel.tested-text", args)
	}
	n.Subject.En, n.Text.En = say(catalogue.En)
	n.Subject.Zh, n.Text.Zh = say(catalogue.Zh)
	return n
}
