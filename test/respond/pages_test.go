package respond

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/demo/inbox"
	"holdfast/internal/notify"
)

const (
	soon = 30 * time.Second
	late = 90 * time.Second
)

// page is a page to Li Wei and, where nobody answers, to Zhang Min.
func page(mark string) controlapi.Sending {
	return controlapi.Sending{
		Service: demo.Service, Urgency: continuity.UrgencyPage, AckWithin: 10,
		To: []controlapi.Addressee{{Kind: "person", ID: "li.wei"}}, Escalate: []controlapi.Addressee{{Kind: "person", ID: "zhang.min"}},
		Subject: continuity.Text{En: mark}, Text: continuity.Text{En: mark + ": call the carrier"},
	}
}

func (w *world) send(s controlapi.Sending) continuity.Notification {
	w.t.Helper()
	n, err := controlapi.Post[continuity.Notification](w.t.Context(), w.node(), "/notifications", s)
	w.did(err, "send %s", s.Subject.En)
	return n
}

// told waits for a message with a mark.
func (w *world) told(from int, mark, kind, to string) inbox.Item {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), late)
	defer cancel()
	item, err := w.Inbox.Until(ctx, from, func(i inbox.Item) bool {
		return strings.Contains(i.Text, mark) && (kind == "" || i.Kind == kind) && (to == "" || i.To == to)
	})
	w.did(err, "%s to %s with %s", kind, to, mark)
	return item
}

func (w *world) notification(id string) (notify.Detail, error) {
	d, _, err := controlapi.Get[notify.Detail](w.t.Context(), w.node(), "/notifications/"+id, nil)
	return d, err
}

func (w *world) ends(id, state string) notify.Detail {
	w.t.Helper()
	var d notify.Detail
	w.until(late, "notification "+id+" is "+state, func(context.Context) (bool, string) {
		var err error
		d, err = w.notification(id)
		return err == nil && d.State == state, fmt.Sprintf("%v, %+v", err, d)
	})
	return d
}

const (
	liWei    = "13800138001"
	zhangMin = "13800138002"
)

// TestKilledAtEachStageOfAPage kills the node at each stage of a page, and each time
// the page is there once, or twice and says so, and is acknowledged once.
func TestKilledAtEachStageOfAPage(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dsn string, tried func(n int) bool) {
		w := newWorld(t, demo.Options{ControlDSN: dsn, PerMinute: 1000}, quiet)
		stages := []struct {
			name string
			kill func(mark string, from int) (id string)
			// most is how many calls of Li Wei may come for the page.
			most  int
			after func(id, mark string, from int)
		}{
			{"asked for", func(mark string, _ int) string {
				n := w.send(page(mark))
				w.did(w.Control.Kill(), "kill")
				return n.ID
			}, 1, nil},
			{"while it is sent, before it arrived", func(mark string, _ int) string { return w.killedWhile(mark, inbox.Lost) }, 1, nil},
			{"while it is sent, after it arrived", func(mark string, _ int) string { return w.killedWhile(mark, inbox.Cut) }, 2, nil},
			{"waiting for somebody", func(mark string, from int) string {
				n := w.send(page(mark))
				w.told(from, mark, inbox.Call, liWei)
				w.ends(n.ID, continuity.NotifyWaiting)
				w.did(w.Control.Kill(), "kill")
				return n.ID
			}, 1, nil},
			{"just acknowledged", func(mark string, from int) string {
				n := w.send(page(mark))
				call := w.told(from, mark, inbox.Call, liWei)
				w.ends(n.ID, continuity.NotifyWaiting)
				w.did(w.Press(t.Context(), call, "1"), "press")
				w.did(w.Control.Kill(), "kill")
				return n.ID
			}, 1, func(id, mark string, from int) {
				w.ends(id, continuity.NotifyAcknowledged)
			}},
			{"while it is escalated", func(mark string, from int) string {
				n := w.send(page(mark))
				w.killOn(mark, zhangMin, inbox.Cut)
				w.told(from, mark, inbox.Call, zhangMin)
				<-w.Control.Done()
				return n.ID
			}, 1, func(id, mark string, from int) {
				call := w.told(from, mark, inbox.Call, zhangMin)
				w.acknowledged(id, call)
				if n := w.count(from, mark, zhangMin); n < 1 || n > 2 {
					t.Errorf("%d calls of the deputy", n)
				}
			}},
		}
		pages := 0
		for i, s := range stages {
			if !tried(i) {
				continue
			}
			pages++
			t.Run(s.name, func(t *testing.T) {
				mark, from := fmt.Sprintf("stage-%d", i), len(w.Inbox.Items(0))
				id := s.kill(mark, from)
				w.Inbox.Taking(nil, nil)
				began := time.Now()
				w.again()
				if s.after != nil {
					s.after(id, mark, from)
				} else {
					w.acknowledged(id, w.told(from, mark, inbox.Call, liWei))
				}
				if n := w.count(from, mark, liWei); n < 1 || n > s.most {
					t.Errorf("%d calls of Li Wei, %d at most", n, s.most)
				}
				t.Logf("over %.1f s after the new start began", time.Since(began).Seconds())
			})
		}
		w.honest()
		w.balanced(pages)
	})
}

// quiet takes out of the plan what tells people by itself.
func quiet(w *demo.World) error {
	return w.Edit("shop.yaml", "trigger: {check: answers}", "trigger: {person: true}")
}

// killOn has the node killed when a message with a mark comes for a number.
func (w *world) killOn(mark, to string, fate inbox.Fate) {
	var once sync.Once
	w.Inbox.Taking(func(i inbox.Item) inbox.Fate {
		if !strings.Contains(i.Text, mark) || i.To != to {
			return inbox.Answered
		}
		answer := inbox.Answered
		once.Do(func() {
			_ = w.Control.Kill()
			answer = fate
		})
		return answer
	}, nil)
}

// killAt has the node killed as the nth message from now on comes.
func (w *world) killAt(n int, fate inbox.Fate) {
	w.Inbox.Taking(func(inbox.Item) inbox.Fate {
		if n--; n != 0 {
			return inbox.Answered
		}
		_ = w.Control.Kill()
		return fate
	}, nil)
}

// killedWhile kills the node while a page is being sent.
func (w *world) killedWhile(mark string, fate inbox.Fate) string {
	w.killOn(mark, liWei, fate)
	n := w.send(page(mark))
	<-w.Control.Done()
	return n.ID
}

// acknowledged presses the key until the node says that it is so: a node that has
// just been started may not yet listen, or not yet know the call.
func (w *world) acknowledged(id string, call inbox.Item) {
	w.t.Helper()
	w.until(late, "notification "+id+" is acknowledged", func(ctx context.Context) (bool, string) {
		last := call
		for _, i := range w.Inbox.Items(0) { // a call whose answer was lost is not known by its number
			if i.Key == call.Key && i.Kind == call.Kind {
				last = i
			}
		}
		err := w.Press(ctx, last, "1")
		d, failed := w.notification(id)
		return failed == nil && d.State == continuity.NotifyAcknowledged, fmt.Sprint(err, failed, d.State)
	})
}

// count is how many messages with a mark came for a number.
func (w *world) count(from int, mark, to string) (n int) {
	for _, i := range w.Inbox.Items(from) {
		if strings.Contains(i.Text, mark) && i.To == to {
			n++
		}
	}
	return n
}

// honest requires that nothing came twice without saying so, or again more often than a
// node died while it was sent, and that nothing was refused.
func (w *world) honest() {
	w.t.Helper()
	unmarked, often := w.Inbox.Doubled()
	if len(unmarked) > 0 {
		w.t.Errorf("came again and did not say so: %v", unmarked)
	}
	for _, id := range often {
		came := 0
		for _, i := range w.Inbox.Items(0) {
			if i.Kind+" "+i.Key == id {
				came++
			}
		}
		if deaths := w.deaths(delivery.FindString(id)); came > 1+deaths {
			w.t.Errorf("%s came %d times over %d deaths", id, came, deaths)
		}
	}
	if refused := w.Inbox.Refusals(); len(refused) > 0 {
		w.t.Errorf("refused: %v", refused)
	}
}

var delivery = regexp.MustCompile(`[a-z0-9.-]+\.d-\d+`)

// deaths is how often a node died while it sent a message.
func (w *world) deaths(delivery string) int {
	w.t.Helper()
	all, err := controlapi.List[controlapi.EventHead](w.t.Context(), w.node(), "/events",
		url.Values{"kind": {continuity.KindDelivery}, "id": {delivery}, "action": {"delivery.interrupted"}}, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

// balanced requires that the states add up to what was asked for, and that all is over.
func (w *world) balanced(least int) notify.Standing {
	w.t.Helper()
	var s notify.Standing
	w.until(late, "everything is over", func(ctx context.Context) (bool, string) {
		var err error
		s, _, err = controlapi.Get[notify.Standing](ctx, w.node(), "/notification-states", nil)
		sum := 0
		for _, n := range s.States {
			sum += n
		}
		open := s.States[continuity.NotifyNew] + s.States[continuity.NotifySending] + s.States[continuity.NotifyWaiting]
		return err == nil && sum == s.Asked && open == 0, fmt.Sprintf("%v %+v", err, s)
	})
	if s.Asked < least {
		w.t.Errorf("%d notifications are known of %d", s.Asked, least)
	}
	return s
}

var chosen = sync.OnceValue(rand.Uint64)

// seed is the one of the environment, or a new one for all tests; it is printed.
func seed(t *testing.T) uint64 {
	t.Helper()
	n := chosen()
	if text := os.Getenv("RESPOND_SEED"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("RESPOND_SEED=%d", n)
	return n
}

// TestKilledAgainAndAgain kills the node by a schedule of chance while people and
// customers are told things all the time. Everything that the node took is told, what
// comes twice says so, and pages know no repeat.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dsn string, _ func(n int) bool) {
		rnd := rand.New(rand.NewPCG(seed(t), 7)) // #nosec G404 -- chance, not secrecy
		w := newWorld(t, demo.Options{ControlDSN: dsn, PerMinute: 1000}, quiet)
		died, rounds := 0, 6
		if *kills < 100 {
			rounds = 4
		}
		var marks []string
		ids := map[string]string{}
		var unclear int
		for round := range rounds {
			dies := time.Now().Add(time.Duration(100+rnd.IntN(2400)) * time.Millisecond)
			killed := make(chan struct{})
			if round%2 == 1 { // at the nth message, as it comes
				w.killAt(1+rnd.IntN(12), []inbox.Fate{inbox.Answered, inbox.Cut, inbox.Lost}[rnd.IntN(3)])
			}
			go func() {
				defer close(killed)
				<-time.After(time.Until(dies))
				_ = w.Control.Kill() // if it still runs
			}()
			for i := 0; time.Now().Before(dies); i++ {
				mark := fmt.Sprintf("r%d-%03d.", round, i)
				s := controlapi.Sending{Service: demo.Service, Subject: continuity.Text{En: mark, Zh: mark}, Text: continuity.Text{En: mark, Zh: mark}, Urgency: continuity.UrgencyNotice}
				switch rnd.IntN(3) {
				case 0:
					s.To = []controlapi.Addressee{{Kind: "audience", ID: "customers"}}
				case 1:
					s.To = []controlapi.Addressee{{Kind: "person", ID: "chen.jie"}}
					s.Channels = []string{"mail"}
				default:
					s.To = []controlapi.Addressee{{Kind: "role", ID: "technical"}}
					s.Channels = []string{"phone"}
				}
				n, err := controlapi.Post[continuity.Notification](t.Context(), w.node(), "/notifications", s)
				switch {
				case err == nil:
					marks = append(marks, mark)
					ids[mark] = n.ID
				case continuity.CodeOf(err) == continuity.CodeUnreachable:
					unclear++
				default:
					t.Fatal(err)
				}
				<-time.After(time.Duration(rnd.IntN(120)) * time.Millisecond) // people say things at any time
			}
			<-killed
			w.Inbox.Taking(nil, nil)
			died++
			w.again()
		}
		s := w.balanced(len(marks))
		if s.States[continuity.NotifyFailed] > 0 {
			t.Errorf("%v failed", s.States)
		}
		said := map[string]int{}
		plain := map[string]int{}
		for _, i := range w.Inbox.Items(0) {
			for _, mark := range marks {
				if strings.Contains(i.Text, mark) {
					said[mark]++
					if !i.Repeat {
						plain[mark]++
					}
				}
			}
		}
		repeats := 0
		for _, mark := range marks {
			switch {
			case said[mark] == 0:
				w.further(mark, ids[mark])
			case plain[mark] > 1:
				t.Errorf("%s came %d times and did not say so", mark, plain[mark])
			}
			repeats += max(0, said[mark]-1)
		}
		w.honest()
		t.Logf("%d kills, %d notifications taken, %d answers lost with the node, %d marked repeats, states %v", died, len(marks), unclear, repeats, s.States)
	})
}

// further requires that what no message names was told as one of those that a message
// has no room to name.
func (w *world) further(mark, id string) {
	w.t.Helper()
	d, err := w.notification(id)
	w.did(err, "notification %s", id)
	for _, v := range d.Deliveries {
		for _, i := range w.Inbox.Items(0) {
			if v.By != "" && strings.Contains(i.Key, v.By) && strings.Contains(i.Text, " more") {
				return
			}
		}
	}
	w.t.Errorf("%s was taken and told to nobody: %s %+v", mark, d.State, d.Deliveries)
}
