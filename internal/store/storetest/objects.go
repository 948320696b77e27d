package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

func versionsConflict(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	made := apply(t, s, create("check", "front", "shop", `{ "every": 10 }`))[0]
	if got, err := s.Get(t.Context(), "check", "front"); err != nil || got.Version != made.Version || string(got.Body) != `{"every":10}` || got.Service != "shop" || !got.Updated.Equal(made.Updated) {
		t.Fatal(got, err)
	}
	_, err := s.Apply(t.Context(), ann, []continuity.Change{create("check", "front", "shop", `{}`)})
	wantCode(t, err, continuity.CodeVersion)

	edit := create("check", "front", "shop", `{"every":20}`)
	edit.Version = made.Version
	edited := apply(t, s, edit)[0]
	_, err = s.Apply(t.Context(), ann, []continuity.Change{edit})
	wantCode(t, err, continuity.CodeVersion)

	edit.Version = continuity.VersionAny
	edit.Body = nil
	apply(t, s, edit)
	_, err = s.Get(t.Context(), "check", "front")
	wantCode(t, err, continuity.CodeNotFound)
	_, err = s.Apply(t.Context(), ann, []continuity.Change{edit})
	wantCode(t, err, continuity.CodeNotFound)
	edit.Version = edited.Version
	_, err = s.Apply(t.Context(), ann, []continuity.Change{edit})
	wantCode(t, err, continuity.CodeVersion)
	verified(t, s, 3)
}

func versionsNeverReturn(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	seen := map[int64]bool{}
	for range 3 {
		o := apply(t, s, create("check", "front", "", `1`))[0]
		if seen[o.Version] {
			t.Fatalf("version %d came again", o.Version)
		}
		seen[o.Version] = true
		apply(t, s, continuity.Change{Kind: "check", ID: "front", Version: o.Version, Action: "check.deleted"})
	}
}

func allOrNothing(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	apply(t, s, create("check", "b", "", `1`))
	_, err := s.Apply(t.Context(), ann, []continuity.Change{create("check", "a", "", `1`), create("check", "b", "", `2`)})
	wantCode(t, err, continuity.CodeVersion)
	_, err = s.Get(t.Context(), "check", "a")
	wantCode(t, err, continuity.CodeNotFound)
	verified(t, s, 1)
}

// listPages adds and removes objects while it reads: what was there throughout
// is listed once. Ids go by their bytes, whatever the database's language.
func listPages(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	ids := []string{"A", "B", "Z", "a", "b", "z", "ß", "中", "预案"}
	for i, id := range ids {
		apply(t, s, create("check", id, []string{"shop", "pay"}[i%2], `{}`), create("other", id, "shop", `{}`))
	}
	var got []string
	q := continuity.Query{Kind: "check", Limit: 2}
	for page := 0; ; page++ {
		objects, next, err := s.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			got = append(got, o.ID)
		}
		if next == "" {
			break
		}
		q.Cursor = next
		apply(t, s, create("check", fmt.Sprintf("!%d", page), "shop", `{}`)) // before all others
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Fatalf("listed %q, want %q", got, ids)
	}
	objects, _, err := s.List(t.Context(), continuity.Query{Kind: "check", Service: "pay"})
	if err != nil || len(objects) != 4 {
		t.Fatal(len(objects), err)
	}
	_, _, err = s.List(t.Context(), continuity.Query{Kind: "check", Cursor: "?"})
	wantCode(t, err, continuity.CodeInvalid)
	_, _, err = s.List(t.Context(), continuity.Query{})
	wantCode(t, err, continuity.CodeInvalid)
}

func badInput(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	good := create("check", "a", "shop", `{}`)
	for name, spoil := range map[string]func(*continuity.Change){
		"no kind":      func(c *continuity.Change) { c.Kind = "" },
		"no id":        func(c *continuity.Change) { c.ID = "" },
		"no action":    func(c *continuity.Change) { c.Action = "" },
		"zero byte":    func(c *continuity.Change) { c.ID = "a\x00" },
		"no UTF-8":     func(c *continuity.Change) { c.Reason = "\xff" },
		"no JSON":      func(c *continuity.Change) { c.Body = json.RawMessage(`{`) },
		"two values":   func(c *continuity.Change) { c.Body = json.RawMessage(`1 2`) },
		"JSON, \\xff":  func(c *continuity.Change) { c.Body = json.RawMessage("\"\xff\"") },
		"empty body":   func(c *continuity.Change) { c.Body = json.RawMessage{} },
		"no version":   func(c *continuity.Change) { c.Version = -2 },
		"other number": func(c *continuity.Change) { c.Version = 7 },
	} {
		bad := good
		spoil(&bad)
		_, err := s.Apply(t.Context(), ann, []continuity.Change{bad})
		if code := continuity.CodeOf(err); code != continuity.CodeInvalid && code != continuity.CodeVersion {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.Apply(t.Context(), continuity.Actor{Kind: "user"}, []continuity.Change{good})
	wantCode(t, err, continuity.CodeInvalid)
	verified(t, s, 0)
	// What JSON may say and SQL might not.
	body := `{"zero":"\u0000","quote":"'\"?$1","han":"中文，。"}`
	apply(t, s, create("check", "it's ?", "shop", body))
	if o, err := s.Get(t.Context(), "check", "it's ?"); err != nil || string(o.Body) != body {
		t.Fatal(string(o.Body), err)
	}
	verified(t, s, 1)
}

// concurrentWriters counts in one object and makes others beside it, by two
// stores on the same database: no count is lost, and there is one chain.
func concurrentWriters(t *testing.T, fresh func(testing.TB) string) {
	dsn := fresh(t)
	stores := []*store.Store{Open(t, dsn), Open(t, dsn)}
	apply(t, stores[0], create("count", "one", "", `0`))
	const writers, rounds = 4, 10
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			s := stores[w%2]
			for done := 0; done < rounds; {
				o, err := s.Get(t.Context(), "count", "one")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				_ = json.Unmarshal(o.Body, &n)
				_, err = s.Apply(t.Context(), ann, []continuity.Change{
					{Kind: "count", ID: "one", Version: o.Version, Body: json.RawMessage(fmt.Sprint(n + 1)), Action: "count.raised"},
					create("mark", fmt.Sprintf("%d-%d", w, done), "", `{}`),
				})
				switch continuity.CodeOf(err) {
				case "":
					done++
				case continuity.CodeVersion:
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if o, err := stores[1].Get(t.Context(), "count", "one"); err != nil || string(o.Body) != fmt.Sprint(writers*rounds) {
		t.Fatal(string(o.Body), err)
	}
	verified(t, stores[0], 1+2*writers*rounds)
}

func reopening(t *testing.T, fresh func(testing.TB) string) {
	dsn := fresh(t)
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, create("check", "a", "", `1`))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = Open(t, dsn)
	apply(t, s, create("check", "b", "", `1`))
	verified(t, s, 2)
}
