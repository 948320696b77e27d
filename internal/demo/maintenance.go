package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo/inbox"
)

// Maintenance tells of a window: announced step by step on a clock that jumps, begun,
// overrun, and its people let back in by batches.
func Maintenance(ctx context.Context, o Options, s Show) (*Report, error) {
	return begin(ctx, "maintenance", o, s, planned, func(ctx context.Context, p *play) error {
		m := &window{play: p}
		for _, act := range []func(context.Context) error{m.plan, m.ladder, m.begins, m.overruns, m.completes, m.readmits, m.after} {
			if err := act(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// planned has a shop that is taken down on purpose be no incident by itself, nor a
// warning.
func planned(w *World) error {
	if err := w.Edit("shop.yaml", "state: degraded, for: 1s", "state: degraded, for: 30m"); err != nil {
		return err
	}
	return w.Edit("shop.yaml", "trigger: {check: answers}", "trigger: {person: true}")
}

// exercise is whose clock jumps.
const exercise = "demo"

// window is one as it goes on.
type window struct {
	*play

	id         string
	start, end time.Time
	zone       *time.Location
}

// rung is one step of the notices before a window.
type rung struct {
	Step  string    `json:"step"`
	Due   time.Time `json:"due"`
	Moved bool      `json:"moved"`
}

// windowDetail is a window with its ladder.
type windowDetail struct {
	continuity.Window

	Ladder []rung `json:"ladder"`
}

// jump sets the exercise's clock.
func (m *window) jump(ctx context.Context, to time.Time) error {
	c, err := m.As(ctx, "zhang.min")
	if err != nil {
		return err
	}
	path := "/exercises/" + exercise
	version := int64(continuity.VersionNew)
	_, v, err := controlapi.Get[controlapi.ExerciseShown](ctx, c, path, nil)
	switch {
	case err == nil:
		version = v
	case continuity.CodeOf(err) != continuity.CodeNotFound:
		return err
	}
	_, _, err = controlapi.Put[controlapi.ExerciseShown](ctx, c, path, version, controlapi.ExerciseClock{Shown: to.UTC(), Speed: 1})
	return err
}

func (m *window) shows(at time.Time) string { return catalogue.DayTime(m.Lang, at, m.zone) }

// ahead is how long before the window a step is: 5d, 1h.
func (m *window) ahead(step string) string {
	if days, ok := strings.CutSuffix(step, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil {
			return catalogue.Lasts(m.Lang, time.Duration(n)*24*time.Hour)
		}
	}
	if d, err := time.ParseDuration(step); err == nil {
		return catalogue.Lasts(m.Lang, d)
	}
	return step
}

func (m *window) get(ctx context.Context) (windowDetail, int64, error) {
	node, err := m.Administrator()
	if err != nil {
		return windowDetail{}, 0, err
	}
	return controlapi.Get[windowDetail](ctx, node, "/windows/"+m.id, nil)
}

// put has a person do something with the window as it is now.
func (m *window) put(ctx context.Context, who, what string, body any) error {
	c, err := m.As(ctx, who)
	if err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		_, version, err := m.get(ctx)
		if err != nil {
			return err
		}
		_, _, err = controlapi.Put[continuity.Window](ctx, c, "/windows/"+m.id+"/"+what, version, body)
		if continuity.CodeOf(err) != continuity.CodeVersion || tries == 20 { // the engine was faster
			return err
		}
	}
}

// becomes waits until the window is in a state.
func (m *window) becomes(ctx context.Context, states ...string) error {
	return m.until(ctx, "the window is "+strings.Join(states, " or "), func(ctx context.Context) (bool, error) {
		d, _, err := m.get(ctx)
		if err == nil && d.State == continuity.WindowFailed && !slices.Contains(states, d.State) {
			return false, errors.New("demo: the window failed")
		}
		return slices.Contains(states, d.State), err
	})
}

// plan proposes and schedules the window: a Thursday night, so that one of the steps
// before it is due on a Saturday.
func (m *window) plan(ctx context.Context) (err error) {
	m.say("demo.cast", "shop", m.at.Shop, "relay", m.at.Relay, "control", m.at.Control, "rate", m.Rate)
	m.answering(ctx, "13800138001", "13800138002", "13800138003", "13800138004", "13800138005")
	if m.zone, err = time.LoadLocation("Asia/Shanghai"); err != nil {
		return err
	}
	day := time.Now().In(m.zone).AddDate(0, 0, 14)
	for day.Weekday() != time.Thursday {
		day = day.AddDate(0, 0, 1)
	}
	m.start = time.Date(day.Year(), day.Month(), day.Day(), 2, 0, 0, 0, m.zone)
	m.end = m.start.Add(2 * time.Hour)
	if err := m.jump(ctx, m.start.AddDate(0, 0, -8)); err != nil {
		return err
	}
	c, err := m.As(ctx, "zhang.min")
	if err != nil {
		return err
	}
	w, err := controlapi.Post[continuity.Window](ctx, c, "/windows", map[string]any{
		"service": Service, "kind": continuity.WindowPlanned, "exercise": exercise, "start": m.start.UTC(), "end": m.end.UTC(),
		"title": continuity.Text{En: "A new database", Zh: "更换数据库"}, "reason": continuity.Text{En: "A new database", Zh: "更换数据库"},
		"affected": []string{"order-system"}, "contact": "4000008826", "standby": m.t("demo.words.hotline"),
		"hits": continuity.Text{En: "everybody who orders", Zh: "所有下单的人"}, "meanwhile": continuity.Text{En: "orders are accepted and passed on later", Zh: "订单先接收，之后转交"},
	})
	if err != nil {
		return err
	}
	m.id = w.ID
	if err := m.put(ctx, "zhang.min", "schedule", map[string]any{"despite": m.t("demo.words.despite")}); err != nil {
		return err
	}
	if err := m.put(ctx, "chen.jie", "ready/backup", map[string]any{"state": "yes"}); err != nil {
		return err
	}
	m.say("demo.planned", "id", m.id, "start", m.shows(m.start), "end", m.shows(m.end))
	return nil
}

// ladder has the clock jump to each step: staff and customers are told, each once.
func (m *window) ladder(ctx context.Context) error {
	d, _, err := m.get(ctx)
	if err != nil {
		return err
	}
	rungs := slices.Clone(d.Ladder)
	slices.SortStableFunc(rungs, func(a, b rung) int { return a.Due.Compare(b.Due) })
	moved, told := 0, 0
	for _, r := range rungs {
		from := len(m.Inbox.Items(0))
		if err := m.jump(ctx, r.Due.Add(time.Second)); err != nil {
			return err
		}
		if r.Moved {
			moved++
			day := r.Due.In(m.zone).Weekday()
			m.promised("workday", day != time.Saturday && day != time.Sunday, day)
			m.say("demo.jumped-workday", "shows", m.shows(r.Due), "step", m.ahead(r.Step))
		} else {
			m.say("demo.jumped", "shows", m.shows(r.Due), "step", m.ahead(r.Step))
		}
		if err := m.bothTold(ctx, from, r.Step); err != nil {
			return err
		}
		told++
	}
	m.promised("ladder", told == 4 && moved > 0, told, moved)
	return nil
}

// bothTold waits until staff and customers are told of a step.
func (m *window) bothTold(ctx context.Context, from int, step string) error {
	if _, err := m.arrives(ctx, "staff are told: "+step, from, func(i inbox.Item) bool { return i.Kind == inbox.Mail }); err != nil {
		return err
	}
	_, err := m.arrives(ctx, "customers are told: "+step, from, func(i inbox.Item) bool { return i.Kind == inbox.Webhook })
	return err
}

// begins starts the window: the relay keeps orders, and the shop is taken down.
func (m *window) begins(ctx context.Context) error {
	from, began := len(m.Inbox.Items(0)), time.Now()
	if err := m.jump(ctx, m.start.Add(time.Second)); err != nil {
		return err
	}
	m.say("demo.window-starts", "shows", m.shows(m.start))
	if err := m.becomes(ctx, continuity.WindowRunning); err != nil {
		return err
	}
	if err := m.mode(ctx, "hold"); err != nil {
		return err
	}
	m.measured("window-held", began, time.Now())
	m.say("demo.holds")
	if err := m.bothTold(ctx, from, "start"); err != nil {
		return err
	}
	if err := m.Shop.Kill(); err != nil {
		return err
	}
	m.say("demo.taken-down", "pid", m.Shop.PID())
	return pause(ctx, 2*time.Second)
}

// overruns has the end pass by: the contingency plan begins.
func (m *window) overruns(ctx context.Context) error {
	from, began := len(m.Inbox.Items(0)), time.Now()
	if err := m.jump(ctx, m.end.Add(time.Second)); err != nil {
		return err
	}
	m.say("demo.overruns", "shows", m.shows(m.end))
	if err := m.becomes(ctx, continuity.WindowOverrun); err != nil {
		return err
	}
	if err := m.bothTold(ctx, from, "overrun"); err != nil {
		return err
	}
	call, err := m.arrives(ctx, "whoever decides is called", from, func(i inbox.Item) bool { return i.Kind == inbox.Call })
	if err != nil {
		return err
	}
	m.promised("overrun-page", m.measured("overrun", began, call.At) < time.Minute, "")
	var incident string
	err = m.until(ctx, "an incident is declared", func(ctx context.Context) (bool, error) {
		d, _, err := m.get(ctx)
		incident = d.Incident
		return incident != "", err
	})
	m.promised("contingency", err == nil, incident)
	m.say("demo.contingency", "id", incident)
	return err
}

// completes has the work end: a check and a person say so, then things are verified.
func (m *window) completes(ctx context.Context) error {
	if err := m.StartShop(); err != nil {
		return err
	}
	m.say("demo.started-again", "pid", m.Shop.PID())
	if err := m.check(ctx, "answers", "up"); err != nil {
		return err
	}
	if err := m.put(ctx, "chen.jie", "complete", map[string]any{}); err != nil {
		return err
	}
	m.say("demo.complete")
	if err := m.becomes(ctx, continuity.WindowVerifying, continuity.WindowReadmitting); err != nil {
		return err
	}
	r, err := m.Route(ctx)
	if err != nil {
		return err
	}
	m.promised("kept-until-verified", r.Mode == "hold", r.Mode)
	for _, item := range []string{"orders", "goods"} {
		if err := m.put(ctx, "chen.jie", "verify/"+url.PathEscape(item), map[string]any{"works": true}); err != nil {
			return err
		}
		m.say("demo.verified", "item", item)
	}
	return m.becomes(ctx, continuity.WindowReadmitting, continuity.WindowDone)
}

// readmits lets people back in, batch by batch, each when the one before says that it
// works for them.
func (m *window) readmits(ctx context.Context) error {
	began := time.Now()
	seen, batches := 0, 0
	err := m.until(ctx, "everybody is back in", func(ctx context.Context) (bool, error) {
		d, _, err := m.get(ctx)
		if err != nil {
			return false, err
		}
		if d.Batch > seen {
			batches++
			seen = d.Batch
			m.say("demo.batch", "n", seen)
		}
		return d.State == continuity.WindowDone, nil
	})
	if err != nil {
		return err
	}
	m.promised("batches", batches == 3, batches)
	m.measured("readmitted", began, time.Now())
	m.say("demo.released")
	if err := m.drained(ctx); err != nil {
		return err
	}
	m.say("demo.drained")
	return nil
}

// after: the state before is there again, a review is due, the incident is over.
func (m *window) after(ctx context.Context) error {
	d, _, err := m.get(ctx)
	if err != nil {
		return err
	}
	r, err := m.Route(ctx)
	if err != nil {
		return err
	}
	m.promised("restored", r.Mode == "pass", r.Mode)
	m.promised("review", !d.Review.IsZero(), "")
	clean, words, err := m.reconcile(ctx)
	if err != nil {
		return err
	}
	m.promised("reconciled", clean, words)
	m.say("demo.reconciled", "what", words)
	if err := m.resolve(ctx, d.Incident); err != nil {
		return err
	}
	m.say("demo.window-over", "review", catalogue.Day(m.Lang, d.Review.In(m.zone)))
	unmarked := ""
	for _, i := range m.Inbox.Items(0) { // what is an exercise says so; that the real shop is slow is none
		if strings.Contains(i.Text, "shop is slow") || strings.Contains(i.Text, "商城变慢") {
			continue
		}
		if i.Kind != inbox.Call && !strings.Contains(i.Subject+i.Text, map[catalogue.Lang]string{catalogue.En: "xercise", catalogue.Zh: "演练"}[m.Lang]) && unmarked == "" {
			unmarked = i.Subject + ": " + i.Text
		}
	}
	m.promised("exercise", unmarked == "", unmarked)
	return pause(ctx, 2*time.Second)
}

// resolve ends the incident that the overrun became.
func (m *window) resolve(ctx context.Context, id string) error {
	c, err := m.As(ctx, "zhang.min")
	if err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		_, version, err := controlapi.Get[continuity.Incident](ctx, c, "/incidents/"+id, nil)
		if err != nil {
			return fmt.Errorf("incident %s: %w", id, err)
		}
		_, _, err = controlapi.Put[continuity.Incident](ctx, c, "/incidents/"+id+"/state", version, map[string]any{"state": continuity.Resolved, "why": m.t("demo.words.resolved")})
		if continuity.CodeOf(err) != continuity.CodeVersion || tries == 20 {
			return err
		}
	}
}
