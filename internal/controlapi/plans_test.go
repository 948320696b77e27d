package controlapi

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/planbook"
)

const shopPlan = `schema: holdfast/plan@1
id: shop
name: Web shop
owner: li.wei
profile: small
impact:
  - {process: orders, department: sales, mtd: 4h, rto: 1h, rpo: 1m, loss: 2000 CNY/h, meanwhile: by-phone}
interim:
  - {id: by-phone, how: Orders come by phone., approved_by: li.wei, approved_on: 2026-03-02}
grades:
  SEV-1: {recover_within: 1h}
roles:
  commander: {people: [li.wei, zhang.min], may: [declare, switch]}
channels:
  - {id: phones, kind: phone, standby: true}
scenarios:
  - {id: shop-down, name: Shop down, causes: [software], trigger: {person: true}, grade: SEV-1, runbook: restart}
runbooks:
  - id: restart
    steps:
      - {id: call, say: Call the hosting provider., owner: commander, within: 10m}
`

// newPlans is the API with a book whose versions have to be approved.
func newPlans(t *testing.T) *api {
	t.Helper()
	a := newAPI(t)
	_, err := a.store.People().Import(t.Context(), continuity.Actor{Kind: "user", ID: "li.wei"}, []continuity.Person{
		{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}},
	}, "staff")
	if err != nil {
		t.Fatal(err)
	}
	book, err := planbook.Open(t.Context(), planbook.Options{
		Store: a.store.Plans(), People: a.store.People(), Approval: true, Now: a.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Plans = book
	registerPlans(a.server)
	a.router = nil // made anew with these operations
	return a
}

func submission(t *testing.T, text string, base int64) string {
	t.Helper()
	b, err := json.Marshal(PlanSubmission{PlanTexts: PlanTexts{Plan: text}, Base: base, File: "plans/shop.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func in[T any](t *testing.T, r *http.Response, status int) (v T) {
	t.Helper()
	text := textOf(t, r)
	if err := json.Unmarshal([]byte(text), &v); err != nil || r.StatusCode != status {
		t.Fatal(r.StatusCode, text, err)
	}
	return v
}

const (
	author    = "Bearer li.wei/operator"
	engineer  = "Bearer chen.jie/operator"
	commander = "Bearer zhang.min/commander"
)

// TestPlansFromDraftToExport goes the whole way over the wire.
func TestPlansFromDraftToExport(t *testing.T) {
	a := newPlans(t)
	const shop = "/api/v1/plans/shop"
	made := in[PlanResult](t, a.ask(t, "POST", shop+"/versions", submission(t, shopPlan, 0), "Authorization", author), 200)
	if made.Version.Number != 1 || made.Version.State != continuity.PlanDraft || strings.Join(made.Lacks, " ") != "plan" || made.Version.Author.ID != "li.wei" {
		t.Fatalf("%+v", made)
	}
	for who, want := range map[string]int{author: 403, engineer: 403, commander: 200} {
		if r := a.ask(t, "POST", shop+"/versions/1/approve", "{}", "Authorization", who); r.StatusCode != want {
			t.Errorf("%s: %d", who, r.StatusCode)
		}
	}
	if r := a.ask(t, "POST", shop+"/versions/1/approve-tech", "{}", "Authorization", engineer); r.StatusCode != 409 {
		t.Errorf("there is no technical part, and %d", r.StatusCode)
	}
	applied := in[PlanResult](t, a.ask(t, "POST", shop+"/versions/1/apply", `{"note": "go"}`, "Authorization", author), 200)
	if applied.Version.State != continuity.PlanApplied || applied.Version.Approval.By.ID != "zhang.min" {
		t.Fatalf("%+v", applied)
	}
	r := a.ask(t, "GET", shop, "", "Authorization", "Bearer he.ping/viewer")
	shown := in[PlanShown](t, r, 200)
	if r.Header.Get("ETag") != `"1"` || shown.Processes[0].RTO != 3600 || shown.Owner.Names["en"] != "Li Wei" || len(shown.Open) != 0 {
		t.Fatalf("%v %+v", r.Header, shown)
	}
	if back := in[PlanFiles](t, a.ask(t, "GET", shop+"/versions/0/files", "", "Authorization", author), 200); back.Plan != shopPlan || back.Version != 1 {
		t.Errorf("%+v", back)
	}
	if all := in[Page[planbook.PlanHeading]](t, a.ask(t, "GET", "/api/v1/plans", "", "Authorization", author), 200); len(all.Items) != 1 || all.Items[0].ReviewDue.IsZero() {
		t.Errorf("%+v", all)
	}
	in[continuity.PlanVersion](t, a.ask(t, "POST", shop+"/versions/0/review", "{}", "Authorization", author), 200)
	if all := in[Page[planbook.PlanDraft]](t, a.ask(t, "GET", shop+"/versions", "", "Authorization", author), 200); len(all.Items) != 1 || all.Items[0].Reread == nil {
		t.Errorf("%+v", all)
	}
	in[planbook.PlanComparison](t, a.ask(t, "GET", shop+"/diff", "", "Authorization", author), 200)
	if r := a.ask(t, "GET", "/api/v1/plans/none", "", "Authorization", author); r.StatusCode != 404 {
		t.Error(r.StatusCode)
	}
}

// TestPlanRefusalsTell has mistakes and conflicts come over the wire as they are.
func TestPlanRefusalsTell(t *testing.T) {
	a := newPlans(t)
	const versions = "/api/v1/plans/shop/versions"
	bad := strings.Replace(shopPlan, "rto: 1h", "rto: 6h", 1)
	f := failureIn(t, a.ask(t, "POST", versions, submission(t, bad, 0), "Authorization", author, "Accept-Language", "zh"))
	if f.Status != 422 || len(f.Errors) != 1 || f.Errors[0].Name != "plans/shop.yaml" || f.Errors[0].Line != 7 || f.Errors[0].Column != 56 || !strings.Contains(f.Errors[0].Detail, "6h") {
		t.Fatalf("%+v", f)
	}
	in[PlanResult](t, a.ask(t, "POST", versions, submission(t, shopPlan, 0), "Authorization", author), 200)
	a.ask(t, "POST", versions+"/1/approve", "{}", "Authorization", commander)
	for i, want := range []int{200, 409} {
		if r := a.ask(t, "POST", versions+"/1/apply", "{}", "Authorization", author); r.StatusCode != want {
			t.Fatal(i, r.StatusCode)
		}
	}
	longer := strings.Replace(shopPlan, "rto: 1h", "rto: 2h", 1)
	f = failureIn(t, a.ask(t, "POST", versions, submission(t, longer, 0), "Authorization", author))
	c, ok := planbook.ConflictOf(&continuity.Error{Code: f.Code, Args: f.Args})
	if f.Status != 409 || !ok || c.Version != 1 || len(c.Lost) != 1 || c.Lost[0].From != "1h" {
		t.Fatalf("%+v %+v", f, c)
	}
	if r := a.ask(t, "POST", versions+"/2/review", "{}", "Authorization", commander); r.StatusCode != 404 {
		t.Error(r.StatusCode)
	}
}
