package storetest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/internal/continuity"
)

func people(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	p := s.People()
	li := continuity.Person{ID: "li", Names: map[string]string{"zh": "李雷", "en": "Li Lei"}, Addresses: []continuity.Address{{Kind: "phone", Value: "+86 100"}}, Department: "orders"}
	version, err := p.Put(t.Context(), ann, li, continuity.VersionNew, "hired")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Put(t.Context(), ann, li, continuity.VersionNew, "")
	wantCode(t, err, continuity.CodeVersion)
	_, err = p.Put(t.Context(), ann, continuity.Person{ID: "nobody"}, continuity.VersionNew, "")
	wantCode(t, err, continuity.CodeInvalid)
	wang := continuity.Person{ID: "wang", Names: map[string]string{"zh": "王"}}
	for i, want := range []int{1, 0} {
		if n, err := p.Import(t.Context(), ann, []continuity.Person{li, wang}, "file"); err != nil || n != want {
			t.Fatal(i, n, err)
		}
	}
	_, err = p.Import(t.Context(), ann, []continuity.Person{{ID: "new", Names: li.Names}, wang, wang}, "file")
	wantCode(t, err, continuity.CodeInvalid)
	if _, err := p.Leave(t.Context(), ann, "li", Start, "quit"); err != nil {
		t.Fatal(err)
	}
	_, err = p.Put(t.Context(), ann, li, version, "")
	wantCode(t, err, continuity.CodeVersion)
	_, _, err = p.Get(t.Context(), "new")
	wantCode(t, err, continuity.CodeNotFound)
	page, next, err := p.List(t.Context(), "", 0)
	if err != nil || next != "" || len(page) != 2 || page[0].Names["zh"] != "李雷" || !page[0].Left.Equal(Start) {
		t.Fatal(page, next, err)
	}
	verified(t, s, 3)
}

func plans(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	p, bob := s.Plans(), continuity.Actor{Kind: "user", ID: "bob"}
	draft := func(base int64, text string) (continuity.PlanVersion, error) {
		return p.Draft(t.Context(), ann, continuity.PlanProposal{Service: "shop", Base: base, Texts: continuity.PlanTexts{Plan: text, Tech: "# tech\n"}, Parts: []string{"plan", "tech"}, Reason: "why"})
	}
	_, err := draft(1, "x")
	wantCode(t, err, continuity.CodeVersion)
	_, err = p.Applied(t.Context(), "shop")
	wantCode(t, err, continuity.CodeNotFound)
	one, err := draft(0, "# one\n")
	if err != nil || one.Number != 1 || one.State != continuity.PlanDraft {
		t.Fatal(one, err)
	}
	other, err := draft(0, "# other\n")
	if err != nil || other.Number != 2 || other.Hash == one.Hash {
		t.Fatal(other, err)
	}
	_, err = p.Apply(t.Context(), ann, "shop", 1, true, "")
	wantCode(t, err, continuity.CodeApproval)
	for _, part := range []string{"plan", "tech"} {
		_, err = p.Approve(t.Context(), ann, "shop", 1, part, "mine")
		wantCode(t, err, continuity.CodeApproval)
	}
	_, err = p.Approve(t.Context(), bob, "shop", 1, "other", "")
	wantCode(t, err, continuity.CodeInvalid)
	if _, err = p.Review(t.Context(), bob, "shop", 1, "read"); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Approve(t.Context(), bob, "shop", 1, "plan", "good"); err != nil {
		t.Fatal(err)
	}
	_, err = p.Apply(t.Context(), ann, "shop", 1, true, "")
	wantCode(t, err, continuity.CodeApproval) // the technical part is not approved
	if _, err = p.Approve(t.Context(), bob, "shop", 1, "tech", "good"); err != nil {
		t.Fatal(err)
	}
	// Somebody else's word stands beside the first one's; the same one's again is none.
	eve := continuity.Actor{Kind: "user", ID: "eve"}
	for _, by := range []continuity.Actor{eve, eve, bob} {
		v, err := p.Approve(t.Context(), by, "shop", 1, "tech", "fine")
		if err != nil || v.TechOK.By != bob || v.TechOK.Note != "good" || len(v.Further) != 1 || v.Further[0].By != eve || v.Further[0].Part != "tech" {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if _, err = p.Apply(t.Context(), ann, "shop", 1, true, "go"); err != nil {
		t.Fatal(err)
	}
	_, err = p.Apply(t.Context(), ann, "shop", 1, true, "again")
	wantCode(t, err, continuity.CodeState)
	_, err = p.Approve(t.Context(), bob, "shop", 1, "plan", "late")
	wantCode(t, err, continuity.CodeState)
	if v, err := p.Review(t.Context(), ann, "shop", 1, "still right"); err != nil || v.Reread.Note != "still right" || v.Review.Note != "read" {
		t.Fatal(v, err)
	}
	// The other started from nothing, and something holds by now.
	_, err = p.Apply(t.Context(), ann, "shop", 2, false, "")
	wantCode(t, err, continuity.CodeVersion)
	if three, err := draft(1, "# one\n"); err != nil || three.Hash != one.Hash {
		t.Fatal(three, err)
	}
	if _, err = p.Apply(t.Context(), bob, "shop", 3, false, "back"); err != nil {
		t.Fatal(err)
	}
	holds, err := p.Applied(t.Context(), "shop")
	if err != nil || holds.Number != 3 || holds.Base != 1 {
		t.Fatal(holds, err)
	}
	if texts, err := p.Texts(t.Context(), holds); err != nil || texts.Plan != "# one\n" || texts.Tech != "# tech\n" {
		t.Fatal(texts, err)
	}
	versions, next, err := p.Versions(t.Context(), "shop", "", 0)
	if err != nil || next != "" || len(versions) != 3 {
		t.Fatal(versions, next, err)
	}
	var states []string
	for _, v := range versions {
		states = append(states, v.State)
	}
	if !slices.Equal(states, []string{continuity.PlanReplaced, continuity.PlanDraft, continuity.PlanApplied}) {
		t.Fatal(states)
	}
	if v := versions[0]; v.Review.Note != "read" || v.Approval.By.ID != "bob" || v.Author.ID != "ann" || v.Applied.IsZero() {
		t.Fatalf("%+v", v)
	}
	atOnce, err := p.Draft(t.Context(), ann, continuity.PlanProposal{Service: "shop", Base: 3, Texts: continuity.PlanTexts{Plan: "# four\n", Files: map[string]string{"flows/a.yaml": "a\n"}}, Apply: true})
	if err != nil || atOnce.State != continuity.PlanApplied || atOnce.Applied.IsZero() {
		t.Fatal(atOnce, err)
	}
	if newest, applied, err := p.Numbers(t.Context(), "shop"); err != nil || newest != 4 || applied != 4 {
		t.Fatal(newest, applied, err)
	}
	if old, err := p.Get(t.Context(), "shop", 3); err != nil || old.State != continuity.PlanReplaced {
		t.Fatal(old, err)
	}
	if texts, err := p.Texts(t.Context(), atOnce); err != nil || texts.Files["flows/a.yaml"] != "a\n" {
		t.Fatal(texts, err)
	}
	if services, _, err := p.Services(t.Context(), "", 0); err != nil || !slices.Equal(services, []string{"shop"}) {
		t.Fatal(services, err)
	}
}

// plansRace applies several drafts of one base at once: one holds.
func plansRace(t *testing.T, fresh func(testing.TB) string) {
	dsn := fresh(t)
	p := Open(t, dsn).Plans()
	const drafts = 4
	for range drafts {
		if _, err := p.Draft(t.Context(), ann, continuity.PlanProposal{Service: "shop", Texts: continuity.PlanTexts{Plan: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	var won atomic.Int64
	for i := range drafts {
		all.Go(func() {
			switch _, err := p.Apply(t.Context(), ann, "shop", int64(i+1), false, ""); continuity.CodeOf(err) {
			case "":
				won.Add(1)
			case continuity.CodeVersion:
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d versions were applied on the same base", won.Load())
	}
}
