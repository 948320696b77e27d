package planbook_test

import (
	"context"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/planbook"
)

// TestAnotherNodeFollows has one node apply and another one hear of it.
func TestAnotherNodeFollows(t *testing.T) {
	s := open(t, false)
	other := s.another(false)
	f := feed{s.store, make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { other.Follow(ctx, f) })
	defer all.Wait()
	defer stop()
	f.woken <- struct{}{} // it has read the book, and waits
	holds, changed := other.Current()
	if len(holds) != 0 {
		t.Fatal(holds)
	}
	s.must(li, 0, both)
	f.woken <- struct{}{}
	<-changed
	if holds, changed = other.Current(); len(holds) != 1 || holds[0].ID != "shop" {
		t.Fatal(holds)
	}
	// Who leaves is flagged, and nothing changes for engines.
	if _, err := s.store.People().Leave(t.Context(), li, "zhang.min", start, "gone"); err != nil {
		t.Fatal(err)
	}
	f.woken <- struct{}{}
	f.woken <- struct{}{} // the one before has been heard
	page, _ := other.List("", 1)
	if page[0].Flags != 1 || page[0].Faulty {
		t.Errorf("%+v", page[0])
	}
	select {
	case <-changed:
		t.Error("engines were told of nothing")
	default:
	}
	sum, err := other.Show(t.Context(), "shop")
	if err != nil || !sum.Roles[0].People[1].Left || sum.Open[0].ID != "plan.leaver" {
		t.Error(sum.Roles, sum.Open, err)
	}
}

// TestFaultyStaysInForce has a program read what an older one has applied, and
// which it would refuse.
func TestFaultyStaysInForce(t *testing.T) {
	s := open(t, false)
	for service, plan := range map[string]string{
		"rto":    strings.Replace(business, "rto: 1h", "rto: 6h", 1),
		"value":  strings.Replace(business, "mtd: 2d", "mtd: two days", 1),
		"yaml":   "schema: [",
		"person": strings.Replace(business, "[li.wei, zhang.min]", "[li.wei, gone.man]", 1),
	} {
		plan = strings.Replace(plan, "id: shop", "id: "+service, 1)
		_, err := s.store.Plans().Draft(t.Context(), li, continuity.PlanProposal{Service: service, Texts: continuity.PlanTexts{Plan: plan}, Apply: true})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	holds, _ := s.Current()
	read := map[string]time.Duration{}
	for _, p := range holds {
		read[p.ID] = p.Impact[0].MTD
	}
	if !maps.Equal(read, map[string]time.Duration{"rto": 4 * time.Hour, "value": 4 * time.Hour, "person": 4 * time.Hour}) {
		t.Error(read)
	}
	page, _ := s.List("", 10)
	if len(page) != 4 {
		t.Fatal(page)
	}
	for _, h := range page {
		if !h.Faulty || h.Flags == 0 || h.Version != 1 || h.Fault.File != h.Service+".yaml" || h.Fault.Line == 0 {
			t.Errorf("%+v", h)
		}
	}
	if told := s.log.String(); !strings.Contains(told, "can't read all of a plan") || !strings.Contains(told, `service=yaml version=1 at=yaml.yaml:1`) {
		t.Error(told)
	}
	// Of a plan that is read whole nothing is missing, whatever is wrong with it.
	if unread := s.Holding().Unread; !maps.Equal(unread, map[string]bool{"value": true, "yaml": true}) {
		t.Error(unread)
	}
	// What was wrong comes in order without another version: engines hear of it.
	_, changed := s.Current()
	if _, err := s.store.People().Import(t.Context(), li, []continuity.Person{{ID: "gone.man", Names: map[string]string{"en": "Gone Man"}}}, "staff"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-changed
	if page, _ := s.List("", 10); page[0].Faulty {
		t.Errorf("%+v", page[0])
	}
	// And by one that can be read.
	mended := continuity.PlanTexts{Plan: strings.Replace(business, "id: shop", "id: yaml", 1)}
	if _, err := s.Submit(t.Context(), li, planbook.Submission{Service: "yaml", Base: 1, Texts: mended, Reason: "why"}); err != nil {
		t.Fatal(err, problemsOf(err))
	}
	if holds, _ = s.Current(); len(holds) != 4 || s.Holding().Unread["yaml"] {
		t.Error(holds, s.Holding().Unread)
	}
}
