package people_test

import (
	"context"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/people"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
)

var (
	start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	ann   = continuity.Actor{Kind: "user", ID: "ann"}
)

func person(id, zh, department string, left time.Time) continuity.Person {
	return continuity.Person{ID: id, Names: map[string]string{"zh": zh}, Department: department, Left: left}
}

func TestImport(t *testing.T) {
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
			mentions := []continuity.Mention{
				{Person: "li", Service: "orders", File: "orders.yaml", Line: 7, Column: 12, Where: "owner"},
				{Person: "zhang", Service: "orders", File: "orders.yaml", Line: 30, Column: 5, Where: "roles.commander.people"},
			}
			r := people.Roster{
				Store: s.People(), Mentions: func() []continuity.Mention { return mentions }, Now: func() time.Time { return start },
				Wipe: func(ctx context.Context, actor continuity.Actor, id, reason string) error {
					return s.Erase(ctx, actor, "person", id, reason)
				},
			}
			first := []continuity.Person{person("li", "李", "sales", time.Time{}), person("wang", "王", "", time.Time{}), person("zhao", "赵", "", start.Add(-time.Hour))}
			if c, err := r.Compare(t.Context(), first); err != nil || len(c.Added) != 3 || c.Done {
				t.Fatal(c, err)
			}
			if page, _, err := r.List(t.Context(), "", 0); err != nil || len(page) != 0 {
				t.Fatal("a comparison changed something", page, err)
			}
			if c, err := r.Import(t.Context(), ann, first, "hired"); err != nil || len(c.Added) != 3 || !c.Done || len(c.Named) != 0 {
				t.Fatal(c, err)
			}
			second := []continuity.Person{person("li", "李", "support", start), person("zhang", "张", "", time.Time{})}
			want := continuity.PeopleChange{
				Added: []string{"zhang"}, Changed: []continuity.PersonChange{{ID: "li", Fields: []string{"department", "left"}}},
				Missing: []string{"wang"}, Gone: []string{"li"}, Named: mentions[:1],
			}
			if c, err := r.Compare(t.Context(), second); err != nil || !reflect.DeepEqual(c, want) {
				t.Fatalf("%+v\nwant %+v, %v", c, want, err)
			}
			want.Done = true
			if c, err := r.Import(t.Context(), ann, second, ""); err != nil || !reflect.DeepEqual(c, want) {
				t.Fatalf("%+v\nwant %+v, %v", c, want, err)
			}
			if c, err := r.Import(t.Context(), ann, second, ""); err != nil || c.Unchanged != 2 || len(c.Added)+len(c.Changed) != 0 {
				t.Fatal(c, err)
			}
			if _, _, err := r.Get(t.Context(), "wang"); err != nil {
				t.Fatal("who is missing in a list is gone:", err)
			}
			for _, bad := range [][]continuity.Person{
				{person("new", "新", "", time.Time{}), person("li", "李", "", time.Time{}), person("li", "李", "", time.Time{})},
				{person("new", "新", "", time.Time{}), {ID: "nameless"}},
				{person("new", "新", "", time.Time{}), person("", "无", "", time.Time{})},
			} {
				if _, err := r.Import(t.Context(), ann, bad, ""); continuity.CodeOf(err) != continuity.CodeInvalid {
					t.Fatal(err)
				}
			}
			if _, _, err := r.Get(t.Context(), "new"); continuity.CodeOf(err) != continuity.CodeNotFound {
				t.Fatal("half a list was imported:", err)
			}
			if err := r.Erase(t.Context(), ann, "li", "asked"); continuity.CodeOf(err) != continuity.CodeState {
				t.Fatal("erased while a plan names them:", err)
			}
			if err := r.Erase(t.Context(), ann, "wang", "asked"); err != nil {
				t.Fatal(err)
			}
		})
	}
}
