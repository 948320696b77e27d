package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
	"holdfast/internal/store/storetest"
)

func sqliteFile(t testing.TB) string { return filepath.Join(t.TempDir(), "state.db") }

// TestOneClockForAllNodes leads and claims on a PostgreSQL by its clock, whatever
// that of a node says.
func TestOneClockForAllNodes(t *testing.T) {
	s := storetest.Open(t, pgtest.Database(t))
	if err := s.Schedule(t.Context(), continuity.Timer{ID: "a", Kind: "x", Due: storetest.Start}); err != nil {
		t.Fatal(err)
	}
	const lease = time.Hour
	for i, now := range []time.Time{storetest.Start, storetest.Start.AddDate(20, 0, 0)} {
		timer, ok, err := s.Claim(t.Context(), fmt.Sprint("n", i), now, lease)
		if err != nil || ok != (i == 0) {
			t.Fatal(i, timer, ok, err)
		}
		l, ok, err := s.Lead(t.Context(), "leader", fmt.Sprint("n", i), lease)
		if err != nil || ok != (i == 0) {
			t.Fatal(i, l, ok, err)
		}
	}
	for i, lease := range []time.Duration{time.Minute, 15 * time.Second} { // while settings change
		if _, ok, err := s.Lead(t.Context(), "other", fmt.Sprint("n", i), lease); err != nil || ok != (i == 0) {
			t.Fatal(i, ok, err)
		}
	}
}

func TestConformance(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { storetest.Suite(t, sqliteFile) })
	t.Run("PostgreSQL", func(t *testing.T) { storetest.Suite(t, pgtest.Database) })
}
