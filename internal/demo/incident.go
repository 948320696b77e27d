package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo/inbox"
)

// firstMessage is within which customers are to be told, by the demo's plan, and
// firstPage within which somebody is called after a fault. The plan has seconds; the
// promise is what Holdfast promises everywhere.
const (
	firstMessage = 5 * time.Minute
	firstPage    = time.Minute
)

// Incident tells of a shop that slows and dies, and of what becomes of it.
func Incident(ctx context.Context, o Options, s Show) (*Report, error) {
	return begin(ctx, "incident", o, s, nil, func(ctx context.Context, p *play) error {
		i := &outage{play: p}
		for _, act := range []func(context.Context) error{i.calm, i.slows, i.dies, i.command, i.works, i.after} {
			if err := act(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// outage is an incident as it goes on.
type outage struct {
	*play

	id       string
	fault    time.Time
	declared time.Time
	from     int // messages before the fault
	back     time.Time
	run      string

	steps struct { // of the run, as they are followed
		sync.Mutex
		state map[string]string
		at    map[string]time.Time
		run   string
	}
	followed chan struct{}
}

func (i *outage) calm(ctx context.Context) error {
	i.say("demo.cast", "shop", i.at.Shop, "relay", i.at.Relay, "control", i.at.Control, "rate", i.Rate)
	if err := i.check(ctx, "answers", "up"); err != nil {
		return err
	}
	if err := i.check(ctx, "speed", "up"); err != nil {
		return err
	}
	i.say("demo.calm")
	return pause(ctx, 3*time.Second)
}

func (p *play) check(ctx context.Context, check, state string) error {
	node, err := p.Administrator()
	if err != nil {
		return err
	}
	return p.until(ctx, "check "+check+" is "+state, func(ctx context.Context) (bool, error) {
		c, _, err := controlapi.Get[struct {
			State string `json:"state"`
		}](ctx, node, "/checks/shop/"+check, nil)
		return c.State == state, err
	})
}

// slows has the shop slow down: a warning, and its owner learns it.
func (i *outage) slows(ctx context.Context) error {
	from, began := len(i.Inbox.Items(0)), time.Now()
	i.answering(ctx, "13800138002", "13800138003", "13800138005") // Li Wei lets it ring
	if err := i.SlowShop(600 * time.Millisecond); err != nil {
		return err
	}
	i.say("demo.slows", "by", catalogue.Lasts(i.Lang, 600*time.Millisecond))
	node, err := i.Administrator()
	if err != nil {
		return err
	}
	err = i.until(ctx, "a warning that the shop is slow", func(ctx context.Context) (bool, error) {
		w, _, err := controlapi.Get[continuity.Warning](ctx, node, "/warnings/shop.slow", nil)
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			return false, nil
		}
		return w.Stands(), err
	})
	if err != nil {
		return err
	}
	i.measured("warning", began, time.Now())
	i.say("demo.warned")
	if _, err := i.arrives(ctx, "the warning's owner is told", from, func(m inbox.Item) bool { return m.Kind == inbox.Mail }); err != nil {
		return err
	}
	return pause(ctx, 2*time.Second)
}

// dies kills the shop: the relay holds, an incident is declared, people are called,
// customers are told.
func (i *outage) dies(ctx context.Context) error {
	i.from = len(i.Inbox.Items(0))
	i.fault = time.Now()
	if err := i.Shop.Kill(); err != nil {
		return err
	}
	i.say("demo.dies", "pid", i.Shop.PID())
	if err := i.mode(ctx, "hold"); err != nil {
		return err
	}
	i.measured("held", i.fault, time.Now())
	i.say("demo.holds")
	node, err := i.Administrator()
	if err != nil {
		return err
	}
	err = i.until(ctx, "an incident is declared", func(ctx context.Context) (bool, error) {
		all, err := controlapi.List[continuity.Incident](ctx, node, "/incidents", url.Values{"service": {Service}}, 0)
		if err != nil || len(all) == 0 {
			return false, err
		}
		i.id, i.declared = all[0].ID, all[0].Declared
		return true, nil
	})
	if err != nil {
		return err
	}
	i.measured("declared", i.fault, i.declared)
	i.say("demo.declared", "id", i.id)
	i.steps.state, i.steps.at, i.followed = map[string]string{}, map[string]time.Time{}, make(chan struct{})
	go i.follow(ctx, node)
	call, err := i.arrives(ctx, "somebody is called", i.from, func(m inbox.Item) bool { return m.Kind == inbox.Call })
	if err != nil {
		return err
	}
	i.promised("first-page", i.measured("first-page", i.fault, call.At) <= firstPage, call.At.Sub(i.fault))
	word, err := i.arrives(ctx, "customers are told", i.from, func(m inbox.Item) bool { return m.Kind == inbox.Webhook })
	if err != nil {
		return err
	}
	i.promised("first-word", i.measured("first-word", i.fault, word.At) <= firstMessage, word.At.Sub(i.fault))
	return nil
}

func (i *outage) incident(ctx context.Context) (controlapi.IncidentDetail, int64, error) {
	node, err := i.Administrator()
	if err != nil {
		return controlapi.IncidentDetail{}, 0, err
	}
	return controlapi.Get[controlapi.IncidentDetail](ctx, node, "/incidents/"+i.id, nil)
}

// edit has a person change the incident as it is now.
func (i *outage) edit(ctx context.Context, who, what string, body any) error {
	c, err := i.As(ctx, who)
	if err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		_, version, err := i.incident(ctx)
		if err != nil {
			return err
		}
		_, _, err = controlapi.Put[continuity.Incident](ctx, c, "/incidents/"+i.id+"/"+what, version, body)
		if continuity.CodeOf(err) != continuity.CodeVersion || tries == 20 { // the engine was faster
			return err
		}
	}
}

// command: who was called first does not answer, the deputy takes command; an update
// is written by one and approved by another.
func (i *outage) command(ctx context.Context) error {
	err := i.until(ctx, "the deputy is in command", func(ctx context.Context) (bool, error) {
		d, _, err := i.incident(ctx)
		return d.Roles["commander"].State == "took" && d.Roles["commander"].Person == "zhang.min", err
	})
	if err != nil {
		return err
	}
	i.measured("commanded", i.fault, time.Now())
	i.say("demo.commands")
	if err := i.edit(ctx, "zhang.min", "state", map[string]any{"state": continuity.Identified, "why": i.t("demo.words.cause")}); err != nil {
		return err
	}
	liaison, err := i.As(ctx, "sun.lan")
	if err != nil {
		return err
	}
	u, err := controlapi.Post[continuity.Update](ctx, liaison, "/incidents/"+i.id+"/updates", map[string]any{
		"audience": "customers", "phase": "update", "status": continuity.Text{En: "the cause is known, orders are accepted all the time", Zh: "已找到原因，下单不受影响"},
		"expected": time.Now().Add(2 * time.Minute).UTC(), "next_update": time.Now().Add(30 * time.Minute).UTC(),
	})
	if err != nil {
		return err
	}
	i.say("demo.drafted", "state", u.State)
	i.promised("approval", u.State == continuity.UpdateDraft, u.State)
	from := len(i.Inbox.Items(0))
	commander, err := i.As(ctx, "zhang.min")
	if err != nil {
		return err
	}
	_, version, err := controlapi.Get[continuity.Update](ctx, commander, "/updates/"+u.ID, nil)
	if err != nil {
		return err
	}
	if _, _, err := controlapi.Put[continuity.Update](ctx, commander, "/updates/"+u.ID+"/approve", version, struct{}{}); err != nil {
		return err
	}
	i.say("demo.approved")
	_, err = i.arrives(ctx, "customers are told more", from, func(m inbox.Item) bool { return m.Kind == inbox.Webhook })
	return err
}

// works goes through the runbook: its commands run by themselves, what asks for a
// person gets one.
func (i *outage) works(ctx context.Context) error {
	if err := i.step(ctx, "answers", continuity.StepDone); err != nil {
		return err
	}
	i.back = i.when("answers")
	i.measured("back", i.fault, i.back)
	if err := i.step(ctx, "cents", continuity.StepAsking); err != nil {
		return err
	}
	if err := i.drained(ctx); err != nil {
		return err
	}
	i.measured("drained", i.fault, time.Now())
	i.say("demo.drained")
	clean, words, err := i.reconcile(ctx)
	if err != nil {
		return err
	}
	i.promised("reconciled", clean, words)
	i.say("demo.reconciled", "what", words)
	if err := i.acts(ctx, "zhang.min", "cents", "approve", map[string]any{"note": words}); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-i.followed:
	case <-waiting.Done():
	}
	i.steps.Lock()
	defer i.steps.Unlock()
	i.promised("run", i.steps.run == continuity.RunDone, i.steps.run)
	i.promised("restarted", i.Restarts() == 1, i.Restarts())
	return ctx.Err()
}

// follow says what becomes of the run's steps, until it is over.
func (i *outage) follow(ctx context.Context, node *controlapi.Client) {
	defer close(i.followed)
	for pause(ctx, 100*time.Millisecond) == nil {
		if d, _, err := i.incident(ctx); err != nil || d.Run == "" {
			continue
		} else {
			i.steps.Lock()
			i.run = d.Run
			i.steps.Unlock()
		}
		r, _, err := controlapi.Get[continuity.Run](ctx, node, "/runs/"+i.run, nil)
		if err != nil {
			continue
		}
		i.steps.Lock()
		i.steps.run = r.State
		for _, s := range r.Steps {
			if i.steps.state[s.ID] == s.State {
				continue
			}
			i.steps.state[s.ID], i.steps.at[s.ID] = s.State, time.Now()
			if s.State != continuity.StepWaiting {
				i.say("demo.step", "step", s.ID, "state", i.t("demo.state."+s.State))
			}
		}
		i.steps.Unlock()
		if r.State != continuity.RunRunning {
			return
		}
	}
}

// step waits until a step of the run is in a state; when is when it got its last one.
func (i *outage) step(ctx context.Context, step, state string) error {
	return i.until(ctx, "step "+step+" is "+state, func(context.Context) (bool, error) {
		i.steps.Lock()
		defer i.steps.Unlock()
		if i.steps.run != "" && i.steps.run != continuity.RunRunning {
			return false, errors.New("demo: the run is " + i.steps.run)
		}
		return i.steps.state[step] == state, nil
	})
}

func (i *outage) when(step string) time.Time {
	i.steps.Lock()
	defer i.steps.Unlock()
	return i.steps.at[step]
}

// acts has a person do something with a step of the run.
func (i *outage) acts(ctx context.Context, who, step, what string, body any) error {
	c, err := i.As(ctx, who)
	if err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		_, version, err := controlapi.Get[continuity.Run](ctx, c, "/runs/"+i.run, nil)
		if err != nil {
			return err
		}
		_, _, err = controlapi.Put[continuity.Run](ctx, c, "/runs/"+i.run+"/steps/"+url.PathEscape(step)+"/"+what, version, body)
		if continuity.CodeOf(err) != continuity.CodeVersion || tries == 20 {
			return err
		}
	}
}

// compared is what the product says of the relay's records and the shop's own list.
type compared struct {
	Records int64 `json:"records"`
	Found   int64 `json:"found"`
	Amounts bool  `json:"amounts"`
	Clean   bool  `json:"clean"`
	Sums    []struct {
		Amount string `json:"amount"`
	} `json:"sums"`
}

// compare has the product compare what the relay kept with the shop's own list.
func (p *play) compare(ctx context.Context) (r compared, words string, err error) {
	out, failed := p.Holdfast(ctx, "reconcile", "orders", "--json", "--config", "relay.yaml")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return r, "", errors.Join(failed, err)
	}
	r.Clean = r.Clean && r.Amounts && failed == nil
	var sums []string
	for _, s := range r.Sums {
		sums = append(sums, s.Amount)
	}
	return r, p.t("demo.words.reconciled", "found", r.Found, "records", r.Records, "sum", strings.Join(sums, ", ")), nil
}

// reconcile is compare where each record has to be there.
func (p *play) reconcile(ctx context.Context) (clean bool, words string, err error) {
	r, words, err := p.compare(ctx)
	return err == nil && r.Clean && r.Found == r.Records, words, err
}

// after: resolved, customers told, closed with its cause, and a review is due.
func (i *outage) after(ctx context.Context) error {
	err := i.until(ctx, "the check finds the shop back", func(ctx context.Context) (bool, error) {
		d, _, err := i.incident(ctx)
		return !d.Restored.IsZero(), err
	})
	if err != nil {
		return err
	}
	from := len(i.Inbox.Items(0))
	if err := i.edit(ctx, "zhang.min", "state", map[string]any{"state": continuity.Resolved, "restored": i.back.UTC(), "why": i.t("demo.words.resolved")}); err != nil {
		return err
	}
	i.measured("resolved", i.fault, time.Now())
	i.say("demo.resolved")
	if _, err := i.arrives(ctx, "customers learn that it is over", from, func(m inbox.Item) bool { return m.Kind == inbox.Webhook }); err != nil {
		return err
	}
	if err := i.edit(ctx, "zhang.min", "close", map[string]any{"causes": []string{"software"}, "summary": i.t("demo.words.summary")}); err != nil {
		return err
	}
	d, _, err := i.incident(ctx)
	if err != nil {
		return err
	}
	i.promised("review", !d.Review.IsZero(), d.State)
	i.say("demo.closed", "review", catalogue.Day(i.Lang, d.Review))
	node, err := i.Administrator()
	if err != nil {
		return err
	}
	entries, _, err := controlapi.Get[struct {
		Items []struct {
			Action string `json:"action"`
		} `json:"items"`
	}](ctx, node, "/incidents/"+i.id+"/timeline", url.Values{"limit": {"1000"}})
	if err != nil {
		return err
	}
	i.say("demo.timeline", "n", len(entries.Items), "id", i.id)
	figures, _, err := controlapi.Get[struct {
		Restored  *float64 `json:"restored"`
		WithinRTO *bool    `json:"within_rto"`
	}](ctx, node, "/incidents/"+i.id+"/figures", nil)
	if err != nil {
		return err
	}
	if figures.Restored != nil {
		i.report.Times = append(i.report.Times, Measured{"rto", *figures.Restored})
	}
	i.promised("rto", figures.WithinRTO != nil && *figures.WithinRTO, "")
	return pause(ctx, 2*time.Second)
}
