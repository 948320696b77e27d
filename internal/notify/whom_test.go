package notify_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// asking is a router that a test answers for.
type asking struct {
	*world

	resolve func(notify.Ask) []notify.Target
}

func (a asking) Resolve(_ context.Context, ask notify.Ask) ([]notify.Target, error) {
	return a.resolve(ask), nil
}

func byMail(id string, addresses ...string) notify.Target {
	t := notify.Target{ID: id, Person: id}
	for _, address := range addresses {
		t.Ways = append(t.Ways, notify.Way{Channel: "mail", Sender: "mail", Kind: "mail", Address: address})
	}
	return t
}

// TestAddressesThatLookAlike are two all the same, though they are masked.
func TestAddressesThatLookAlike(t *testing.T) {
	inBubble(t, func(w *world) {
		w.o.Router = asking{w, func(a notify.Ask) []notify.Target {
			if a.To.Kind == continuity.ToAddress {
				one := byMail("", a.To.Address)
				one.ID, one.Person = a.To.ID+"/"+notify.Mask(a.To.Address), ""
				return []notify.Target{one}
			}
			return []notify.Target{byMail("li.wei", "li.wei@example.com", "liwei@example.com")}
		}}
		w.posts["mail"].fail = func(_ context.Context, m *notify.Message) error {
			if m.To == "li.wei@example.com" {
				return &notify.Failure{Code: notify.FailAddress}
			}
			return nil
		}
		w.lead("a")
		strangers := note("n1", "notice")
		strangers.To = []continuity.Recipient{
			{Kind: continuity.ToAddress, ID: "mail", Address: "kate@example.com"}, {Kind: continuity.ToAddress, ID: "mail", Address: "karl@example.com"},
			{Kind: continuity.ToAddress, ID: "mail", Address: "karl@example.com"},
		}
		w.tell(note("p1", "page", "role:commander"), strangers)
		time.Sleep(30 * time.Second)
		got := strings.Join(w.texts("mail"), "\n")
		for _, to := range []string{"li.wei@example.com", "liwei@example.com", "kate@example.com", "karl@example.com"} {
			if strings.Count(got, " "+to+":") != 1 {
				t.Errorf("%s: %s", to, got)
			}
		}
		for _, d := range append(w.get("p1").Deliveries, w.get("n1").Deliveries...) {
			if strings.Contains(d.Address, "li") || strings.Contains(d.Address, "ka") {
				t.Error(d.Address)
			}
		}
		over := note("n2", "notice", "told:")
		over.About, over.Ends = "warning/n1", true
		w.tell(over)
		time.Sleep(2 * time.Minute)
		if got := strings.Join(w.texts("mail"), "\n"); strings.Count(got, " kate@") != 2 || strings.Count(got, " karl@") != 2 {
			t.Error(got)
		}
	})
}

// TestWhoTakesOverMeanwhileIsPaged has the next turn of a rota begin before the page
// is escalated.
func TestWhoTakesOverMeanwhileIsPaged(t *testing.T) {
	inBubble(t, func(w *world) {
		handover := w.began.Add(2 * time.Minute)
		w.o.Router = asking{w, func(a notify.Ask) []notify.Target {
			lead, other := "li.wei", "zhang.min"
			if !a.At.Before(handover) {
				lead, other = other, lead
			}
			switch a.To.Kind {
			case continuity.ToRole:
				return []notify.Target{byMail(lead, lead+"@example.com")}
			case continuity.ToDeputies:
				return []notify.Target{byMail(other, other+"@example.com")}
			}
			return []notify.Target{byMail(a.To.ID, a.To.ID+"@example.com")}
		}}
		w.lead("a")
		n := note("p1", "page", "role:commander")
		n.Escalate = recipients("deputies:commander")
		w.tell(n)
		time.Sleep(6 * time.Minute)
		got := w.sent("mail", 2)
		if got[0].To != "li.wei@example.com" || got[1].To != "zhang.min@example.com" {
			t.Errorf("%q", w.texts("mail"))
		}
	})
}

// TestWhatJoinedIsToldThoughNobodyAnswers has the notification that tells for a
// group fail before it told of what came last.
func TestWhatJoinedIsToldThoughNobodyAnswers(t *testing.T) {
	inBubble(t, func(w *world) {
		w.lead("a")
		first, second := note("p1", "page", "role:commander"), note("p2", "page", "role:commander")
		first.Group, second.Group = "g", "g"
		w.tell(first)
		time.Sleep(time.Minute)
		second.At = time.Now()
		w.tell(second)
		time.Sleep(6 * time.Minute)
		w.want("p1", continuity.NotifyFailed)
		w.want("p2", continuity.NotifyGrouped)
		if m := w.sent("mail", 2)[1]; !strings.Contains(m.Text, "one more") {
			t.Errorf("%+v", m.Message)
		}
	})
}

// TestWhatIsOverIsToldToWhoIsJustBeingTold has the end come while the page is with
// its provider.
func TestWhatIsOverIsToldToWhoIsJustBeingTold(t *testing.T) {
	inBubble(t, func(w *world) {
		w.posts["mail"].fail = func(context.Context, *notify.Message) error { time.Sleep(8 * time.Second); return nil }
		w.lead("a")
		w.tell(note("p1", "page", "role:commander"))
		time.Sleep(4 * time.Second)
		over := named(note("n2", "notice", "told:"), "Over")
		over.About, over.Ends = "warning/p1", true
		w.tell(over)
		time.Sleep(time.Minute)
		w.want("n2", continuity.NotifyDelivered)
		w.sent("mail", 2)
	})
}
