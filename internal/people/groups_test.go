package people_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/people"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
)

func TestPeopleAreReachedInWaysThatFit(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := people.Roster{Store: s.People(), Mentions: func() []continuity.Mention { return nil }, Now: func() time.Time { return start }}
	good := continuity.Person{
		ID: "li", Names: map[string]string{"zh": "李"}, Language: "zh", Zone: "Asia/Shanghai",
		Quiet: []continuity.QuietHours{{Days: []string{"sat", "sun"}, From: "00:00", To: "24:00"}, {From: "22:00", To: "07:00"}},
		Addresses: []continuity.Address{
			{Kind: "wecom", Value: "LiWei"}, {Kind: "phone", Value: "13800138000", For: "page"}, {Kind: "mail", Value: "li@example.com"},
			{Kind: "dingtalk", Value: "manager4711"}, {Kind: "feishu", Value: "ou_1"}, {Kind: "telegram", Value: "-100123"}, {Kind: "slack", Value: "U024BE7LH"},
			{Kind: "whatsapp", Value: "+86 138 0013 8000"}, {Kind: "ntfy", Value: "li-7Hq2"},
		},
	}
	if _, err := r.Put(t.Context(), ann, good, continuity.VersionNew, ""); err != nil {
		t.Fatal(err)
	}
	if got, _, err := r.Get(t.Context(), "li"); err != nil || len(good.Differing(got)) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, spoil := range map[string]func(*continuity.Person){
		"pigeon":   func(p *continuity.Person) { p.Addresses = []continuity.Address{{Kind: "pigeon", Value: "1"}} },
		"phone":    func(p *continuity.Person) { p.Addresses = []continuity.Address{{Kind: "phone", Value: "1.38E+10"}} },
		"mail":     func(p *continuity.Person) { p.Addresses = []continuity.Address{{Kind: "mail", Value: "li@@x"}} },
		"telegram": func(p *continuity.Person) { p.Addresses = []continuity.Address{{Kind: "telegram", Value: "@li"}} },
		"whatsapp": func(p *continuity.Person) {
			p.Addresses = []continuity.Address{{Kind: "whatsapp", Value: "13800138000"}}
		},
		"for what":  func(p *continuity.Person) { p.Addresses = []continuity.Address{{Kind: "ntfy", Value: "x", For: "fun"}} },
		"language":  func(p *continuity.Person) { p.Language = "fr" },
		"zone":      func(p *continuity.Person) { p.Zone = "Mars/Base" },
		"no time":   func(p *continuity.Person) { p.Quiet = []continuity.QuietHours{{From: "7:00", To: "22:00"}} },
		"no length": func(p *continuity.Person) { p.Quiet = []continuity.QuietHours{{From: "07:00", To: "07:00"}} },
		"no day": func(p *continuity.Person) {
			p.Quiet = []continuity.QuietHours{{Days: []string{"moon"}, From: "07:00", To: "08:00"}}
		},
	} {
		p := good
		spoil(&p)
		if fields := good.Differing(p); len(fields) != 1 {
			t.Error(name, fields)
		}
		if _, err := r.Put(t.Context(), ann, p, continuity.VersionAny, ""); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(name, err)
		}
		if _, err := r.Import(t.Context(), ann, []continuity.Person{p}, ""); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Error(name, err)
		}
	}
	for _, a := range good.Addresses {
		if m := a.Masked(); m == a.Value || len(m) < 3 {
			t.Errorf("%s is shown as %s", a.Value, m)
		}
	}
}

func TestGroups(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{
		"SQLite":     func(t testing.TB) string { return filepath.Join(t.TempDir(), "state.db") },
		"PostgreSQL": pgtest.Database,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), dsn(t))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			now := start
			g := people.Groups{Store: s, Person: s.People().Get, Now: func() time.Time { return now }}
			_, err = s.People().Import(t.Context(), ann, []continuity.Person{
				person("li", "李", "", time.Time{}), person("wang", "王", "", start.Add(time.Hour)), person("gone", "去", "", start),
			}, "")
			if err != nil {
				t.Fatal(err)
			}
			group := func(id string, until time.Time, members ...string) continuity.Group {
				return continuity.Group{ID: id, People: members, Until: until}
			}
			for why, bad := range map[string]continuity.Group{
				"id": group("Big Group", time.Time{}, "li"), "nobody": group("g", time.Time{}), "left": group("g", time.Time{}, "gone"),
				"unknown": group("g", time.Time{}, "who"), "past": group("g", start, "li"),
			} {
				if _, err := g.Put(t.Context(), ann, bad, continuity.VersionNew, ""); continuity.CodeOf(err) != continuity.CodeInvalid {
					t.Error(why, err)
				}
			}
			k, err := g.Put(t.Context(), ann, group("cutover", start.Add(2*time.Hour), "wang", "li", "li"), continuity.VersionNew, "move")
			if err != nil || !slices.Equal(k.People, []string{"li", "wang"}) || k.Name.En != "cutover" {
				t.Fatal(k, err)
			}
			if _, err := g.Put(t.Context(), ann, group("cutover", time.Time{}, "li"), continuity.VersionNew, ""); continuity.CodeOf(err) != continuity.CodeVersion {
				t.Fatal(err)
			}
			now = start.Add(time.Hour)
			if k, err := g.Get(t.Context(), "cutover"); err != nil || !slices.Equal(k.Gone, []string{"wang"}) {
				t.Fatal(k, err)
			}
			claim := func() (continuity.Timer, bool) {
				timer, ok, err := s.Claim(t.Context(), "node", now, time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				return timer, ok
			}
			if _, ok := claim(); ok {
				t.Fatal("it ends before its time")
			}
			// Its time is put off; the old timer is gone with it.
			if _, err := g.Put(t.Context(), ann, group("cutover", start.Add(3*time.Hour), "li"), k.Version, ""); err != nil {
				t.Fatal(err)
			}
			if now = start.Add(2 * time.Hour); func() bool { _, ok := claim(); return ok }() {
				t.Fatal("it ends at the time that it had before")
			}
			now = start.Add(3 * time.Hour)
			if _, err := g.Get(t.Context(), "cutover"); continuity.CodeOf(err) != continuity.CodeNotFound {
				t.Fatal("told after its time, as the timer is late", err)
			}
			timer, ok := claim()
			if !ok || timer.Kind != people.TimerGroup {
				t.Fatal(timer, ok)
			}
			batch, err := g.Expire(t.Context(), timer)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Done(t.Context(), timer, batch); err != nil {
				t.Fatal(err)
			}
			if page, _, err := g.List(t.Context(), "", 0); err != nil || len(page) != 0 {
				t.Fatal(page, err)
			}
			events, _, err := s.Events(t.Context(), continuity.EventQuery{Kind: continuity.KindGroup, ID: "cutover"})
			if err != nil || events[0].Action != "group.ended" || events[0].Reason != people.ReasonGroupOver {
				t.Fatal(events, err)
			}
			// One for good is ended by a person, with its timer if it has one.
			k, err = g.Put(t.Context(), ann, group("buyers", start.Add(9*time.Hour), "li"), continuity.VersionNew, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := g.End(t.Context(), ann, "buyers", k.Version, "done"); err != nil {
				t.Fatal(err)
			}
			if n, err := s.Timers(t.Context()); err != nil || n != 0 {
				t.Fatal(n, err)
			}
		})
	}
}
