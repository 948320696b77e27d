package announce_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
)

// quiet is a world in which nothing goes out by itself.
func quiet(t *testing.T) *world {
	w := newWorld(t)
	find := w.rules.Find
	w.rules.Find = func(name string) (announce.Template, bool) {
		if strings.HasSuffix(name, "/first") {
			return announce.Template{}, false
		}
		return find(name)
	}
	w.rules.Audiences = w.rules.Audiences[:1]
	return w
}

var free = continuity.Text{En: "{service} has been slow since {start} for {affected}. Call {contact}. Again at {next_update}.", Zh: "{service} 自 {start} 起变慢，影响：{affected}。请联系 {contact}，{next_update} 再报。"}

// TestUpdatesOfTheWorstGradesAreApproved has somebody else approve, who may, and the
// next one asked after five minutes; nothing is sent before.
func TestUpdatesOfTheWorstGradesAreApproved(t *testing.T) {
	w := quiet(t)
	w.begin(nil)
	k, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Text: free})
	if err != nil || k.State != continuity.UpdateDraft || k.ID != incident+".update-1" || k.Version == 0 {
		t.Fatal(k, err)
	}
	w.want("")
	w.step()
	w.want("update-1.n-ask-1")
	ask, _ := read[continuity.Notification](w, continuity.KindNotification, incident+".update-1.n-ask-1")
	if ask.To[0] != (continuity.Recipient{Kind: continuity.ToPerson, ID: "zhang.min"}) || ask.Urgency != continuity.UrgencyPage || !strings.Contains(ask.Text.En, "Order desk has been slow since") {
		t.Errorf("%+v", ask)
	}
	w.restart()
	w.pass(5*time.Minute - time.Second)
	w.want("n-helpless-first-customers-0 update-1.n-ask-1")
	w.restart()
	w.pass(time.Second)
	w.want("n-helpless-first-customers-0 update-1.n-ask-1 update-1.n-ask-2")
	w.pass(5 * time.Minute) // nobody else may: who is to command is told, and li.wei, who wrote it
	w.want("n-helpless-first-customers-0 update-1.n-ask-1 update-1.n-ask-2 update-1.n-stuck")

	id := incident + ".update-1"
	approve := func(who announce.Who) error {
		_, err := w.acts.Approve(t.Context(), who, id, continuity.VersionAny)
		return err
	}
	w.code(approve(announce.Who{Actor: li, Chief: true}), continuity.CodeApproval)
	w.code(approve(announce.Who{Actor: bot, Chief: true}), continuity.CodeApproval)
	w.code(approve(announce.Who{Actor: continuity.Actor{Kind: "user", ID: "wu.hao"}}), continuity.CodeScope)
	w.now = w.now.Add(10 * time.Minute)
	w.code(approve(announce.Who{Actor: sun}), continuity.CodeInvalid) // its next word is over by now
	if _, err := w.acts.Reject(t.Context(), announce.Who{Actor: li}, id, continuity.VersionAny, "too late"); err != nil {
		t.Fatal(err)
	}
	if ask, _ := read[continuity.Notification](w, continuity.KindNotification, id+".n-ask-2"); ask.State != continuity.NotifyAcknowledged || ask.AckBy.ID != "li.wei" {
		t.Errorf("%+v", ask)
	}
	w.code(approve(announce.Who{Actor: sun}), continuity.CodeState)

	if _, err = w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Text: free}); err != nil {
		t.Fatal(err)
	}
	w.step()
	id = incident + ".update-2"
	seen, err := w.acts.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.acts.Approve(t.Context(), announce.Who{Actor: zhang}, id, seen.Version-1); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Error(err)
	}
	sent, err := w.acts.Approve(t.Context(), announce.Who{Actor: zhang}, id, seen.Version)
	if err != nil || sent.State != continuity.UpdateSent || sent.Approved.ID != "zhang.min" || sent.Version <= seen.Version {
		t.Fatal(sent, err)
	}
	n, there := read[continuity.Notification](w, continuity.KindNotification, id+".n-1")
	if !there || n.Text.En != sent.Text.En || n.Template != "" || n.To[0].ID != "customers" {
		t.Errorf("%+v", n)
	}
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if word := i.Public["customers"]; word.Update != id || word.Text != sent.Text || !word.Next.Equal(sent.Next) {
		t.Errorf("%+v", word)
	}
	all, err := w.acts.List(t.Context(), incident)
	if err != nil || len(all) != 2 || all[0].State != continuity.UpdateRejected || all[0].Reason != "too late" {
		t.Errorf("%+v, %v", all, err)
	}
	w.code(approve(announce.Who{Actor: sun}), continuity.CodeState)
}

// TestADraftThatTheEndOutran has nobody told that an incident stands who was told that it
// is over: what waited for its approval is asked about no more, and not sent.
func TestADraftThatTheEndOutran(t *testing.T) {
	w := newWorld(t)
	w.rules.Audiences = w.rules.Audiences[:1]
	w.begin(nil)
	w.pass(4 * time.Minute)
	k, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Text: free})
	if err != nil || k.State != continuity.UpdateDraft {
		t.Fatal(k, err)
	}
	w.step()
	w.becomes(func(i *continuity.Incident) { i.State, i.Resolved, i.Restored = continuity.Resolved, w.now, w.now })
	said := "update-1.n-ask-1 update-1.n-withdrawn update-all-clear-customers-0.n-1 " + firstCustomers
	w.want(said)
	_, err = w.acts.Approve(t.Context(), announce.Who{Actor: zhang}, k.ID, continuity.VersionAny)
	w.code(err, continuity.CodeState)
	w.pass(6 * time.Minute)
	w.want(said)
	if i, _ := read[continuity.Incident](w, continuity.KindIncident, incident); i.Public["customers"].Phase != announce.PhaseAllClear {
		t.Errorf("%+v", i.Public)
	}
}

// TestWhatUpdatesMustSay has nothing sent that lacks what people need to know.
func TestWhatUpdatesMustSay(t *testing.T) {
	w := quiet(t)
	w.begin(func(i *continuity.Incident) { i.Grade = "SEV-3" })
	w.rules.Audiences[0].From = ""
	say := func(d announce.Draft) (announce.Kept, error) {
		if d.Audience == "" {
			d.Audience = "customers"
		}
		return w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, d)
	}
	for name, d := range map[string]announce.Draft{
		"start, affected, standby, next_update": {Text: continuity.Text{En: "{service} is slow."}},
		"next_update":                           {Text: continuity.Text{En: "{service} slow since {start} for {affected}: {standby}."}},
		"link":                                  {Text: continuity.Text{En: free.En + " {link}"}},
		"affected":                              {Text: continuity.Text{En: free.En, Zh: "{service} 自 {start} 起异常，请用 {standby}，{next_update} 再报。"}},
	} {
		_, err := say(d)
		w.code(err, continuity.CodeInvalid)
		if e, ok := err.(*continuity.Error); !ok || e.Args["words"] != name {
			t.Errorf("%v, want what lacks %s", err, name)
		}
	}
	for name, d := range map[string]announce.Draft{
		"no audience":   {Audience: "nobody", Text: free},
		"both":          {Text: free, Template: "more"},
		"no template":   {Template: "none"},
		"none fits":     {},
		"unfilled":      {Template: "broken"},
		"no room":       {Template: "window", Status: continuity.Text{En: "x"}},
		"past":          {Text: free, Next: w.now},
		"past recovery": {Text: free, Expected: w.now.Add(-time.Hour)},
		"not over":      {Phase: announce.PhaseAllClear},
	} {
		if _, err := say(d); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.acts.Say(t.Context(), announce.Who{Actor: continuity.Actor{Kind: "user", ID: "wu.hao"}}, incident, announce.Draft{Audience: "customers", Text: free})
	w.code(err, continuity.CodeScope)
	w.want("")

	// In words of one's own, with values as they stand.
	k, err := say(announce.Draft{Text: continuity.Text{En: "Order desk: taking orders is slow since 15:59. Use help@standby.example. Again at 16:20."}, Preview: true})
	if err != nil || k.ID != incident+".update-1" || k.Phase != announce.PhaseFirst {
		t.Error(k, err)
	}
	w.want("")
	k, err = say(announce.Draft{Status: continuity.Text{En: "we exchange the disk", Zh: "正在更换磁盘"}, Expected: w.now.Add(time.Hour), Next: w.now.Add(10 * time.Minute)})
	if err != nil || k.State != continuity.UpdateSent || k.Phase != announce.PhaseFirst || k.Template != "more" ||
		k.Text.En != "Order desk: we exchange the disk. Expected: 2026-03-02 17:00 UTC+08:00. Again at 2026-03-02 16:10 UTC+08:00." || k.Vars["status@zh"] != "正在更换磁盘" {
		t.Errorf("%+v, %v", k.Update, err)
	}
	if _, err := say(announce.Draft{}); err != nil { // the next one is an update by itself
		t.Error(err)
	}
	w.step()
	w.want("update-1.n-1 update-2.n-1")
	w.becomes(func(i *continuity.Incident) { i.State, i.Into = continuity.Merged, "x" })
	_, err = say(announce.Draft{})
	w.code(err, continuity.CodeState)
}

// TestAWordInTheEnginesWay has an act go through though the engine writes to the
// incident meanwhile.
func TestAWordInTheEnginesWay(t *testing.T) {
	w := newWorld(t)
	w.begin(func(i *continuity.Incident) { i.Grade = "SEV-3" })
	w.rules.Audiences[0].From = ""
	between := false
	plans := w.acts
	acts := announce.NewActs(w.store, meddler{w, func() {
		if !between {
			between = true
			if _, err := plans.Say(t.Context(), announce.Who{Actor: zhang}, incident, announce.Draft{Audience: "staff"}); err != nil {
				t.Error(err)
			}
		}
	}}, func() time.Time { return w.now })
	k, err := acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers", Text: free})
	if err != nil || k.ID != incident+".update-2" {
		t.Fatal(k, err)
	}
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if len(i.Public) != 2 {
		t.Errorf("%+v", i.Public)
	}
}

// meddler has something happen while an act asks for rules.
type meddler struct {
	*world
	do func()
}

func (m meddler) Of(service string, at time.Time) (*announce.Rules, bool) {
	r, ok := m.world.Of(service, at)
	m.do()
	return r, ok
}
