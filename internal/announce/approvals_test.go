package announce_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
)

// asked are who was asked to approve an update, and whether nobody is left.
func (w *world) asked(id string) (string, bool) {
	w.Helper()
	u, _ := read[continuity.Update](w, continuity.KindUpdate, id)
	return strings.Join(u.Asked, " "), !u.Stuck.IsZero()
}

// TestWhoCommandsIsAskedFirst has who commands the incident asked to approve words, and
// not who leads that role by the plan; command that was passed on counts at once.
func TestWhoCommandsIsAskedFirst(t *testing.T) {
	for name, role := range map[string]continuity.Holder{
		"took it": {Person: "wu.hao", State: continuity.RoleTook}, "was handed it": {Person: "wu.hao", State: continuity.RoleAsked},
	} {
		t.Run(name, func(t *testing.T) {
			w := quiet(t)
			w.begin(func(i *continuity.Incident) {
				i.Roles = map[string]continuity.Holder{"commander": role}
				i.Command = []continuity.Handover{{From: "li.wei", To: "wu.hao", At: w.now}}
			})
			k, err := w.acts.Say(t.Context(), announce.Who{Actor: sun}, incident, announce.Draft{Audience: "customers", Text: free})
			if err != nil {
				t.Fatal(err)
			}
			w.step()
			if who, _ := w.asked(k.ID); who != "wu.hao" {
				t.Errorf("asked %s", who)
			}
			w.pass(5 * time.Minute)
			if who, _ := w.asked(k.ID); who != "wu.hao li.wei" {
				t.Errorf("asked %s", who)
			}
			wu := continuity.Actor{Kind: "user", ID: "wu.hao"}
			if _, err := w.acts.Approve(t.Context(), announce.Who{Actor: wu}, k.ID, continuity.VersionAny); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNobodyIsLeftToApprove has somebody told of words that nobody may approve, and
// whoever may later asked after all.
func TestNobodyIsLeftToApprove(t *testing.T) {
	w := quiet(t)
	w.rules.Approvers = []string{"li.wei"}
	w.begin(func(i *continuity.Incident) {
		i.Roles = map[string]continuity.Holder{"commander": {Person: "li.wei", State: continuity.RoleTook}}
	})
	k, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Text: free})
	if err != nil {
		t.Fatal(err)
	}
	w.step()
	if who, stuck := w.asked(k.ID); who != "" || !stuck {
		t.Fatalf("asked %q, %v", who, stuck)
	}
	page, _ := read[continuity.Notification](w, continuity.KindNotification, k.ID+".n-stuck")
	if page.Urgency != continuity.UrgencyPage || page.To[0].ID != "li.wei" || !slices.ContainsFunc(page.Escalate, func(to continuity.Recipient) bool { return to.ID == "he.ping" }) {
		t.Errorf("%+v", page)
	}
	w.restart()
	w.pass(5 * time.Minute)
	w.want("n-helpless-first-customers-0 update-1.n-stuck")
	w.rules.Chiefs = []string{"admin.wang"}
	w.restart()
	w.pass(time.Minute)
	if who, _ := w.asked(k.ID); who != "admin.wang" {
		t.Errorf("asked %q", who)
	}
	if _, err := w.acts.Approve(t.Context(), announce.Who{Actor: continuity.Actor{Kind: "user", ID: "admin.wang"}}, k.ID, continuity.VersionAny); err != nil {
		t.Error(err)
	}
	if page, _ = read[continuity.Notification](w, continuity.KindNotification, k.ID+".n-stuck"); !page.Over() {
		t.Errorf("%+v", page)
	}
}

// TestDraftsThatCannotBeSentAnyMore are taken back, and who wrote them is told.
func TestDraftsThatCannotBeSentAnyMore(t *testing.T) {
	for name, c := range map[string]struct {
		why string
		do  func(w *world)
	}{
		"merged": {"merged", func(w *world) {
			w.becomes(func(i *continuity.Incident) { i.State, i.Into = continuity.Merged, "orders-2026-2" })
		}},
		"too old": {"stale", func(w *world) { w.pass(20 * time.Minute) }},
		"over": {"over", func(w *world) {
			w.becomes(func(i *continuity.Incident) { i.State, i.Resolved, i.Restored = continuity.Resolved, w.now, w.now })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := quiet(t)
			w.begin(nil)
			k, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Text: free})
			if err != nil {
				t.Fatal(err)
			}
			w.step()
			c.do(w)
			u, _ := read[continuity.Update](w, continuity.KindUpdate, k.ID)
			if u.State != continuity.UpdateRejected || u.Reason != "announce.withdrawn."+c.why {
				t.Errorf("%s: %s", u.State, u.Reason)
			}
			n, there := read[continuity.Notification](w, continuity.KindNotification, k.ID+".n-withdrawn")
			ask, _ := read[continuity.Notification](w, continuity.KindNotification, k.ID+".n-ask-1")
			if !there || n.To[0].ID != "li.wei" || !n.Ends || n.About != ask.About {
				t.Errorf("%+v", n)
			}
		})
	}
}

// TestWhatIsMissingInALanguage has who writes told, before anybody reads the other
// language in its place.
func TestWhatIsMissingInALanguage(t *testing.T) {
	w := newWorld(t)
	find := w.rules.Find
	w.rules.Find = func(name string) (announce.Template, bool) {
		found, ok := find(name)
		if found.ID == "more" {
			found.Text.Zh = "{service}：{status}。{next_update} 再报。"
		}
		return found, ok
	}
	w.begin(nil)
	english := continuity.Text{En: "we exchange the disk"}
	say := func(d announce.Draft) error {
		d.Audience, d.Phase = "customers", announce.PhaseUpdate
		_, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, d)
		return err
	}
	err := say(announce.Draft{Status: english})
	w.code(err, continuity.CodeInvalid)
	if e, _ := err.(*continuity.Error); e == nil || e.Args["flag"] != "--status-zh" { //nolint:errorlint // it is the error itself
		t.Errorf("%v", err)
	}
	w.code(say(announce.Draft{Text: continuity.Text{Zh: free.Zh}}), continuity.CodeInvalid)
	for _, d := range []announce.Draft{{Status: english, Lone: true}, {Status: continuity.Text{En: english.En, Zh: "正在换盘"}}, {Text: free}} {
		if err := say(d); err != nil {
			t.Error(err)
		}
	}
}
