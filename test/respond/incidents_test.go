package respond

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/demo/inbox"
)

// declare has the shop's scenario declared by hand.
func (w *world) declare(mark string) string {
	w.t.Helper()
	i, err := controlapi.Post[continuity.Incident](w.t.Context(), w.node(), "/incidents", controlapi.IncidentBegin{
		Service: demo.Service, Scenario: "shop-gone", Title: continuity.Text{En: mark, Zh: mark}, Why: "a test",
	})
	w.did(err, "declare %s", mark)
	return i.ID
}

// as has a person put something below a path, on what stands there now. A node that
// died of it has taken it.
func (w *world) as(who, object, what string, body any) {
	w.t.Helper()
	w.until(late, who+": "+what+" of "+object, func(ctx context.Context) (bool, string) {
		if w.dead() {
			return true, ""
		}
		c, err := w.As(ctx, who)
		if err != nil {
			return false, err.Error()
		}
		_, version, err := controlapi.Get[map[string]any](ctx, c, object, nil)
		if err == nil {
			_, _, err = controlapi.Put[map[string]any](ctx, c, object+"/"+what, version, body)
		}
		return err == nil, fmt.Sprint(err)
	})
}

// draft has Sun Lan write to customers; at this grade somebody else approves it.
func (w *world) draft(id string) continuity.Update {
	w.t.Helper()
	c, err := w.As(w.t.Context(), "sun.lan")
	w.did(err, "log in")
	u, err := controlapi.Post[continuity.Update](w.t.Context(), c, "/incidents/"+id+"/updates", map[string]any{
		"audience": "customers", "phase": "update", "status": continuity.Text{En: "we look for the cause", Zh: "正在查找原因"},
	})
	w.did(err, "write an update")
	if u.State != continuity.UpdateDraft {
		w.t.Errorf("the update is %s", u.State)
	}
	return u
}

// words are what customers were told of an incident, by phase, as far as it was sent.
func (w *world) words(ctx context.Context, id string) (map[string]int, error) {
	all, _, err := controlapi.Get[controlapi.Page[continuity.Update]](ctx, w.node(), "/incidents/"+id+"/updates", nil)
	sent := map[string]int{}
	for _, u := range all.Items {
		if u.Audience == "customers" && u.State == continuity.UpdateSent {
			sent[u.Phase]++
		}
	}
	return sent, err
}

// TestKilledAtEachStageOfAnIncident kills the node as an incident is declared, while a
// role is asked, just after it was taken, while customers are told by themselves, with
// an update in draft, just after it was approved and just after all is over. Each time
// there is one incident, its commander is asked by one page, and customers hear the
// first word, what was approved, and the end, each once.
func TestKilledAtEachStageOfAnIncident(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, dsn string, tried func(n int) bool) {
		w := newWorld(t, demo.Options{ControlDSN: dsn, PerMinute: 1000}, func(w *demo.World) error {
			if err := quiet(w); err != nil {
				return err
			}
			return w.Edit("shop.yaml", "grade: SEV-1, runbook: bring-back", "grade: SEV-1, runbook: go-on")
		})
		asked := map[string]string{}
		kill := func() { w.did(w.Control.Kill(), "kill") }
		incidents := 0
		for n, s := range []struct {
			name   string
			drafts bool
			kill   func(id, mark string, from int)
		}{
			{"declared", false, func(string, string, int) { kill() }},
			{"a role is asked", false, func(_, mark string, from int) {
				w.told(from, mark, inbox.Call, liWei)
				kill()
			}},
			{"a role was taken", false, func(id, _ string, _ int) {
				w.commands(id, asked)
				kill()
			}},
			{"customers are told by themselves", false, nil},
			{"an update in draft", true, func(id, _ string, _ int) {
				w.draft(id)
				kill()
			}},
			{"an update just approved", true, func(id, _ string, _ int) {
				w.as("zhang.min", "/updates/"+w.draft(id).ID, "approve", struct{}{})
				kill()
			}},
			{"just resolved", false, func(id, _ string, from int) {
				w.commands(id, asked)
				w.heard(id, "first")
				w.arrived(id, from)
				w.as("zhang.min", "/incidents/"+id, "state", map[string]any{"state": continuity.Resolved, "why": "it works"})
				kill()
			}},
		} {
			if !tried(n) {
				continue
			}
			incidents++
			t.Run(s.name, func(t *testing.T) {
				mark, from := fmt.Sprintf("outage-%d", n), len(w.Inbox.Items(0))
				if s.kill == nil {
					var once sync.Once
					w.Inbox.Taking(func(i inbox.Item) inbox.Fate {
						fate := inbox.Answered
						if i.Kind == inbox.Webhook {
							once.Do(func() {
								_ = w.Control.Kill()
								fate = inbox.Cut
							})
						}
						return fate
					}, nil)
				}
				id := w.declare(mark)
				if s.kill != nil {
					s.kill(id, mark, from)
				} else {
					<-w.Control.Done()
					w.Inbox.Taking(nil, nil)
				}
				w.again()
				w.commands(id, asked)
				if s.drafts {
					w.approved(id)
					w.heard(id, "update") // where it was faster, no first word goes out by itself
				} else {
					w.heard(id, "first")
				}
				w.arrived(id, from) // what the end overtakes is told no more
				w.until(late, id+" is resolved", func(ctx context.Context) (bool, string) {
					d, _, err := controlapi.Get[controlapi.IncidentDetail](ctx, w.node(), "/incidents/"+id, nil)
					if err == nil && d.State != continuity.Resolved {
						w.as("zhang.min", "/incidents/"+id, "state", map[string]any{"state": continuity.Resolved, "why": "it works"})
					}
					return err == nil && d.State == continuity.Resolved, fmt.Sprint(err)
				})
				w.heard(id, "all-clear")
				w.as("zhang.min", "/incidents/"+id, "close", map[string]any{"causes": []string{"software"}, "summary": "a test"})
				all, err := controlapi.List[continuity.Incident](t.Context(), w.node(), "/incidents", url.Values{"service": {demo.Service}, "all": {"true"}}, 0)
				if err != nil || len(all) != incidents {
					t.Errorf("%d incidents after %d: %v", len(all), incidents, err)
				}
				said := w.arrived(id, from)
				if sent, err := w.words(t.Context(), id); err != nil || len(said) != sent["first"]+sent["update"]+sent["all-clear"] {
					t.Errorf("customers heard %d words, %v: %v", len(said), sent, err)
				}
				pages := map[string]bool{}
				for _, i := range w.Inbox.Items(from) {
					if i.Kind == inbox.Call && i.To == liWei && strings.HasPrefix(i.Key, asked[id]+".") {
						pages[i.Key] = true
					}
				}
				if len(pages) != 1 {
					t.Errorf("Li Wei was asked by %d calls", len(pages))
				}
			})
		}
		w.honest()
	})
}

// commands has Li Wei answer the call by which he is asked to command, and notes the
// page.
func (w *world) commands(id string, asked map[string]string) {
	w.t.Helper()
	w.until(late, "somebody commands "+id, func(ctx context.Context) (bool, string) {
		d, _, err := controlapi.Get[controlapi.IncidentDetail](ctx, w.node(), "/incidents/"+id, nil)
		if err != nil {
			return false, err.Error()
		}
		role := d.Roles["commander"]
		if role.Page != "" {
			asked[id] = role.Page
		}
		for _, i := range w.Inbox.Items(0) {
			if i.Kind == inbox.Call && role.Page != "" && strings.HasPrefix(i.Key, role.Page+".") {
				_ = w.Press(ctx, i, "1") // one whose answer was lost is not known by its number
			}
		}
		return role.State == continuity.RoleTook, fmt.Sprintf("%+v", role)
	})
}

// arrived waits until customers have every word that was sent of an incident, each
// phase once, and returns the keys of what they have.
func (w *world) arrived(id string, from int) map[string]bool {
	w.t.Helper()
	said := map[string]bool{}
	w.until(late, "customers hear each word once", func(ctx context.Context) (bool, string) {
		sent, err := w.words(ctx, id)
		all := 0
		for phase, n := range sent {
			if all += n; n > 1 {
				w.t.Errorf("%d times %s", n, phase)
			}
		}
		for _, i := range w.Inbox.Items(from) {
			if i.Kind == inbox.Webhook {
				said[i.Key] = true
			}
		}
		return err == nil && len(said) >= all, fmt.Sprint(len(said), sent, err)
	})
	return said
}

// approved has Zhang Min approve what waits for it.
func (w *world) approved(id string) {
	w.t.Helper()
	all, _, err := controlapi.Get[controlapi.Page[continuity.Update]](w.t.Context(), w.node(), "/incidents/"+id+"/updates", nil)
	w.did(err, "list updates")
	for _, u := range all.Items {
		if u.State == continuity.UpdateDraft {
			w.as("zhang.min", "/updates/"+u.ID, "approve", struct{}{})
		}
	}
}

// heard waits until customers were sent the word of a phase.
func (w *world) heard(id, phase string) {
	w.t.Helper()
	w.until(late, "customers hear "+phase+" of "+id, func(ctx context.Context) (bool, string) {
		sent, err := w.words(ctx, id)
		return err == nil && sent[phase] > 0, fmt.Sprint(sent, err)
	})
}
