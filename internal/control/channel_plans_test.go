package control

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/notify"
	"holdfast/internal/planbook"
)

// TestAPlansChannelsAreTestedAsOftenAsItSays has a plan with one channel that works
// and one that does not, each tested once a month.
func TestAPlansChannelsAreTestedAsOftenAsItSays(t *testing.T) {
	dir := t.TempDir()
	n := serve(t, func(c *controlconfig.Control) {
		onBoard(c, "hall", filepath.Join(dir, "hall"))
		onBoard(c, "attic", filepath.Join(dir, "none", "attic"))
	})
	const phones = "  - {id: phones, kind: phone, standby: true}\n"
	texts := continuity.PlanTexts{
		Plan: strings.Replace(checkedPlan, phones, phones+"  - {id: wall, kind: board, test: {every: 1mo, by: commander}}\n  - {id: roof, kind: board, test: {every: 1mo, by: zhang.min}}\n", 1),
		Tech: "schema: holdfast/plan-tech@1\nchecks:\n  - {id: web, heartbeat: 1h}\n  - {id: backup, heartbeat: 1h}\nchannels:\n  - {id: wall, via: hall}\n  - {id: roof, via: attic}\n",
	}
	people := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}}}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: planbook.Whatever, Texts: texts}); err != nil {
		var told *continuity.Error
		_ = errors.As(err, &told)
		t.Fatal(err, told.Args)
	}
	until(t, "the plan's channels", func() bool { return len(n.channels.regulars()) == 2 })
	if err := n.channels.ensureTests(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]struct {
		via, state, urgency string
		to                  continuity.Recipient
	}{
		"shop/wall": {"hall", notify.TrialPassed, continuity.UrgencyInfo, continuity.Recipient{Kind: continuity.ToRole, ID: "commander"}},
		"shop/roof": {"attic", notify.TrialFailed, continuity.UrgencyNotice, continuity.Recipient{Kind: continuity.ToPerson, ID: "zhang.min"}},
	} {
		timer, err := n.store.Timer(t.Context(), testTimer(ref))
		if err != nil || timer.Due.Before(time.Now().AddDate(0, 0, 27)) {
			t.Fatalf("%s: %+v, %v", ref, timer, err)
		}
		batch, err := n.channels.testRegularly(t.Context(), timer)
		if err != nil || len(batch.Schedule) != 1 || batch.Schedule[0].ID != timer.ID || batch.Schedule[0].Due.Before(time.Now().AddDate(0, 0, 27)) || len(batch.Changes) != 1 {
			t.Fatalf("%s: %+v, %v", ref, batch, err)
		}
		var told continuity.Notification
		if err := json.Unmarshal(batch.Changes[0].Body, &told); err != nil || told.Urgency != want.urgency || told.To[0] != want.to || told.Text.Zh == "" || told.Subject.En == "" {
			t.Errorf("%s: %+v, %v", ref, told, err)
		}
		if _, err := n.store.Commit(t.Context(), batch); err != nil {
			t.Error(err)
		}
		info, err := n.channels.Channel(t.Context(), want.via)
		if err != nil || info.Test == nil || info.Test.Plan != ref || info.Test.State != want.state {
			t.Errorf("%s: %+v, %v", ref, info.Test, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "hall")); err != nil || !strings.Contains(string(text), "hall") { // #nosec G304 -- of the test
		t.Errorf("%s, %v", text, err)
	}
	if batch, err := n.channels.testRegularly(t.Context(), continuity.Timer{ID: testTimer("shop/none"), Kind: timerTest}); err != nil || len(batch.Schedule)+len(batch.Changes) != 0 {
		t.Errorf("what no plan wants: %+v, %v", batch, err)
	}
}

func TestPagesAloneAreProven(t *testing.T) {
	n := serve(t, func(c *controlconfig.Control) {
		onBoard(c, "hall", filepath.Join(t.TempDir(), "hall"))
		c.Public = &controlconfig.Public{Listen: "127.0.0.1:0", URL: "https://ack.example.com"}
	})
	d := &continuity.Delivery{ID: "o.n-1.d-1", Sender: "hall", Person: "li.wei"}
	link, reply, changes := n.prove(&continuity.Notification{ID: "o.n-1", Urgency: continuity.UrgencyPage}, d)
	if !strings.HasPrefix(link, "https://ack.example.com/a/") || reply != "" || len(changes) != 1 || changes[0].Kind != notify.KindLink {
		t.Errorf("%q, %q, %+v", link, reply, changes)
	}
	if link, reply, changes = n.prove(&continuity.Notification{ID: "o.n-1", Urgency: continuity.UrgencyNotice}, d); link+reply != "" || changes != nil {
		t.Errorf("%q, %q, %+v", link, reply, changes)
	}
}
