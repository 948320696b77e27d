package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

func timer(id string, due time.Time) continuity.Timer {
	return continuity.Timer{ID: id, Kind: "remind", Due: due, Body: json.RawMessage(`{"to":"` + id + `"}`)}
}

// clocked opens a database with a clock to be set, which begins at Start.
func clocked(t *testing.T, dsn string) (*store.Store, *time.Time) {
	now := Start
	return Open(t, dsn, store.Clock(func() time.Time { return now })), &now
}

func timersInOrder(t *testing.T, fresh func(testing.TB) string) {
	s, clock := clocked(t, fresh(t))
	if err := s.Schedule(t.Context(), timer("late", Start.Add(time.Hour)), timer("b", Start.Add(2*time.Second)), timer("a", Start.Add(time.Second))); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Claim(t.Context(), "n1", Start, time.Minute); ok || err != nil {
		t.Fatal(ok, err)
	}
	*clock = Start.Add(time.Minute)
	now := *clock
	for _, want := range []string{"a", "b"} {
		got, ok, err := s.Claim(t.Context(), "n1", now, time.Minute)
		if err != nil || !ok || got.ID != want || got.Attempts != 1 || got.Node != "n1" || string(got.Body) != `{"to":"`+want+`"}` {
			t.Fatal(got, ok, err)
		}
	}
	if got, ok, err := s.Claim(t.Context(), "n2", now, time.Minute); ok || err != nil {
		t.Fatal(got, ok, err)
	}
	_, _, err := s.Claim(t.Context(), "", now, time.Minute)
	wantCode(t, err, continuity.CodeInvalid)
	wantCode(t, s.Schedule(t.Context(), continuity.Timer{ID: "x"}), continuity.CodeInvalid)
}

// fencesHold lets a node that is slow lose its timer, in each way, and then write.
func fencesHold(t *testing.T, fresh func(testing.TB) string) {
	for name, lose := range map[string]func(t *testing.T, claim func(node string, now time.Time) continuity.Timer, schedule func()){
		"lease over": func(_ *testing.T, claim func(string, time.Time) continuity.Timer, _ func()) {
			claim("n2", Start.Add(2*time.Minute))
		},
		"set anew": func(_ *testing.T, _ func(string, time.Time) continuity.Timer, schedule func()) { schedule() },
	} {
		t.Run(name, func(t *testing.T) {
			s, clock := clocked(t, fresh(t))
			schedule := func() {
				if err := s.Schedule(t.Context(), timer("a", Start)); err != nil {
					t.Fatal(err)
				}
			}
			claim := func(node string, now time.Time) continuity.Timer {
				*clock = now
				c, ok, err := s.Claim(t.Context(), node, now, time.Minute)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				return c
			}
			schedule()
			slow := claim("n1", Start)
			lose(t, claim, schedule)
			effect := continuity.Batch{Actor: ann, Changes: []continuity.Change{create("mark", "done", "", `1`)}, Schedule: []continuity.Timer{timer("next", Start)}}
			_, err := s.Done(t.Context(), slow, effect)
			wantCode(t, err, continuity.CodeVersion)
			wantCode(t, s.Extend(t.Context(), slow, time.Minute), continuity.CodeVersion)
			wantCode(t, s.Retry(t.Context(), slow, Start.Add(time.Hour), "slow"), continuity.CodeVersion)
			_, err = s.Get(t.Context(), "mark", "done")
			wantCode(t, err, continuity.CodeNotFound)
			_, err = s.Timer(t.Context(), "next")
			wantCode(t, err, continuity.CodeNotFound)

			held := claim("n3", Start.Add(time.Hour))
			if _, err := s.Done(t.Context(), held, effect); err != nil {
				t.Fatal(err)
			}
			_, err = s.Timer(t.Context(), "a")
			wantCode(t, err, continuity.CodeNotFound)
			_, err = s.Done(t.Context(), held, effect)
			wantCode(t, err, continuity.CodeVersion)
			// Made again under its id, a timer does not fall to who held the old one.
			schedule()
			_, err = s.Done(t.Context(), held, continuity.Batch{})
			wantCode(t, err, continuity.CodeVersion)
		})
	}
}

func timersRetry(t *testing.T, fresh func(testing.TB) string) {
	s, now := clocked(t, fresh(t))
	if err := s.Schedule(t.Context(), timer("a", Start)); err != nil {
		t.Fatal(err)
	}
	claim := func(node string) (continuity.Timer, bool) {
		t.Helper()
		got, ok, err := s.Claim(t.Context(), node, *now, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return got, ok
	}
	for attempt := 1; attempt <= 3; attempt++ {
		got, ok := claim("n1")
		if !ok || got.Attempts != attempt || (attempt > 1) != (got.Error == "unreachable") {
			t.Fatal(got, ok)
		}
		due := now.Add(continuity.Backoff(got.Attempts, time.Minute, time.Hour))
		if err := s.Retry(t.Context(), got, due, "unreachable"); err != nil {
			t.Fatal(err)
		}
		*now = due.Add(-time.Millisecond)
		if _, ok := claim("n1"); ok {
			t.Fatal("claimed before its time")
		}
		*now = due
	}
	got, ok := claim("n1")
	if !ok {
		t.Fatal("not claimed")
	}
	*now = now.Add(40 * time.Second)
	if err := s.Extend(t.Context(), got, time.Minute); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(40 * time.Second)
	if _, ok := claim("n2"); ok {
		t.Fatal("claimed though the lease was extended")
	}
	if _, err := s.Commit(t.Context(), continuity.Batch{Cancel: []string{"a", "unknown"}}); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(2 * time.Hour)
	if _, ok := claim("n2"); ok {
		t.Fatal("claimed though it was cancelled")
	}
}

// clockSetRight has a node that is a month ahead take all there is and die: nobody
// waits for that month, and who goes on nevertheless can write nothing.
func clockSetRight(t *testing.T, fresh func(testing.TB) string) {
	s, now := clocked(t, fresh(t))
	if err := s.Schedule(t.Context(), timer("a", Start)); err != nil {
		t.Fatal(err)
	}
	take := func(node string) (l continuity.Lease, c continuity.Timer, leads, claims bool) {
		t.Helper()
		l, leads, err := s.Lead(t.Context(), "leader", node, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if c, claims, err = s.Claim(t.Context(), node, *now, time.Minute); err != nil {
			t.Fatal(err)
		}
		return l, c, leads, claims
	}
	*now = Start.Add(30 * 24 * time.Hour)
	lease, claim, _, _ := take("ahead")
	*now = Start
	if _, _, leads, claims := take("right"); !leads || !claims {
		t.Fatal("a month is waited for", leads, claims)
	}
	if _, _, leads, claims := take("third"); leads || claims {
		t.Fatal("two at a time", leads, claims)
	}
	_, err := s.Commit(t.Context(), continuity.Batch{Actor: ann, Leader: &lease, Changes: []continuity.Change{create("mark", "a", "", `1`)}})
	wantCode(t, err, continuity.CodeVersion)
	_, err = s.Done(t.Context(), claim, continuity.Batch{})
	wantCode(t, err, continuity.CodeVersion)
	*now = Start.Add(-time.Minute + time.Second) // set right a little: no reason to take from who is there
	if _, _, leads, claims := take("third"); leads || claims {
		t.Fatal("taken from who holds it", leads, claims)
	}
}

// ownClaim holds what a node has claimed though its clock is set back meanwhile: it
// does no timer twice at a time.
func ownClaim(t *testing.T, fresh func(testing.TB) string) {
	s, now := clocked(t, fresh(t))
	if err := s.Schedule(t.Context(), timer("a", Start.Add(-24*time.Hour))); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Claim(t.Context(), "n1", *now, time.Minute); !ok || err != nil {
		t.Fatal(ok, err)
	}
	*now = Start.Add(-time.Hour)
	if _, ok, err := s.Claim(t.Context(), "n1", *now, time.Minute); ok || err != nil {
		t.Fatal("it has it already", ok, err)
	}
	if _, ok, err := s.Claim(t.Context(), "n2", *now, time.Minute); !ok || err != nil {
		t.Fatal("another one waits", ok, err)
	}
}

func leaderIsOne(t *testing.T, fresh func(testing.TB) string) {
	s, now := clocked(t, fresh(t))
	lead := func(node string, at time.Duration) (continuity.Lease, bool) {
		t.Helper()
		*now = Start.Add(at)
		l, ok, err := s.Lead(t.Context(), "leader", node, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return l, ok
	}
	commit := func(l continuity.Lease, id string) error {
		_, err := s.Commit(t.Context(), continuity.Batch{Actor: ann, Leader: &l, Changes: []continuity.Change{create("mark", id, "", `1`)}})
		return err
	}
	first, ok := lead("n1", 0)
	if !ok {
		t.Fatal("nobody leads")
	}
	if _, ok := lead("n2", 59*time.Second); ok {
		t.Fatal("two lead")
	}
	renewed, ok := lead("n1", 50*time.Second)
	if !ok || renewed.Fence != first.Fence {
		t.Fatal(renewed, ok)
	}
	if err := commit(first, "a"); err != nil {
		t.Fatal(err)
	}
	second, ok := lead("n2", 3*time.Minute)
	if !ok || second.Fence <= first.Fence {
		t.Fatal(second, ok)
	}
	wantCode(t, commit(renewed, "b"), continuity.CodeVersion)
	if err := s.Resign(t.Context(), renewed); err != nil { // no longer its own
		t.Fatal(err)
	}
	if err := commit(second, "b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Resign(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	wantCode(t, commit(second, "c"), continuity.CodeVersion)
	if third, ok := lead("n1", 3*time.Minute+time.Second); !ok || third.Fence <= second.Fence {
		t.Fatal(third, ok)
	}
	for i := range 2 {
		if l, ok, err := s.Lead(t.Context(), fmt.Sprint("other ", i), "n2", time.Minute); !ok || err != nil {
			t.Fatal(l, ok, err)
		}
	}
}
