package storetest

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver
	_ "modernc.org/sqlite"             // registers the driver

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// ticking is a clock that goes on by a minute each time.
func ticking() store.Option {
	now := Start
	return store.Clock(func() time.Time {
		now = now.Add(time.Minute)
		return now
	})
}

func eventsTell(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t), ticking())
	made := apply(t, s, create("check", "a", "shop", `{"v":1}`))[0]
	apply(t, s, continuity.Change{Kind: "check", ID: "a", Service: "pay", Version: made.Version, Body: json.RawMessage(`{"v":2}`), Action: "check.moved", Reason: "because"})
	apply(t, s, continuity.Change{Kind: "check", ID: "a", Version: -1, Action: "check.deleted"})
	events, next, err := s.Events(t.Context(), continuity.EventQuery{Kind: "check", ID: "a", Oldest: true})
	if err != nil || next != "" || len(events) != 3 {
		t.Fatal(len(events), next, err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%d %s %s/%s/%s %s %s/%s@%s %q %s>%s", e.Seq, e.At.Sub(events[0].At), e.Actor.Kind, e.Actor.ID, e.Actor.Via, e.Action, e.Kind, e.ID, e.Service, e.Reason, e.Before, e.After))
	}
	want := []string{
		`1 0s user/ann/api check.created check/a@shop "test" >{"v":1}`,
		`2 1m0s user/ann/api check.moved check/a@pay "because" {"v":1}>{"v":2}`,
		`3 2m0s user/ann/api check.deleted check/a@pay "" {"v":2}>`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	seq, hash, err := s.LastEvent(t.Context())
	if err != nil || seq != 3 || hash != events[2].Hash {
		t.Fatal(seq, hash, err)
	}
	since, err := s.EventsSince(t.Context(), 1, 1)
	if err != nil || len(since) != 1 || since[0].Seq != 2 {
		t.Fatal(since, err)
	}
}

// eventPages reads in pages while events come: none of those that were there at
// first comes twice or is left out, in either direction, though several have the
// same time and the clock is set back once.
func eventPages(t *testing.T, fresh func(testing.TB) string) {
	now := Start
	s := Open(t, fresh(t), store.Clock(func() time.Time { return now }))
	for i := range 23 {
		if i%4 == 0 {
			now = now.Add(time.Minute)
		}
		if i == 10 {
			now = now.Add(-2 * time.Minute)
		}
		apply(t, s, create("check", fmt.Sprintf("%02d", i), "shop", `{}`))
	}
	for _, oldest := range []bool{false, true} {
		q := continuity.EventQuery{Service: "shop", Limit: 5, Oldest: oldest, Before: now.Add(time.Second)}
		var before time.Time
		seen := map[int64]bool{}
		for {
			events, next, err := s.Events(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if seen[e.Seq] {
					t.Fatalf("event %d came twice", e.Seq)
				}
				seen[e.Seq] = true
				if !before.IsZero() && e.At != before && e.At.Before(before) == oldest {
					t.Fatalf("event %d is out of order", e.Seq)
				}
				before = e.At
			}
			if next == "" {
				break
			}
			q.Cursor = next
			at := now
			now = now.Add(time.Hour)
			apply(t, s, create("check", fmt.Sprint("later ", oldest, len(seen)), "shop", `{}`))
			now = at
		}
		if len(seen) != 23 {
			t.Fatalf("%d events, want 23", len(seen))
		}
	}
	_, _, err := s.Events(t.Context(), continuity.EventQuery{Cursor: "12"})
	wantCode(t, err, continuity.CodeInvalid)
}

// eventsUnder finds what has an id and what is below it, and no neighbour whose
// id only begins alike.
func eventsUnder(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t), ticking())
	for _, id := range []string{"incident shop-7", "task shop-7.task-1", "task shop-7.task-1.note", "run shop-7.run-1", "incident shop-70", "task shop-70.task-1", "task shop-7-1", "task shop-7/1", "check shop-7.run-1", "task shop-6.z", "task shop-7."} {
		kind, id, _ := strings.Cut(id, " ")
		apply(t, s, create(kind, id, "shop", `{}`))
	}
	q := continuity.EventQuery{Under: "shop-7", Kinds: []string{"incident", "task", "run"}, Oldest: true, Limit: 2}
	var got []string
	for {
		page, next, err := s.Events(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, e.Kind+" "+e.ID)
		}
		if q.Cursor = next; next == "" {
			break
		}
	}
	want := "incident shop-7, task shop-7.task-1, task shop-7.task-1.note, run shop-7.run-1, task shop-7."
	if strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}
	for _, bad := range []continuity.EventQuery{{Under: "shop-7"}, {Kinds: []string{"task"}}, {Under: "shop-7", Kinds: []string{"task"}, Kind: "task"}} {
		_, _, err := s.Events(t.Context(), bad)
		wantCode(t, err, continuity.CodeInvalid)
	}
}

func eventFilters(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t), ticking())
	for i := range 24 {
		actor := continuity.Actor{Kind: "user", ID: []string{"ann", "bob"}[i%2], Via: "api"}
		c := create([]string{"check", "plan", "person"}[i%3], fmt.Sprint(i), []string{"shop", "pay", "chat", ""}[i%4], `{}`)
		if _, err := s.Apply(t.Context(), actor, []continuity.Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	all, _, err := s.Events(t.Context(), continuity.EventQuery{})
	if err != nil || len(all) != 24 {
		t.Fatal(len(all), err)
	}
	for _, service := range []string{"", "shop"} {
		for _, kind := range []string{"", "check"} {
			for _, actor := range []string{"", "ann"} {
				for _, action := range []string{"", "check.created"} {
					for _, after := range []time.Time{{}, all[15].At} {
						for _, before := range []time.Time{{}, all[3].At} {
							q := continuity.EventQuery{Service: service, Kind: kind, Actor: actor, Action: action, After: after, Before: before}
							want := 0
							for _, e := range all {
								if (service == "" || e.Service == service) && (kind == "" || e.Kind == kind) && (actor == "" || e.Actor.ID == actor) &&
									(action == "" || e.Action == action) && (after.IsZero() || !e.At.Before(after)) && (before.IsZero() || e.At.Before(before)) {
									want++
								}
							}
							got, _, err := s.Events(t.Context(), q)
							if err != nil || len(got) != want {
								t.Errorf("%+v: %d events, want %d, %v", q, len(got), want, err)
							}
						}
					}
				}
			}
		}
	}
	_, _, err = s.Events(t.Context(), continuity.EventQuery{ID: "1"})
	wantCode(t, err, continuity.CodeInvalid)
}

// tampering changes the database behind the store's back, in each way once.
func tampering(t *testing.T, fresh func(testing.TB) string) {
	for _, c := range []struct {
		name, statement string
		bad             int64
	}{
		{"time", `UPDATE event SET at = at + 1 WHERE seq = 3`, 3},
		{"actor", `UPDATE event SET actor = 'bob' WHERE seq = 3`, 3},
		{"service", `UPDATE event SET service = 'pay' WHERE seq = 3`, 3},
		{"reason", `UPDATE event SET reason = '' WHERE seq = 3`, 3},
		{"content", `UPDATE event SET became = '{"n":99}' WHERE seq = 3`, 3},
		{"content's sum", `UPDATE event SET became_sum = hash WHERE seq = 3`, 3},
		{"content gone", `UPDATE event SET was = NULL, became = NULL, salt = NULL WHERE seq = 3`, 3},
		{"hash", `UPDATE event SET hash = prev WHERE seq = 3`, 3},
		{"first gone", `DELETE FROM event WHERE seq = 1`, 1},
		{"missing", `DELETE FROM event WHERE seq = 3`, 3},
		{"cut off", `DELETE FROM event WHERE seq >= 6`, 6},
		{"all gone", `DELETE FROM event`, 1},
		{"reordered", `UPDATE event SET seq = CASE seq WHEN 3 THEN 1004 WHEN 4 THEN 1003 ELSE seq END; UPDATE event SET seq = seq - 1000 WHERE seq > 1000`, 3},
		{"added", `INSERT INTO event SELECT 8, at, actor_kind, actor, via, action, kind, id, service, reason, was, became, salt, was_sum, became_sum, hash, hash FROM event WHERE seq = 7`, 8},
		{"head", `UPDATE head SET hash = NULL`, 8},
		{"object", `UPDATE object SET body = '{"n":99}' WHERE id = '5'`, 5},
		{"object moved", `UPDATE object SET service = 'pay' WHERE id = '5'`, 5},
		{"object's version", `UPDATE object SET version = 4 WHERE id = '5'`, 4},
		{"object gone", `DELETE FROM object WHERE id = '5'`, 5},
		{"object added", `INSERT INTO object SELECT kind, '9', service, version, body, updated FROM object WHERE id = '5'`, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn := fresh(t)
			s := Open(t, dsn, ticking())
			for i := range 7 {
				apply(t, s, create("check", fmt.Sprint(i+1), "shop", fmt.Sprintf(`{"n":%d}`, i+1)))
			}
			verified(t, s, 7)
			Tamper(t, dsn, c.statement)
			if _, bad, err := s.VerifyEvents(t.Context()); err != nil || bad != c.bad {
				t.Fatalf("the first bad event is %d, want %d, %v", bad, c.bad, err)
			}
		})
	}
}

// Tamper runs statements past the store.
func Tamper(t testing.TB, dsn, statements string) {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(dsn, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

func erasing(t *testing.T, fresh func(testing.TB) string) {
	dsn := fresh(t)
	s := Open(t, dsn)
	apply(t, s, create("person", "li", "", `{"name":"李"}`), create("person", "wang", "", `{"name":"王"}`))
	apply(t, s, continuity.Change{Kind: "person", ID: "li", Version: -1, Body: json.RawMessage(`{"name":"李","left":true}`), Action: "person.left"})
	if err := s.Erase(t.Context(), ann, "person", "li", "asked for"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Erase(t.Context(), ann, "person", "li", "again"), continuity.CodeNotFound)
	events, _, err := s.Events(t.Context(), continuity.EventQuery{Kind: "person", ID: "li"})
	if err != nil || len(events) != 3 {
		t.Fatal(len(events), err)
	}
	for _, e := range events {
		if !e.Erased || e.Before != nil || e.After != nil {
			t.Fatalf("%+v", e)
		}
	}
	verified(t, s, 4)
	// Made again, the same id keeps its content.
	apply(t, s, create("person", "li", "", `{"name":"another"}`))
	verified(t, s, 5)
	Tamper(t, dsn, `UPDATE event SET was = NULL, became = NULL, salt = NULL WHERE seq = 5`)
	if _, bad, err := s.VerifyEvents(t.Context()); err != nil || bad != 5 {
		t.Fatal(bad, err)
	}
}
