package maintenance_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/maintenance"
	"holdfast/internal/problem"
)

var sun = continuity.Actor{Kind: "user", ID: "sun.lan", Via: "api"}

// readmitting is a window whose first batch is in; the plan names who comes with each.
func readmitting(t *testing.T) *course {
	t.Helper()
	c := begun(t, nil)
	c.rules.Course.Verify, c.rules.Course.Complete = nil, maintenance.Complete{}
	c.rules.Course.Readmit.Groups = []maintenance.Group{
		{Teams: []string{"it"}, Leads: []string{"chen.jie"}, People: []string{"chen.jie", "wu.hao"}},
		{Teams: []string{"sales"}, Leads: []string{"sun.lan"}, People: []string{"sun.lan"}},
	}
	c.figure["failing"] = 0
	ok(c)(c.acts.Complete(t.Context(), chen, window, anyVersion, ""))
	c.want(continuity.WindowReadmitting)
	c.hand()
	return c
}

// said is how an error reads.
func said(err error) string {
	doc := problem.Of(err, "en")
	return doc.Title
}

// TestOnlyWhoWasLetInChecksIn refuses the word of whoever comes with no batch or with a
// later one, and counts that of the others for their own batch, once.
func TestOnlyWhoWasLetInChecksIn(t *testing.T) {
	c := readmitting(t)
	checkIn := func(who continuity.Actor, works bool, text string) error {
		_, err := c.acts.CheckIn(t.Context(), who, window, "", works, text)
		c.step()
		return err
	}
	if err := checkIn(continuity.Actor{Kind: "user", ID: "he.ping"}, true, ""); continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(said(err), "no batch") {
		t.Errorf("%v %s", err, said(err))
	}
	if err := checkIn(sun, true, ""); continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(said(err), "batch 2") {
		t.Errorf("%v %s", err, said(err))
	}
	if err := checkIn(chen, true, ""); err != nil {
		t.Fatal(err)
	}
	c.after(10 * time.Minute)
	if w := c.window(); w.Batch != 2 {
		t.Fatalf("batch %d is in", w.Batch)
	}
	c.hand()
	if err := checkIn(continuity.Actor{Kind: "user", ID: "wu.hao"}, true, ""); err != nil { // of the batch before
		t.Fatal(err)
	}
	c.after(10 * time.Minute)
	c.want(continuity.WindowReadmitting)
	if err := checkIn(sun, true, ""); err != nil {
		t.Fatal(err)
	}
	c.want(continuity.WindowDone)
}

// TestTroubleIsToldOnce has somebody say again and again that it does not work: those
// who do the work are paged once, and nothing grows.
func TestTroubleIsToldOnce(t *testing.T) {
	c := readmitting(t)
	for n := range 20 {
		if _, err := c.acts.CheckIn(t.Context(), chen, window, "", n%4 == 3, "the printer"); err != nil {
			t.Fatal(err)
		}
		c.after(time.Second)
	}
	if n := c.told("does not work for chen.jie"); n != 1 {
		t.Errorf("%d pages", n)
	}
	if asked := c.window().Course.Asked; len(asked) > 2 {
		t.Errorf("%q", asked)
	}
	before := c.window()
	if _, err := c.acts.CheckIn(t.Context(), chen, window, "", true, "the printer"); err != nil {
		t.Fatal(err)
	}
	c.step()
	if after := c.window(); !slices.Equal(after.Course.Asked, before.Course.Asked) {
		t.Errorf("%q", after.Course.Asked)
	}
}

// TestWhoSaysSoSeesWhatComesOfIt returns from an act what the window becomes by it, not
// what it was.
func TestWhoSaysSoSeesWhatComesOfIt(t *testing.T) {
	c := begun(t, nil)
	c.check("place-order", continuity.CheckUp)
	c.rules.Course.Complete = maintenance.Complete{}
	c.after(3 * time.Hour)
	c.want(continuity.WindowOverrun)
	k, err := c.acts.Complete(t.Context(), chen, window, anyVersion, "")
	if err != nil || k.State != continuity.WindowVerifying {
		t.Fatal(k.State, err)
	}
	k, err = c.acts.Verify(t.Context(), chen, window, anyVersion, "prices", true, "")
	if err != nil || k.State != continuity.WindowReadmitting || k.Batch != 1 {
		t.Fatal(k.State, err)
	}
	c.step()
	if n := c.told("you may come back"); n != 1 {
		t.Errorf("%d are told that they may come back", n)
	}
}

// TestCourseShowsBatches shows who comes back when, and what is in the way.
func TestCourseShowsBatches(t *testing.T) {
	c := readmitting(t)
	s, _, err := c.acts.Course(t.Context(), window)
	if err != nil || len(s.Batches) != 2 || s.Batches[0].State != "in" || s.Batches[0].Since.IsZero() || s.Batches[1].State != "next" || s.Batches[1].Share != 1 ||
		!slices.Equal(s.Batches[1].Teams, []string{"sales"}) || !slices.Equal(s.Batches[1].Asked, []string{"sun.lan"}) || !s.Next.Equal(c.now.Add(10*time.Minute)) {
		t.Errorf("%+v %v %v", s.Batches, s.Next, err)
	}
	if !slices.Equal(s.Waits, []string{"course.lacks.check-ins"}) {
		t.Errorf("%q", s.Waits)
	}
}

// TestBatchesGoByTheClockOfTheirExercise lets the next batch in, and ends the window,
// when the exercise's clock says so and not before; the last one waits for the end.
func TestBatchesGoByTheClockOfTheirExercise(t *testing.T) {
	c := newCourse(t)
	drill := continuity.Exercise{ID: "drill", Real: c.now, Shown: begins}
	c.write(continuity.KindExercise, "drill", drill)
	c.scheduled(func(w *continuity.Window) { w.Exercise = "drill" })
	c.step()
	c.hand()
	c.rules.Course.Verify, c.rules.Course.Complete = nil, maintenance.Complete{}
	c.rules.Course.Readmit.CheckIns = 0
	c.figure["failing"] = 0
	ok(c)(c.acts.Complete(t.Context(), chen, window, anyVersion, ""))
	c.hand()
	if w := c.window(); w.Batch != 1 || !w.Course.Readmit.Equal(begins) || !w.Complete["person"].Equal(begins) {
		t.Fatalf("batch %d at %v, said at %v", w.Batch, w.Course.Readmit, w.Complete)
	}
	c.after(time.Hour) // the clock stands
	if w := c.window(); w.Batch != 1 {
		t.Fatal("the next batch goes by the real clock")
	}
	s, _, err := c.acts.Course(t.Context(), window)
	if err != nil || !s.Next.Equal(begins.Add(10*time.Minute)) {
		t.Error(s.Next, err)
	}
	for _, state := range []string{continuity.WindowReadmitting, continuity.WindowDone} {
		drill.Real, drill.Shown = c.now, drill.Shown.Add(10*time.Minute)
		c.write(continuity.KindExercise, "drill", drill)
		c.step()
		c.hand()
		if w := c.want(state); w.Batch != 2 {
			t.Error(w.Batch)
		}
	}
	for _, n := range notes(c) {
		if last := n.Vars["batch"] == "2"; n.Vars["batch"] != "" && last != strings.Contains(n.Text.En, "the end of the maintenance waits for it") {
			t.Error(n.Text.En)
		}
	}
}

// TestOutsideLowTrafficIsSaid marks a window outside the hours that the plan names, and
// none where it names no such hours.
func TestOutsideLowTrafficIsSaid(t *testing.T) {
	w := newWorld(t, "2026-11-22 15:00")
	outside := func(from, to string) bool {
		return w.must(w.acts.Propose(t.Context(), li, w.draft(from, to))).Placed.Outside
	}
	if outside("2026-12-10 10:00", "2026-12-10 12:00") {
		t.Error("the plan names no hours of low traffic")
	}
	w.rules.Low = []maintenance.Low{{From: time.Hour, To: 5 * time.Hour}}
	if !outside("2026-12-11 10:00", "2026-12-11 12:00") || outside("2026-12-12 02:00", "2026-12-12 04:00") {
		t.Error("hours of low traffic are from 1 to 5")
	}
}

// TestReviewIsHeld notes once what the review came to; nobody is reminded of it then.
func TestReviewIsHeld(t *testing.T) {
	c := readmitting(t)
	if _, err := c.acts.Review(t.Context(), chen, window, anyVersion, "too early"); continuity.CodeOf(err) != continuity.CodeState || !strings.Contains(said(err), "is readmitting") {
		t.Error(said(err))
	}
	ok(c)(c.acts.Release(t.Context(), chen, window, anyVersion, "all is well"))
	c.hand()
	if _, err := c.acts.Review(t.Context(), chen, window, anyVersion, " "); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Error(err)
	}
	ok(c)(c.acts.Review(t.Context(), chen, window, anyVersion, "the copy needs two hours"))
	if r := c.window().Course.Reviewed; r == nil || r.By.ID != "chen.jie" || r.Text != "the copy needs two hours" || !r.At.Equal(c.now) {
		t.Errorf("%+v", r)
	}
	if _, err := c.acts.Review(t.Context(), sun, window, anyVersion, "again"); continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(said(err), "chen.jie") {
		t.Error(err)
	}
	c.after(30 * 24 * time.Hour)
	if n := c.told("the review of maintenance"); n != 0 {
		t.Errorf("%d reminders of a review that was held", n)
	}
}

// TestStartBeforeItsTime needs a reason, and calendars are told the other time.
func TestStartBeforeItsTime(t *testing.T) {
	w := newWorld(t, "2026-12-09 20:00")
	k := w.plan("2026-12-10 02:00", "2026-12-10 04:00")
	w.step()
	if _, err := w.acts.Start(t.Context(), li, k.ID, continuity.VersionAny, " "); continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(said(err), "2026-12-10 02:00") {
		t.Fatal(err)
	}
	k = w.must(w.acts.Start(t.Context(), li, k.ID, continuity.VersionAny, "all have gone home"))
	if !k.Start.Equal(w.now) || k.End.Sub(k.Start) != 2*time.Hour || k.Sequence != 1 {
		t.Errorf("%+v", k.Window)
	}
	if got := w.notes(); got[len(got)-1].Vars["end"] != "2026-12-09 22:00 UTC+08:00" {
		t.Errorf("people are told another end: %v", got[len(got)-1].Vars)
	}
	d, _, err := w.acts.Get(t.Context(), k.ID)
	if err != nil || !d.Foreseen.Equal(w.at("2026-12-10 02:00")) {
		t.Fatal(d.Foreseen, err)
	}
	for _, rung := range d.Ladder { // due as announced, and told only where it was
		if at, told := d.Told[rung.Step+"/staff"]; told == rung.Due.After(w.now) || told && !at.Equal(w.now) {
			t.Errorf("%s, due %v: told %v at %v", rung.Step, rung.Due, told, at)
		}
	}
	if d.Ladder[3].Step != "1h" || !d.Ladder[3].Due.Equal(w.at("2026-12-10 01:00")) {
		t.Error(d.Ladder)
	}
	w.step()
	k = w.must(w.acts.Extend(t.Context(), li, k.ID, continuity.VersionAny, k.End.Add(time.Hour), continuity.Text{}))
	if k.Sequence != 2 {
		t.Errorf("a calendar would not show the new end: sequence %d", k.Sequence)
	}
}

// TestEmergencyIsSaidWhy has work at short notice need a reason, lie on no other of its
// kind, and be another one, once approved, only by who may approve.
func TestEmergencyIsSaidWhy(t *testing.T) {
	w := newWorld(t, "2026-12-09 20:00")
	may := true
	w.acts = maintenance.NewActs(maintenance.ActsOptions{Store: w.store, Plans: w, World: w, Now: func() time.Time { return w.now }, May: func(context.Context, continuity.Actor, string, string) error {
		if may {
			return nil
		}
		return continuity.E(continuity.CodeScope, nil)
	}})
	start, end := w.now.Add(2*time.Hour), w.now.Add(4*time.Hour)
	draft := maintenance.Draft{Service: service, Kind: continuity.WindowEmergency, Start: &start, End: &end}
	if _, err := w.acts.Propose(t.Context(), li, draft); continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(said(err), "why it has to be at once") {
		t.Fatal(said(err))
	}
	if all, _, err := w.acts.List(t.Context(), maintenance.Query{All: true}); err != nil || len(all) > 0 {
		t.Fatal("a slip was written down:", all, err)
	}
	reason := both("stolen certificate")
	draft.Reason = &reason
	k := w.must(w.acts.Propose(t.Context(), li, draft))
	w.must(w.acts.Schedule(t.Context(), li, k.ID, continuity.VersionAny, maintenance.Plan{}))
	again := w.must(w.acts.Propose(t.Context(), li, draft))
	if _, err := w.acts.Schedule(t.Context(), li, again.ID, continuity.VersionAny, maintenance.Plan{}); continuity.CodeOf(err) != continuity.CodeInvalid || !strings.Contains(said(err), "another window: "+k.ID) {
		t.Error(said(err))
	}
	w.must(w.acts.Schedule(t.Context(), li, again.ID, continuity.VersionAny, maintenance.Plan{Despite: "the other disk"}))
	may = false
	later := end.Add(time.Hour)
	if _, err := w.acts.Change(t.Context(), li, k.ID, continuity.VersionAny, maintenance.Draft{End: &later}); continuity.CodeOf(err) != continuity.CodeScope {
		t.Error("it is another one than was approved:", err)
	}
}

// TestFeedOfNothing tells a service that is not known from one without windows.
func TestFeedOfNothing(t *testing.T) {
	w := newWorld(t, "2026-12-09 20:00")
	if _, err := w.acts.Feed(t.Context(), service, "en"); err != nil {
		t.Error(err)
	}
	if _, err := w.acts.Feed(t.Context(), "nothing", "en"); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error(err)
	}
}
