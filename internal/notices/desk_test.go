package notices_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/store"
)

// told is a source that tells what the test says.
type told struct {
	look notices.Look
	err  error
}

func (s *told) Read(context.Context, json.RawMessage) (notices.Look, error) { return s.look, s.err }

// heard is a warning engine that remembers.
type heard struct {
	raised map[string]continuity.Level
	ended  []string
	fail   error
}

func (h *heard) Notice(_ context.Context, _ continuity.Actor, _, name string, level continuity.Level, _ continuity.Text, _ string) error {
	if h.fail == nil {
		h.raised[name] = level
	}
	return h.fail
}

func (h *heard) End(_ context.Context, _ continuity.Actor, _, _, name string) error {
	delete(h.raised, name)
	h.ended = append(h.ended, name)
	return nil
}

// office is a desk over a real store, with its clock.
type office struct {
	t        *testing.T
	store    *store.Store
	desk     *notices.Desk
	source   *told
	warnings *heard
	now      time.Time
}

var person = continuity.Actor{Kind: "user", ID: "li.wei"}

const ref = "notices/chat/vendor"

func open(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, source: &told{}, warnings: &heard{raised: map[string]continuity.Level{}}, now: time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)}
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), store.Clock(func() time.Time { return o.now }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	o.store = s
	o.desk = notices.New(notices.Options{
		Store: s, Node: "node-1", Warnings: o.warnings, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return o.now },
		Open: func(*notices.Spec, *notices.Tools) (notices.Source, error) { return o.source, nil },
	})
	o.desk.Set([]notices.Service{service()})
	if err := o.desk.Ensure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func service() notices.Service {
	names := []extract.Name{{ID: "messages", Names: []string{"messages", "消息"}}, {ID: "login", Names: []string{"login", "登录"}}}
	return notices.Service{ID: "chat", Provider: "messenger", Zone: time.UTC, Names: names, Sources: []notices.Spec{{
		Service: "chat", ID: "vendor", Kind: "feed", Provider: "messenger", Zone: time.UTC, Level: continuity.LevelYellow, Every: 5 * time.Minute, Names: names,
	}}}
}

// look has the source read when it is due, and returns what was scheduled.
func (o *office) look() continuity.Timer {
	o.t.Helper()
	t, err := o.store.Timer(o.t.Context(), ref)
	if err != nil {
		o.t.Fatal(err)
	}
	if t.Due.After(o.now) {
		o.now = t.Due
	}
	o.run()
	if t, err = o.store.Timer(o.t.Context(), ref); err != nil {
		o.t.Fatal(err)
	}
	return t
}

// run does all timers that are due.
func (o *office) run() {
	o.t.Helper()
	for {
		t, ok, err := o.store.Claim(o.t.Context(), "node-1", o.now, time.Minute)
		if err != nil {
			o.t.Fatal(err)
		}
		if !ok {
			return
		}
		handle := map[string]func(context.Context, continuity.Timer) (continuity.Batch, error){
			notices.TimerRead: o.desk.Look, notices.TimerRaise: o.desk.Raise,
		}[t.Kind]
		b, err := handle(o.t.Context(), t)
		if err != nil {
			if err := o.store.Retry(o.t.Context(), t, o.now.Add(time.Second), "test"); err != nil {
				o.t.Fatal(err)
			}
			return
		}
		if _, err := o.store.Done(o.t.Context(), t, b); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *office) all() []notices.Kept {
	o.t.Helper()
	page, _, err := o.desk.List(o.t.Context(), notices.Query{All: true})
	if err != nil {
		o.t.Fatal(err)
	}
	return page
}

func (o *office) one() notices.Kept {
	o.t.Helper()
	page := o.all()
	if len(page) != 1 {
		o.t.Fatalf("%d proposals: %+v", len(page), page)
	}
	return page[0]
}

func (o *office) confirm(id string, e notices.Edit) notices.Kept {
	o.t.Helper()
	k, err := o.desk.Confirm(o.t.Context(), person, id, continuity.VersionAny, e)
	if err != nil {
		o.t.Fatal(err)
	}
	o.run()
	return k
}

func (o *office) tells(items ...notices.Item) { o.source.look = notices.Look{Items: items} }

func (o *office) events() int {
	o.t.Helper()
	seq, _, err := o.store.LastEvent(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return int(seq)
}

func window(text string) notices.Item {
	return notices.Item{Key: "1", Title: "Scheduled maintenance", Text: "Maintenance of messages " + text, Written: time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)}
}

func outage(text string) notices.Item {
	return notices.Item{Key: "2", Title: "Outage of login", Text: text, Written: time.Date(2026, 11, 20, 2, 50, 0, 0, time.UTC)}
}

func TestAWindowIsProposedConfirmedAndAskedAgain(t *testing.T) {
	o := open(t)
	o.tells(window("2026-12-01 02:00-06:00 UTC"))
	o.look()
	p := o.one()
	if p.State != notices.Proposed || p.Asks != notices.AsksNew || p.Type != notices.TypeWindow || len(p.Reading.Unread) != 0 {
		t.Fatalf("%+v", p)
	}
	if before := o.events(); true {
		for range 3 {
			o.look()
		}
		if o.events() != before {
			t.Error("looks that find nothing new make events")
		}
	}
	p = o.confirm(p.ID, notices.Edit{Note: "we know"})
	if p.State != notices.Confirmed || p.Asks != "" || !p.Agreed.Start.Equal(time.Date(2026, 12, 1, 2, 0, 0, 0, time.UTC)) || p.Agreed.By != person || p.Agreed.Note != "we know" {
		t.Fatalf("%+v", p)
	}
	if len(o.warnings.raised) != 0 {
		t.Error("a window became a warning")
	}

	// Moved: the old time holds until a person answers.
	o.tells(window("has been moved to 2026-12-02 02:00-06:00 UTC"))
	o.look()
	if p = o.one(); p.Asks != notices.AsksChanged || p.State != notices.Confirmed || p.Agreed.Start.Day() != 1 || p.Reading.Start.Day() != 2 {
		t.Fatalf("%+v", p)
	}
	if p, err := o.desk.Dismiss(t.Context(), person, p.ID, p.Version, "told otherwise by phone"); err != nil || p.State != notices.Confirmed || p.Asks != "" || p.Agreed.Start.Day() != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	o.tells(window("has been moved to 2026-12-03 02:00-06:00 UTC"))
	o.look()
	if p = o.confirm(o.one().ID, notices.Edit{}); p.Agreed.Start.Day() != 3 {
		t.Fatalf("%+v", p)
	}

	// Cancelled.
	o.tells(notices.Item{Key: "1", Title: "Cancelled: scheduled maintenance", Text: "It will no longer take place."})
	o.look()
	if p = o.one(); p.Asks != notices.AsksCancelled || p.State != notices.Confirmed {
		t.Fatalf("%+v", p)
	}
	if p = o.confirm(p.ID, notices.Edit{}); p.State != notices.Over {
		t.Fatalf("%+v", p)
	}
}

func TestAWarningIsRaisedOnlyWhenConfirmed(t *testing.T) {
	o := open(t)
	o.tells(outage("Major outage of login since 02:45 UTC."))
	o.look()
	p := o.one()
	if p.Type != notices.TypeWarning || p.Reading.Level != continuity.LevelOrange || len(o.warnings.raised) != 0 {
		t.Fatalf("%+v %v", p, o.warnings.raised)
	}
	// The warning follows by a timer, also where it fails at first.
	o.warnings.fail = errors.New("the inbox is not there")
	level := continuity.LevelRed
	p = o.confirm(p.ID, notices.Edit{Level: &level})
	o.warnings.fail = nil
	o.now = o.now.Add(2 * time.Second)
	o.run()
	if o.warnings.raised[p.ID] != continuity.LevelRed {
		t.Fatalf("%v", o.warnings.raised)
	}
	// An update that says nothing else asks nobody.
	o.tells(outage("Major outage of login since 02:45 UTC. We are still at it."))
	o.look()
	if p = o.one(); p.Asks != "" || !strings.Contains(p.Text, "still") {
		t.Fatalf("%+v", p)
	}
	o.tells(outage("Major outage of login since 02:45 UTC. It has been resolved."))
	o.look()
	if p = o.one(); p.Asks != notices.AsksOver || len(o.warnings.ended) != 0 {
		t.Fatalf("%+v %v", p, o.warnings)
	}
	if p = o.confirm(p.ID, notices.Edit{}); p.State != notices.Over || len(o.warnings.raised) != 0 {
		t.Fatalf("%+v %v", p, o.warnings)
	}
}

func TestWhatIsMissingHasToBeGiven(t *testing.T) {
	o := open(t)
	o.tells(window("in two parts: 2026-12-01 02:00-04:00 UTC and 2026-12-03 02:00-04:00 UTC"))
	o.look()
	p := o.one()
	says := func(want string, e notices.Edit) {
		t.Helper()
		_, err := o.desk.Confirm(t.Context(), person, p.ID, p.Version, e)
		var invalid *continuity.Error
		if !errors.As(err, &invalid) || invalid.Args["detail_id"] != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	bad, early, unknown := extract.Kind("party"), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), []string{"coffee"}
	level := continuity.Level("pink")
	says("notice.invalid.missing", notices.Edit{})
	says("notice.invalid.window", notices.Edit{Window: 3})
	says("notice.invalid.times", notices.Edit{Window: 2, End: &early})
	says("notice.invalid.kind", notices.Edit{Window: 1, Kind: &bad})
	says("notice.invalid.component", notices.Edit{Window: 1, Components: &unknown})
	says("notice.invalid.level", notices.Edit{Window: 1, Level: &level})
	if _, err := o.desk.Confirm(t.Context(), person, p.ID, p.Version-1, notices.Edit{Window: 1}); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Error(err)
	}
	if _, err := o.desk.Dismiss(t.Context(), person, p.ID, p.Version, " "); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Error(err)
	}
	if p = o.confirm(p.ID, notices.Edit{Window: 2}); p.Agreed.Start.Day() != 3 {
		t.Errorf("%+v", p.Agreed)
	}
	if _, err := o.desk.Confirm(t.Context(), person, p.ID, p.Version, notices.Edit{Window: 1}); continuity.CodeOf(err) != continuity.CodeState {
		t.Error(err)
	}
}

func TestOneAnnouncementIsOneProposal(t *testing.T) {
	o := open(t)
	item := window("2026-12-01 02:00-06:00 UTC")
	again := item
	again.Key = "another name"
	o.tells(item, again)
	o.look()
	o.tells(again)
	o.look()
	o.one()
	// A node that forgot what it had seen asks the store.
	other := open(t)
	other.store = o.store
	if before := o.events(); true {
		if err := o.store.Schedule(t.Context(), continuity.Timer{ID: ref, Kind: notices.TimerRead, Due: o.now}); err != nil {
			t.Fatal(err)
		}
		o.tells(item)
		o.look()
		if o.events() != before {
			t.Error("what is known is written again")
		}
	}
}

func TestWhatIsOfNoUseIsNotProposed(t *testing.T) {
	o := open(t)
	past := window("2026-11-10 02:00-06:00 UTC")
	past.Key = "past"
	o.tells(
		past,
		notices.Item{Key: "long ago", Title: "Login outage", Text: "Some users can't log in.", Written: o.now.AddDate(0, -1, 0)},
		notices.Item{Key: "over", Title: "Login outage", Text: "This incident has been resolved.", Written: o.now},
		notices.Item{Key: "first sight", Title: "All systems are fine", Quiet: true},
	)
	o.look()
	if all := o.all(); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestAWordOnAnotherNotice(t *testing.T) {
	o := open(t)
	o.tells(window("2026-12-01 02:00-06:00 UTC"))
	o.look()
	p := o.confirm(o.one().ID, notices.Edit{})
	o.tells(notices.Item{Key: "3", Title: "关于取消系统维护的通知", Text: "原定于2026年12月1日02:00-06:00（UTC）的消息维护取消。", Written: o.now})
	o.look()
	all := o.all()
	i := slices.IndexFunc(all, func(k notices.Kept) bool { return k.Type == notices.TypeWord })
	if len(all) != 2 || i < 0 || all[i].About != p.ID || all[i].Asks != notices.AsksCancelled {
		t.Fatalf("%+v", all)
	}
	o.confirm(all[i].ID, notices.Edit{})
	if k, err := o.desk.Get(t.Context(), p.ID); err != nil || k.State != notices.Over {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestWhatIsNoLongerListedIsAsked(t *testing.T) {
	o := open(t)
	o.source.look = notices.Look{Whole: true, Items: []notices.Item{outage("Major outage"), window("2026-12-01 02:00-06:00 UTC")}}
	o.look()
	for _, k := range o.all() {
		if k.Type == notices.TypeWarning {
			o.confirm(k.ID, notices.Edit{})
		}
	}
	o.source.look = notices.Look{Whole: true}
	o.look()
	for _, k := range o.all() {
		switch {
		case !slices.Contains(k.Reading.Doubts, notices.DoubtGone):
			t.Errorf("%+v", k)
		case k.Type == notices.TypeWarning && (k.State != notices.Confirmed || k.Asks != notices.AsksOver):
			t.Errorf("%+v", k)
		case k.Type == notices.TypeWindow && k.State != notices.Over:
			t.Errorf("%+v", k)
		}
	}
	if len(o.warnings.raised) != 1 {
		t.Error("a warning ended before a person said so")
	}
}

func TestASourceThatFailsIsShown(t *testing.T) {
	o := open(t)
	state := func() notices.SourceState {
		t.Helper()
		all, err := o.desk.Sources(t.Context(), "chat")
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	if s := state(); s.State != notices.SourceUnknown {
		t.Errorf("never read: %+v", s)
	}
	o.look()
	if s := state(); s.State != notices.SourceRead || s.Read.IsZero() {
		t.Errorf("%+v", s)
	}
	o.source.err = fetch.Fail(fetch.Status, nil, "status", 503)
	before := o.events()
	var due time.Duration
	for range 5 {
		timer := o.look()
		due = timer.Due.Sub(o.now)
	}
	if s := state(); s.State != notices.SourceFailing || s.Why == nil || s.Why.ID != fetch.Status || due < 40*time.Minute {
		t.Errorf("%+v, next in %s", s, due)
	}
	if n := o.events() - before; n != 1 {
		t.Errorf("%d events", n)
	}
	o.source.err = nil
	o.look()
	if s := state(); s.State != notices.SourceRead || s.Why != nil {
		t.Errorf("%+v", s)
	}
	if n := o.events() - before; n != 2 {
		t.Errorf("%d events", n)
	}
	// Not read for long: nobody knows, whatever it was.
	o.now = o.now.Add(time.Hour)
	if s := state(); s.State != notices.SourceUnknown {
		t.Errorf("%+v", s)
	}
	failure := fetch.Fail(fetch.Status, nil, "status", 429)
	failure.After = 3 * time.Hour
	o.source.err = failure
	if timer := o.look(); timer.Due.Sub(o.now) < 3*time.Hour-time.Second {
		t.Errorf("comes again in %s", timer.Due.Sub(o.now))
	}
}

func TestASourceThatNoPlanHasEnds(t *testing.T) {
	o := open(t)
	o.desk.Set(nil)
	for range 11 {
		timer, err := o.store.Timer(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		o.now = timer.Due.Add(time.Second)
		o.run()
	}
	if _, err := o.store.Timer(t.Context(), ref); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error(err)
	}
}

func TestPastedText(t *testing.T) {
	o := open(t)
	k, err := o.desk.Paste(t.Context(), person, "chat", "", "<p>通知</p>明天凌晨2点至6点升级消息服务", time.Time{})
	if err != nil || k.Title != "通知" || k.Reading.Start.IsZero() || !slices.Contains(k.Reading.Doubts, extract.DoubtRelative) {
		t.Fatalf("%+v, %v", k, err)
	}
	if k.Text != "明天凌晨2点至6点升级消息服务" {
		t.Errorf("the title stands in the text, too: %q", k.Text)
	}
	long := strings.Repeat("明天维护。", 60)
	if k, err := o.desk.Paste(t.Context(), person, "chat", "", long, time.Time{}); err != nil || k.Text != long || len(k.Title) > 300 {
		t.Errorf("%+v, %v", k, err)
	}
	again, err := o.desk.Paste(t.Context(), person, "chat", "", "<p>通知</p>明天凌晨2点至6点升级消息服务", time.Time{})
	if err != nil || again.ID != k.ID || again.Version != k.Version {
		t.Errorf("%+v, %v", again, err)
	}
	for _, text := range []string{"", strings.Repeat("x", 70<<10)} {
		if _, err := o.desk.Paste(t.Context(), person, "chat", "", text, time.Time{}); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(err)
		}
	}
	if _, err := o.desk.Paste(t.Context(), person, "nothing", "", "x", time.Time{}); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Error(err)
	}
}

// A plan that names other components or another secret is read so at once, and
// only other components begin anew.
func TestAChangedSourceIsOpenedAnew(t *testing.T) {
	o := open(t)
	var opened []string
	desk := notices.New(notices.Options{
		Store: o.store, Node: "node-1", Warnings: o.warnings, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return o.now },
		Open: func(s *notices.Spec, _ *notices.Tools) (notices.Source, error) {
			opened = append(opened, s.AuthRef+" "+strings.Join(s.Components, " "))
			return o.source, nil
		},
	})
	o.desk = desk
	said := service()
	print := said.Sources[0].Print()
	for _, change := range []func(s *notices.Spec){
		func(s *notices.Spec) { s.AuthRef = "secret A" },
		func(s *notices.Spec) {},
		func(s *notices.Spec) { s.AuthRef = "secret B" },
		func(s *notices.Spec) { s.Components = []string{"login"} },
	} {
		if s := &said.Sources[0]; len(s.Components) == 0 && s.Print() != print {
			t.Error("another secret begins anew")
		}
		change(&said.Sources[0])
		desk.Set([]notices.Service{said})
		o.look()
	}
	if want := []string{"secret A ", "secret B ", "secret B login"}; !slices.Equal(opened, want) {
		t.Errorf("%q", opened)
	}
	if said.Sources[0].Print() == print {
		t.Error("other components go on from what was read of the old ones")
	}
}
