package planbook_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/planbook"
	"holdfast/internal/store"
	"holdfast/internal/yamldoc"
)

var (
	li    = continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}
	zhang = continuity.Actor{Kind: "user", ID: "zhang.min", Via: "cli"}
	chen  = continuity.Actor{Kind: "user", ID: "chen.jie", Via: "cli"}
	start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// shelf is a book with its store and a clock that the test turns.
type shelf struct {
	*planbook.Book
	t     *testing.T
	store *store.Store
	now   time.Time
	log   strings.Builder
}

func (s *shelf) clock() time.Time { return s.now }

func open(t *testing.T, approval bool) *shelf {
	t.Helper()
	s := &shelf{t: t, now: start}
	var err error
	s.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), store.Clock(s.clock))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Error(err)
		}
	})
	var staff []continuity.Person
	for _, id := range []string{"li.wei", "zhang.min", "chen.jie", "wu.hao", "sun.lan", "he.ping"} {
		staff = append(staff, continuity.Person{ID: id, Names: map[string]string{"en": strings.ToUpper(id)}})
	}
	if _, err := s.store.People().Import(t.Context(), li, staff, "staff"); err != nil {
		t.Fatal(err)
	}
	s.Book = s.another(approval)
	return s
}

// another is the book of another node on the same store.
func (s *shelf) another(approval bool) *planbook.Book {
	s.t.Helper()
	b, err := planbook.Open(s.t.Context(), planbook.Options{
		Store: s.store.Plans(), People: s.store.People(), Approval: approval, Now: s.clock, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

const business = `# Comments stay.
schema: holdfast/plan@1
id: shop
name: Web shop
owner: li.wei
profile: small
impact:
  - {process: orders, department: sales, mtd: 4h, rto: 1h, rpo: 1m, loss: 2000 CNY/h, meanwhile: by-phone}
  - {process: refunds, department: finance, mtd: 2d, rto: 1d, rpo: 1m}
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

const technical = `schema: holdfast/plan-tech@1
plan: shop
checks:
  - {id: front, http: "http://shop.example/"} # the front page
`

var both = continuity.PlanTexts{
	Plan: strings.Replace(business, "trigger: {person: true}", "trigger: {check: front}", 1),
	Tech: technical,
}

func (s *shelf) submit(actor continuity.Actor, base int64, texts continuity.PlanTexts) (planbook.PlanOutcome, error) {
	return s.Submit(s.t.Context(), actor, planbook.Submission{Service: "shop", Base: base, Texts: texts, Reason: "why"})
}

func (s *shelf) must(actor continuity.Actor, base int64, texts continuity.PlanTexts) planbook.PlanOutcome {
	s.t.Helper()
	out, err := s.submit(actor, base, texts)
	if err != nil {
		s.t.Fatal(err, problemsOf(err))
	}
	return out
}

func wantCode(t *testing.T, err error, code continuity.Code) {
	t.Helper()
	if got := continuity.CodeOf(err); got != code {
		t.Fatalf("code %q, not %q: %v %v", got, code, err, problemsOf(err))
	}
}

func problemsOf(err error) (said []string) {
	if e, ok := err.(*continuity.Error); ok {
		list, _ := e.Args["problems"].([]yamldoc.Problem)
		for _, p := range list {
			said = append(said, p.Text(catalogue.En))
		}
	}
	return said
}

func with(from, to string) continuity.PlanTexts {
	texts := both
	texts.Plan = strings.Replace(texts.Plan, from, to, 1)
	texts.Tech = strings.Replace(texts.Tech, from, to, 1)
	if len(texts.Differ(both)) == 0 {
		panic(from)
	}
	return texts
}

// TestExamplesComeBackByteByByte applies the example plans and takes them back.
func TestExamplesComeBackByteByByte(t *testing.T) {
	s := open(t, false)
	files, err := filepath.Glob("../../examples/plans/*.tech.yaml")
	if err != nil || len(files) != 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		texts := continuity.PlanTexts{Plan: text(t, strings.TrimSuffix(file, ".tech.yaml")+".yaml"), Tech: text(t, file)}
		service := strings.TrimSuffix(filepath.Base(file), ".tech.yaml")
		p, _ := plan.Parse(plan.Source{Name: "x.yaml", Text: []byte(texts.Plan)}, &plan.Source{Name: "x.tech.yaml", Text: []byte(texts.Tech)}, nil)
		for _, name := range p.FileNames() {
			beside := filepath.Join(filepath.Dir(file), name)
			if _, err := os.Stat(beside); err == nil {
				if texts.Files == nil {
					texts.Files = map[string]string{}
				}
				texts.Files[name] = text(t, beside)
			}
		}
		out, err := s.Submit(t.Context(), li, planbook.Submission{Service: service, Texts: texts})
		if err != nil || out.Version.State != continuity.PlanApplied || out.Version.Number != 1 {
			t.Fatal(service, out, err, problemsOf(err))
		}
		v, back, err := s.Files(t.Context(), service, 0)
		if err != nil || v.Number != 1 || len(back.Differ(texts)) != 0 {
			t.Error(service, v, err)
		}
	}
	holds, _ := s.Current()
	var ids []string
	for _, p := range holds {
		ids = append(ids, p.ID)
	}
	if !slices.Equal(ids, []string{"im-maintenance", "order-upgrade", "payment-outage", "web-chat-outage"}) {
		t.Error(ids)
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestMistakesKeepAllOut refuses a plan with all its mistakes, in both files, and
// stores nothing of it.
func TestMistakesKeepAllOut(t *testing.T) {
	s := open(t, false)
	before, _, _ := s.store.LastEvent(t.Context())
	bad := with("rto: 1h", "rto: 6h")
	bad.Plan = strings.Replace(bad.Plan, "[li.wei, zhang.min]", "[li.wei, zhang.mni]", 1)
	bad.Tech = strings.Replace(bad.Tech, "http:", "htpt:", 1)
	_, err := s.Submit(t.Context(), li, planbook.Submission{Service: "shop", File: "plans/shop.yaml", Texts: bad})
	wantCode(t, err, continuity.CodeConfig)
	said := strings.Join(problemsOf(err), "\n")
	for _, want := range []string{"plans/shop.yaml:8:56: rto 6h is longer", "plans/shop.yaml:15:32: ", "zhang.mni, whom nobody knows", "plans/shop.tech.yaml:4:17: "} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
	for name, c := range map[string]struct {
		submission planbook.Submission
		says       string
	}{
		"another service": {planbook.Submission{Service: "store", Texts: both}, "store.yaml:3:5: this plan's id is shop, not store"},
		"file unnamed":    {planbook.Submission{Service: "shop", Texts: continuity.PlanTexts{Plan: business, Files: map[string]string{"a.yaml": "a"}}}, "a.yaml comes along"},
		"engine refuses":  {planbook.Submission{Service: "shop", Texts: with(`http: "http://shop.example/"`, "flow: ../flow.yaml")}, "shop.tech.yaml:4:23: ../flow.yaml is outside"},
		"flow missing":    {planbook.Submission{Service: "shop", Texts: with(`http: "http://shop.example/"`, "flow: flows/front.yaml")}, "shop.tech.yaml:4:23: there is no file flows/front.yaml"},
	} {
		_, err := s.Submit(t.Context(), li, c.submission)
		if continuity.CodeOf(err) != continuity.CodeConfig {
			t.Errorf("%s: %v", name, err)
		}
		if said := strings.Join(problemsOf(err), "\n"); !strings.Contains(said, c.says) {
			t.Errorf("%s: %q is not in\n%s", name, c.says, said)
		}
	}
	if after, _, _ := s.store.LastEvent(t.Context()); after != before {
		t.Errorf("%d events of a plan that was refused", after-before)
	}
}

// TestRingsOfServices refuses a plan by which services would need each other.
func TestRingsOfServices(t *testing.T) {
	s := open(t, false)
	of := func(id, needs string) planbook.Submission {
		plan := strings.Replace(business, "id: shop", "id: "+id, 1) + "dependencies: [{id: d, plan: " + needs + "}]\n"
		return planbook.Submission{Service: id, Texts: continuity.PlanTexts{Plan: plan}}
	}
	s.must(li, 0, both)
	// What it needs may be applied after it.
	out, err := s.Submit(t.Context(), li, of("desk", "mail"))
	if err != nil || len(out.Warnings) != 1 || out.Warnings[0].ID != "plan.no-such-plan" {
		t.Fatal(out.Warnings, err, problemsOf(err))
	}
	_, err = s.Submit(t.Context(), li, of("mail", "desk"))
	wantCode(t, err, continuity.CodeConfig)
	if said := strings.Join(problemsOf(err), "\n"); !strings.Contains(said, "desk → mail → desk") {
		t.Error(said)
	}
}

// TestWhatWasRefusedAlreadyIsAWarning applies a plan of which the one that holds has
// the same mistake: a channel that was taken from the node's settings meanwhile.
func TestWhatWasRefusedAlreadyIsAWarning(t *testing.T) {
	s := open(t, false)
	s.must(li, 0, both)
	s.Refused = func(p *plan.Plan) []yamldoc.Problem {
		return []yamldoc.Problem{{File: p.File, Line: 1, Column: 1, Severity: yamldoc.Error, ID: "wording.plan.via", Args: catalogue.Args{"via": "old", "words": []string{"board", "mail"}}}}
	}
	out, err := s.submit(li, 1, with("rto: 1h", "rto: 30m"))
	if err != nil || len(out.Warnings) != 1 || out.Version.Number != 2 {
		t.Fatal(out.Warnings, err)
	}
}

func TestConflictTellsWhatWouldBeLost(t *testing.T) {
	s := open(t, false)
	s.must(li, 0, both)
	theirs := with("rto: 1h", "rto: 30m")
	theirs.Plan = strings.Replace(theirs.Plan, "department: finance", "department: accounting", 1)
	s.must(zhang, 1, theirs)
	mine := with("rto: 1h", "rto: 2h")
	mine.Plan = strings.Replace(mine.Plan, "recover_within: 1h", "recover_within: 2h", 1)
	out, err := s.submit(li, 1, mine)
	wantCode(t, err, continuity.CodeVersion)
	if out.Version.Number != 0 {
		t.Error("a version was made")
	}
	c, ok := planbook.ConflictOf(err)
	if !ok || c.Base != 1 || c.Version != 2 || c.Author.ID != "zhang.min" || c.Foreign {
		t.Fatalf("%+v", c)
	}
	want := []string{"impact orders rto 1h 30m", "impact refunds department finance accounting"}
	if got := told(c.Theirs); !slices.Equal(got, want) {
		t.Errorf("theirs: %q", got)
	}
	if got := told(c.Lost); !slices.Equal(got, want) {
		t.Errorf("lost: %q", got)
	}
	if got := told(c.Both); !slices.Equal(got, want[:1]) {
		t.Errorf("both: %q", got)
	}
	// What both say alike is not lost.
	alike := with("department: finance", "department: accounting")
	_, err = s.submit(li, 1, alike)
	c, _ = planbook.ConflictOf(err)
	if got := told(c.Lost); !slices.Equal(got, want[:1]) {
		t.Errorf("lost of what both changed alike: %q", got)
	}
	// A base of another node, by its number or by its texts.
	for _, foreign := range []planbook.Submission{{Base: 9}, {Base: 2, Hash: "0"}, {Base: 0}} {
		foreign.Service, foreign.Texts = "shop", mine
		_, err = s.Submit(t.Context(), li, foreign)
		wantCode(t, err, continuity.CodeVersion)
		c, _ = planbook.ConflictOf(err)
		if got := told(c.Lost); len(c.Theirs) != 0 || !slices.Contains(got, "impact orders rto 30m 2h") || c.Foreign != (foreign.Base > 0) {
			t.Errorf("%d: %+v", foreign.Base, c)
		}
	}
	// Whoever knows what holds may write over it.
	if out := s.must(li, planbook.Whatever, mine); out.Version.Number != 3 || out.Version.Base != 2 {
		t.Errorf("%+v", out)
	}
	if out := s.must(li, 1, mine); !out.Unchanged || out.Version.Number != 3 {
		t.Errorf("what holds already: %+v", out)
	}
}

func told(changes []planbook.PlanChange) (said []string) {
	for _, c := range changes {
		said = append(said, strings.Join(append(slices.Clone(c.Where), c.From, c.To), " "))
	}
	return said
}

// TestOneOfManyWins lets several apply at once from one base, on two nodes.
func TestOneOfManyWins(t *testing.T) {
	s := open(t, false)
	s.must(li, 0, both)
	books := []*planbook.Book{s.Book, s.another(false)}
	var all sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 6 {
		all.Go(func() {
			out, err := books[i%2].Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: 1, Texts: with("rto: 1h", fmt.Sprintf("rto: %dm", i+1))})
			c, conflict := planbook.ConflictOf(err)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && out.Version.Number == 2:
				won++
			case conflict && c.Version == 2 && len(c.Lost) == 1 && len(c.Both) == 1:
			default:
				t.Error(out, err, c)
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d have won", won)
	}
}

// TestPartsAreApprovedApart has every mixture of what changed and who approved.
func TestPartsAreApprovedApart(t *testing.T) {
	const p, x = continuity.PartPlan, continuity.PartTech
	for _, c := range []struct {
		texts continuity.PlanTexts
		parts []string
	}{
		{with("rto: 1h", "rto: 2h"), []string{p}},
		{with("the front page", "the first page"), []string{x}},
		{with("# Comments stay.\n", ""), []string{p}},
	} {
		s := open(t, false)
		s.must(li, 0, both)
		s.Book = s.another(true)
		out := s.must(li, 1, c.texts)
		if !slices.Equal(out.Lacks, c.parts) || out.Version.State != continuity.PlanDraft {
			t.Fatalf("%+v", out)
		}
		approvals(t, s, 2, c.parts)
	}
	s := open(t, true)
	if out := s.must(li, 0, both); !slices.Equal(out.Lacks, []string{p, x}) {
		t.Fatalf("%+v", out)
	}
	approvals(t, s, 1, []string{p, x})
}

func approvals(t *testing.T, s *shelf, number int64, parts []string) {
	t.Helper()
	for _, part := range []string{continuity.PartPlan, continuity.PartTech} {
		if !slices.Contains(parts, part) {
			_, err := s.Approve(t.Context(), chen, "shop", number, part, "")
			wantCode(t, err, continuity.CodeState)
			continue
		}
		_, err := s.Apply(t.Context(), li, "shop", number, "go")
		wantCode(t, err, continuity.CodeApproval)
		_, err = s.Approve(t.Context(), li, "shop", number, part, "my own")
		wantCode(t, err, continuity.CodeApproval)
		_, err = s.Approve(t.Context(), continuity.Actor{Kind: "token", ID: "admin.token"}, "shop", number, part, "nobody")
		wantCode(t, err, continuity.CodeApproval)
		v, err := s.Approve(t.Context(), chen, "shop", number, part, "good")
		if err != nil || slices.Contains(v.Lacks(), part) {
			t.Fatal(v, err)
		}
	}
	out, err := s.Apply(t.Context(), li, "shop", number, "go")
	if err != nil || out.Version.State != continuity.PlanApplied {
		t.Fatal(out, err)
	}
}

// TestDraftsAreReadAgain keeps out of force what became wrong since it was made.
func TestDraftsAreReadAgain(t *testing.T) {
	s := open(t, true)
	s.must(li, 0, both)
	for _, part := range []string{continuity.PartPlan, continuity.PartTech} {
		if _, err := s.Approve(t.Context(), chen, "shop", 1, part, ""); err != nil {
			t.Fatal(err)
		}
	}
	_, at, err := s.store.People().Get(t.Context(), "zhang.min")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Apply(t.Context(), li, []continuity.Change{{Kind: "person", ID: "zhang.min", Version: at, Action: "person.deleted"}}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Apply(t.Context(), li, "shop", 1, "")
	wantCode(t, err, continuity.CodeConfig)
	if v, err := s.store.Plans().Get(t.Context(), "shop", 1); err != nil || v.State != continuity.PlanDraft {
		t.Error(v, err)
	}
}

func TestTryAndHold(t *testing.T) {
	s := open(t, false)
	s.must(li, 0, both)
	try := planbook.Submission{Service: "shop", Base: 1, Texts: with("rto: 1h", "rto: 2h"), DryRun: true}
	before, _, _ := s.store.LastEvent(t.Context())
	out, err := s.Submit(t.Context(), li, try)
	if err != nil || out.Version.Number != 0 || !slices.Equal(told(out.Changes), []string{"impact orders rto 1h 2h"}) {
		t.Fatal(out, err)
	}
	if after, _, _ := s.store.LastEvent(t.Context()); after != before {
		t.Error("a try was stored")
	}
	try.DryRun, try.Draft = false, true
	if out, err := s.Submit(t.Context(), li, try); err != nil || out.Version.State != continuity.PlanDraft || out.Version.Number != 2 {
		t.Fatal(out, err)
	}
	sum, err := s.Show(t.Context(), "shop")
	if err != nil || sum.Version != 1 || len(sum.Waiting) != 1 || sum.Waiting[0].Number != 2 {
		t.Fatal(sum, err)
	}
	if _, err := s.Review(t.Context(), zhang, "shop", 2, "read"); err != nil {
		t.Fatal(err)
	}
	compared, err := s.Compare(t.Context(), "shop", 0, 2)
	if err != nil || compared.From != 1 || !slices.Equal(told(compared.Changes), []string{"impact orders rto 1h 2h"}) {
		t.Error(compared, err)
	}
	if out, err := s.Apply(t.Context(), li, "shop", 2, "now"); err != nil || len(out.Changes) != 1 {
		t.Fatal(out, err)
	}
	// A draft of what no longer holds is told of what holds.
	_, err = s.Apply(t.Context(), li, "shop", 1, "back")
	wantCode(t, err, continuity.CodeState)
	_, err = s.Show(t.Context(), "nothing")
	wantCode(t, err, continuity.CodeNotFound)
	_, _, err = s.Files(t.Context(), "shop", 9)
	wantCode(t, err, continuity.CodeNotFound)
}

func TestShowSumsUp(t *testing.T) {
	s := open(t, false)
	s.must(li, 0, both)
	sum, err := s.Show(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if p := sum.Processes[0]; len(sum.Processes) != 2 || p.MTD != 14400 || p.RTO != 3600 || p.RPO != 60 || p.Loss != "2000 CNY/h" || p.Meanwhile.En != "Orders come by phone." {
		t.Errorf("%+v", sum.Processes)
	}
	if r := sum.Roles[0]; r.ID != "commander" || r.People[1].ID != "zhang.min" || r.People[0].Names["en"] != "LI.WEI" {
		t.Errorf("%+v", sum.Roles)
	}
	if sum.Owner.ID != "li.wei" || sum.Checks != 1 || sum.Scenarios[0].Grade != "SEV-1" || sum.Faulty || sum.Flags != 0 {
		t.Errorf("%+v", sum)
	}
	page, next := s.List("", 10)
	if len(page) != 1 || next != "" || !reflect.DeepEqual(page[0], sum.PlanHeading) {
		t.Errorf("%+v", page)
	}
}

func TestListPages(t *testing.T) {
	s := open(t, false)
	for _, id := range []string{"a", "b", "c"} {
		if _, err := s.Submit(t.Context(), li, planbook.Submission{Service: id, Texts: continuity.PlanTexts{Plan: strings.Replace(business, "id: shop", "id: "+id, 1)}}); err != nil {
			t.Fatal(err, problemsOf(err))
		}
	}
	var seen []string
	for cursor := ""; ; {
		page, next := s.List(cursor, 2)
		for _, h := range page {
			seen = append(seen, h.Service)
		}
		if cursor = next; next == "" {
			break
		}
	}
	if !slices.Equal(seen, []string{"a", "b", "c"}) {
		t.Error(seen)
	}
}

// TestReviewComesDue counts from the day of applying, or of reading it through.
func TestReviewComesDue(t *testing.T) {
	s := open(t, false)
	s.must(li, 0, both)
	due := func(want time.Time, overdue bool) {
		t.Helper()
		sum, err := s.Show(t.Context(), "shop")
		if err != nil || !sum.ReviewDue.Equal(want) || sum.Overdue != overdue || (sum.Flags == 1) != overdue {
			t.Fatalf("due %v, overdue %v, flags %v, %v", sum.ReviewDue, sum.Overdue, sum.Open, err)
		}
	}
	due(start.AddDate(0, 6, 0), false)
	s.now = start.AddDate(0, 6, 1)
	due(start.AddDate(0, 6, 0), true)
	if v, err := s.Review(t.Context(), li, "shop", 0, "still right"); err != nil || v.Number != 1 {
		t.Fatal(v, err)
	}
	due(s.now.AddDate(0, 6, 0), false)
}

// feed wakes who waits when the test says so.
type feed struct {
	*store.Store
	woken chan struct{}
}

func (f feed) After(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.woken:
		return f.EventsSince(ctx, seq, most)
	}
}

func TestDiffOfParts(t *testing.T) {
	for _, c := range []struct {
		before, after continuity.PlanTexts
		want          []string
	}{
		{continuity.PlanTexts{Plan: business}, continuity.PlanTexts{Plan: business, Tech: technical}, []string{"tech added plan", "tech added checks/front"}},
		{continuity.PlanTexts{Plan: business, Tech: technical}, continuity.PlanTexts{Plan: business}, []string{"tech removed plan", "tech removed checks/front"}},
		{both, with("# Comments stay.\n", "# Comments go.\n"), []string{"plan reworded "}},
		{both, with("rto: 1h", "rto: 60m"), []string{"plan reworded "}},
		{both, continuity.PlanTexts{Plan: "schema: [", Tech: technical}, []string{"plan unread "}},
		{
			continuity.PlanTexts{Plan: business, Files: map[string]string{"a": "1", "b": "1"}}, continuity.PlanTexts{Plan: business, Files: map[string]string{"b": "2", "c": "1"}},
			[]string{"tech removed files/a", "tech changed files/b", "tech added files/c"},
		},
	} {
		var got []string
		for _, ch := range planbook.Diff("shop", c.before, c.after) {
			got = append(got, ch.Part+" "+string(ch.Kind)+" "+strings.Join(ch.Where, "/"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
