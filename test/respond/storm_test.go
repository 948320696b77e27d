package respond

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/demo/inbox"
)

// loud has the plan page when the shop is gone.
func loud(w *demo.World) error {
	return w.Edit("shop.yaml", "\nscenarios:", "  - {id: gone, name: {en: The shop is gone, zh: 商城无响应}, check: answers, state: down, for: 1s, level: red, owner: commander}\n\nscenarios:")
}

// TestTheFirstPageAfterAFault measures how long after the shop was killed somebody's
// phone rings.
func TestTheFirstPageAfterAFault(t *testing.T) {
	everywhere(t, func(t *testing.T, dsn string, _ func(n int) bool) {
		w := newWorld(t, demo.Options{ControlDSN: dsn}, func(w *demo.World) error {
			if err := quiet(w); err != nil {
				return err
			}
			return loud(w)
		})
		w.until(late, "the check knows the shop", func(ctx context.Context) (bool, string) {
			c, _, err := controlapi.Get[struct {
				State string `json:"state"`
			}](ctx, w.node(), "/checks/shop/answers", nil)
			return err == nil && c.State == "up", fmt.Sprint(err, c)
		})
		from, fault := len(w.Inbox.Items(0)), time.Now()
		w.did(w.Shop.Kill(), "kill the shop")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		call, err := w.Inbox.Until(ctx, from, func(i inbox.Item) bool { return i.Kind == inbox.Call && strings.Contains(i.Text, "gone") })
		w.did(err, "a call within a minute")
		t.Logf("the first page came %.1f s after the fault: %s", call.At.Sub(fault).Seconds(), call.Text)
		if call.To != liWei {
			t.Errorf("it went to %s", call.To)
		}
	})
}

// TestADeadChannelFallsBack measures how long a page takes to go another way when a
// channel takes connections and never answers, or answers that it can't.
func TestADeadChannelFallsBack(t *testing.T) {
	w := newWorld(t, demo.Options{}, quiet)
	for _, c := range []struct {
		name  string
		state inbox.State
	}{{"silent", inbox.Silent}, {"failing", inbox.Failing}} {
		t.Run(c.name, func(t *testing.T) {
			w.Inbox.Set(inbox.Call, c.state)
			defer w.Inbox.Set(inbox.Call, inbox.Up)
			asked, from := len(w.Inbox.Asked(inbox.Call)), len(w.Inbox.Items(0))
			s := page("dead-" + c.name)
			s.AckWithin, s.Escalate = 600, nil
			n := w.send(s)
			sent := w.told(from, "dead-"+c.name, inbox.Mail, "li.wei@shop.example")
			tries := w.Inbox.Asked(inbox.Call)[asked:]
			if len(tries) == 0 {
				t.Fatal("the dead channel was not asked")
			}
			took := sent.At.Sub(tries[0])
			t.Logf("%d attempts by phone, the mail came %.1f s after the first", len(tries), took.Seconds())
			if took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			w.did(inbox.Follow(t.Context(), sent.Link, ""), "follow the link")
			w.ends(n.ID, continuity.NotifyAcknowledged)
		})
	}
}

// TestTenThousandFailuresAtOnce has an Alertmanager report as many. Each phone rings
// once for each group at most, no channel gets more messages a minute than it takes,
// and each failure is accounted for.
func TestTenThousandFailuresAtOnce(t *testing.T) {
	failures := 10_000
	if testing.Short() {
		failures = 1000
	}
	w := newWorld(t, demo.Options{PerMinute: 5}, quiet)
	from, began := len(w.Inbox.Items(0)), time.Now()
	const once = 1000
	for first := 0; first < failures; first += once {
		var alerts []map[string]any
		for i := first; i < first+once; i++ {
			alerts = append(alerts, map[string]any{
				"status": "firing", "labels": map[string]string{"alertname": "Down", "service": demo.Service, "severity": "critical", "instance": fmt.Sprintf("n-%05d", i)},
				"annotations": map[string]string{"summary": fmt.Sprintf("n-%05d is down", i)},
				"startsAt":    began.UTC().Format(time.RFC3339), "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fmt.Sprintf("%016x", i+1),
			})
		}
		_, err := controlapi.Post[controlapi.Taken](t.Context(), w.node(), "/in/alertmanager", map[string]any{
			"version": "4", "groupKey": fmt.Sprint(first), "status": "firing", "receiver": "holdfast", "groupLabels": map[string]string{},
			"commonLabels": map[string]string{}, "commonAnnotations": map[string]string{}, "externalURL": "", "alerts": alerts,
		})
		w.did(err, "alerts from %d on", first)
	}
	t.Logf("%d alerts taken in %.1f s", failures, time.Since(began).Seconds())
	first := w.told(from, "is down", inbox.Call, liWei)
	t.Logf("the first page came %.1f s after the first alert was sent", first.At.Sub(began).Seconds())
	if first.At.Sub(began) > time.Minute {
		t.Errorf("the first page came after %s", first.At.Sub(began))
	}
	var states map[string]int
	w.until(6*time.Minute, "each failure is accounted for", func(ctx context.Context) (bool, string) {
		s, _, err := controlapi.Get[struct {
			Asked  int            `json:"asked"`
			States map[string]int `json:"states"`
		}](ctx, w.node(), "/notification-states", map[string][]string{"service": {demo.Service}})
		states = s.States
		sum := 0
		for _, n := range s.States {
			sum += n
		}
		return err == nil && s.Asked >= failures && sum == s.Asked && s.States[continuity.NotifyNew] == 0, fmt.Sprintf("%v %+v", err, s)
	})
	t.Logf("accounted for after %.1f s: %v", time.Since(began).Seconds(), states)
	items := w.Inbox.Items(from)
	calls := 0
	for i, a := range items {
		if a.Kind == inbox.Call {
			calls++
		}
		n := 0
		for _, b := range items[i:] {
			if b.Kind == a.Kind && b.At.Sub(a.At) < time.Minute {
				n++
			}
		}
		if n > 5 {
			t.Errorf("%d messages by %s within a minute", n, a.Kind)
		}
	}
	if ends := failures - states[continuity.NotifyGrouped] - states[continuity.NotifyRepeated]; calls > ends || ends > 20 {
		t.Errorf("%d calls, %v", calls, states)
	}
	t.Logf("%d calls, %d messages in all", calls, len(items))
	w.honest()
}
