// Package storetest is the conformance suite of the control plane's store: what
// holds on SQLite holds on PostgreSQL.
package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// Suite runs every test on databases of one kind; fresh makes an empty one and
// returns its DSN.
func Suite(t *testing.T, fresh func(testing.TB) string) {
	for name, test := range map[string]func(*testing.T, func(testing.TB) string){
		"VersionsConflict":           versionsConflict,
		"DeletedNeverReturnsVersion": versionsNeverReturn,
		"AllOrNothing":               allOrNothing,
		"ListPages":                  listPages,
		"BadInput":                   badInput,
		"EventsTell":                 eventsTell,
		"EventPages":                 eventPages,
		"EventsUnder":                eventsUnder,
		"EventFilters":               eventFilters,
		"Tampering":                  tampering,
		"Erasing":                    erasing,
		"ConcurrentWriters":          concurrentWriters,
		"Reopening":                  reopening,
		"TimersInOrder":              timersInOrder,
		"FencesHold":                 fencesHold,
		"TimersRetry":                timersRetry,
		"ClockSetRight":              clockSetRight,
		"OwnClaim":                   ownClaim,
		"LeaderIsOne":                leaderIsOne,
		"ArchiveReturns":             archiveReturns,
		"ArchiveDamaged":             archiveDamaged,
		"AnswersAreGivenOnce":        answersOnce,
		"People":                     people,
		"Proofs":                     proofs,
		"Plans":                      plans,
		"PlansRace":                  plansRace,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh) })
	}
}

// Start is the time at which the suite's clock begins.
var Start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

var ann = continuity.Actor{Kind: "user", ID: "ann", Via: "api"}

// Open opens a database until the test ends.
func Open(t testing.TB, dsn string, options ...store.Option) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dsn, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func apply(t testing.TB, s *store.Store, changes ...continuity.Change) []continuity.Object {
	t.Helper()
	objects, err := s.Apply(t.Context(), ann, changes)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func create(kind, id, service, body string) continuity.Change {
	return continuity.Change{Kind: kind, ID: id, Service: service, Body: json.RawMessage(body), Action: kind + ".created", Reason: "test"}
}

func wantCode(t testing.TB, err error, want continuity.Code) {
	t.Helper()
	if got := continuity.CodeOf(err); got != want {
		t.Fatalf("code %q, want %q: %v", got, want, err)
	}
}

func verified(t testing.TB, s *store.Store, want int64) {
	t.Helper()
	n, bad, err := s.VerifyEvents(t.Context())
	if err != nil || bad != 0 || n != want {
		t.Fatalf("%d events, the first bad one %d, %v; want %d good ones", n, bad, err, want)
	}
}
