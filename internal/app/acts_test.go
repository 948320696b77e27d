package app

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// deadRecord makes a record that the upstream fails until its attempts are
// used up.
func deadRecord(t *testing.T, a *App, s *shop, body string) continuity.Receipt {
	t.Helper()
	s.status.Store(http.StatusTooManyRequests)
	switchTo(t, a, "hold")
	status, r := place(t, a, "1", body)
	if status != http.StatusAccepted {
		t.Fatal(status)
	}
	switchTo(t, a, "auto")
	s.next()
	if state := ended(t, a, r); state != continuity.Dead {
		t.Fatalf("the record is %s", state)
	}
	s.status.Store(http.StatusCreated)
	return r
}

func switchTo(t *testing.T, a *App, intake string) {
	t.Helper()
	if _, err := client(t, a).Switch(t.Context(), api.SwitchRequest{Route: "orders", Intake: intake, Person: "li.wei", Why: "test"}); err != nil {
		t.Fatal(err)
	}
}

func TestRule9_3_RetryWarnsOfLaterDeliveredRecords(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	c := client(t, a)
	r := deadRecord(t, a, s, `{"no":"A","n":1}`)
	switchTo(t, a, "hold")
	_, second := place(t, a, "1", `{"no":"A","n":2}`)
	switchTo(t, a, "auto")
	if s.next(); ended(t, a, second) != continuity.Delivered {
		t.Fatal("the second one was not delivered")
	}
	rec, err := c.Record(t.Context(), r.String()[:8])
	if err != nil || !slices.Equal(rec.LaterOfKey, []string{second.String()}) || rec.Key != "A" || len(rec.History) < 3 {
		t.Fatalf("%+v %v", rec, err)
	}
	retry := api.ActRequest{Verb: continuity.VerbRetry, Version: rec.Version, Person: "li.wei", Why: "shop is back"}
	if _, err := c.Act(t.Context(), rec.Receipt, retry); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("without having seen it: %v", err)
	}
	retry.Later = true
	if _, err := c.Act(t.Context(), rec.Receipt, retry); err != nil {
		t.Fatal(err)
	}
	if got := s.next(); got != `{"no":"A","n":1}` {
		t.Errorf("sent %s", got)
	}
	if _, err := c.Act(t.Context(), rec.Receipt, retry); err == nil {
		t.Error("it was done twice")
	}
}

func TestRule9_3_RetryWarnsWhereNobodyKnowsOfLaterRecords(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data", "view.db"), 0o700); err != nil { // no view opens there
		t.Fatal(err)
	}
	a := start(t, write(t, dir, orders(s.address)))
	r := deadRecord(t, a, s, `{"no":"A","n":1}`)
	switchTo(t, a, "hold")
	_, second := place(t, a, "1", `{"no":"A","n":2}`)
	switchTo(t, a, "auto")
	if s.next(); ended(t, a, second) != continuity.Delivered {
		t.Fatal("the second one was not delivered")
	}
	st, _ := a.ledger.Status(r)
	retry := api.ActRequest{Verb: continuity.VerbRetry, Version: st.Version, Person: "li.wei", Why: "shop is back"}
	if _, err := client(t, a).Act(t.Context(), r.String(), retry); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("without a view: %v", err)
	}
	retry.Later = true
	if _, err := client(t, a).Act(t.Context(), r.String(), retry); err != nil {
		t.Fatal(err)
	}
	if got := s.next(); got != `{"no":"A","n":1}` {
		t.Errorf("sent %s", got)
	}
}

func TestRule9_3_EditMakesANewRecord(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	c := client(t, a)
	r := deadRecord(t, a, s, `{"no":"A","n":1}`)
	rec, err := c.Record(t.Context(), r.String())
	if err != nil {
		t.Fatal(err)
	}
	edit := func(body string) (api.ActResult, error) {
		b := base64.StdEncoding.EncodeToString([]byte(body))
		return c.Act(t.Context(), rec.Receipt, api.ActRequest{Verb: continuity.VerbEdit, Version: rec.Version, Person: "li.wei", Why: "typing error", Body: &b})
	}
	for name, body := range map[string]string{"same": `{"no":"A","n":1}`, "another key": `{"no":"B","n":1}`, "no key": `{"n":1}`, "no JSON": `{"no":`} {
		if _, err := edit(body); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	result, err := edit(`{"no":"A","n":7}`)
	if err != nil || result.Record.State != "discarded" || result.Record.Reason != "replaced" {
		t.Fatalf("%+v %v", result, err)
	}
	if got := s.next(); got != `{"no":"A","n":7}` {
		t.Errorf("sent %s", got)
	}
	next, err := c.Record(t.Context(), result.Replacement)
	if err != nil || next.Replaces != rec.Receipt || next.Receipt == rec.Receipt {
		t.Errorf("%+v %v", next, err)
	}
}

func TestRule9_2_ActsAreOnAStatedVersion(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	c := client(t, a)
	r := deadRecord(t, a, s, `{"no":"A","n":1}`)
	rec, err := c.Record(t.Context(), r.String())
	if err != nil {
		t.Fatal(err)
	}
	act := api.ActRequest{Verb: continuity.VerbDiscard, Version: rec.Version - 1, Person: "li.wei", Why: "cancelled"}
	if _, err := c.Act(t.Context(), rec.Receipt, act); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Errorf("an old version: %v", err)
	}
	act.Version = rec.Version
	result, err := c.Act(t.Context(), rec.Receipt, act)
	if err != nil || result.Record.State != "discarded" {
		t.Fatalf("%+v %v", result, err)
	}
	last := result.Record.History[len(result.Record.History)-1]
	if last.Person != "li.wei" || last.Why != "cancelled" || last.Verb != "discard" {
		t.Errorf("the history ends with %+v", last)
	}
}

func TestListsComeByPages(t *testing.T) {
	s := newShop(t)
	s.close()
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	var placed, listed []string
	for _, no := range []string{"A", "B", "C"} {
		_, r := place(t, a, no, `{"no":"`+no+`"}`)
		placed = append(placed, r.String())
	}
	q := api.Query{Limit: 2}
	for {
		page, err := client(t, a).List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			listed = append(listed, r.Receipt)
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	if diff := cmp.Diff(placed, listed); diff != "" {
		t.Error(diff)
	}
	page, err := client(t, a).List(t.Context(), api.Query{Route: "orders", Key: "B"})
	if err != nil || len(page.Items) != 1 || page.Items[0].Receipt != placed[1] {
		t.Errorf("%+v %v", page, err)
	}
}

func TestPeoplesSwitches(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	put := func(s continuity.Switch) continuity.Switch {
		s.Route, s.Reason = "orders", "because"
		return s
	}
	for name, tc := range map[string]struct {
		req  api.SwitchRequest
		want []continuity.Switch
		id   string
	}{
		"hold": {req: api.SwitchRequest{Intake: "hold"}, want: []continuity.Switch{put(continuity.Switch{Owner: "operator:li.wei", Intake: continuity.IntakeHold})}},
		"pass by force": {req: api.SwitchRequest{Intake: "pass", Force: true, For: 60},
			want: []continuity.Switch{put(continuity.Switch{Owner: "operator:li.wei", Intake: continuity.IntakePass, Force: true, Until: now.Add(time.Minute)})}},
		"auto":      {req: api.SwitchRequest{Intake: "auto"}, want: []continuity.Switch{put(continuity.Switch{Owner: "operator:li.wei", Lift: true})}},
		"drain off": {req: api.SwitchRequest{Replay: "off"}, want: []continuity.Switch{put(continuity.Switch{Owner: "operator:li.wei:replay", Replay: continuity.ReplayOff})}},
		"both": {req: api.SwitchRequest{Intake: "hold", Replay: "trial"}, want: []continuity.Switch{
			put(continuity.Switch{Owner: "operator:li.wei", Intake: continuity.IntakeHold, Replay: continuity.ReplayTrial})}},
		"lift and put":      {req: api.SwitchRequest{Intake: "auto", Replay: "off"}, id: "api.invalid.switch"},
		"drain auto":        {req: api.SwitchRequest{Replay: "auto"}, want: []continuity.Switch{put(continuity.Switch{Owner: "operator:li.wei:replay", Lift: true})}},
		"lift replay's":     {req: api.SwitchRequest{Replay: "auto", Owner: "replay"}, want: []continuity.Switch{put(continuity.Switch{Owner: "replay", Lift: true})}},
		"lift another's":    {req: api.SwitchRequest{Intake: "auto", Owner: "operator:wu.hao"}, want: []continuity.Switch{put(continuity.Switch{Owner: "operator:wu.hao", Lift: true})}},
		"lift health's":     {req: api.SwitchRequest{Intake: "auto", Owner: "health"}, id: "api.invalid.lift"},
		"put for another":   {req: api.SwitchRequest{Intake: "hold", Owner: "operator:wu.hao"}, id: "api.invalid.owner"},
		"nothing":           {req: api.SwitchRequest{}, id: "api.invalid.switch"},
		"unknown":           {req: api.SwitchRequest{Intake: "scatter"}, id: "api.invalid.switch"},
		"force without end": {req: api.SwitchRequest{Intake: "pass", Force: true}, id: "api.invalid.until"},
		"ends before begin": {req: api.SwitchRequest{Intake: "hold", For: -1}, id: "api.invalid.for"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.req.Route, tc.req.Person, tc.req.Why = "orders", "li.wei", "because"
			got, err := switches(tc.req, now)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if (err != nil) != (tc.id != "") || err != nil && err.(*continuity.Error).Args["detail_id"] != tc.id {
				t.Errorf("error %v", err)
			}
		})
	}
}
