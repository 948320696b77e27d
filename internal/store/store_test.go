package store_test

import (
	"path/filepath"
	"testing"

	"holdfast/internal/pgtest"
	"holdfast/internal/store/storetest"
)

func sqliteFile(t testing.TB) string { return filepath.Join(t.TempDir(), "state.db") }

func TestConformance(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { storetest.Suite(t, sqliteFile) })
	t.Run("PostgreSQL", func(t *testing.T) { storetest.Suite(t, pgtest.Database) })
}
