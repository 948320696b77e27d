package store

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// openAt opens a database as the program did that knew so many migrations.
func openAt(t *testing.T, dsn string, version int) *Store {
	t.Helper()
	s := &Store{now: time.Now}
	var err error
	if strings.HasPrefix(dsn, "postgres:") {
		err = s.openPostgres(t.Context(), dsn)
	} else {
		err = s.openSQLite(dsn)
	}
	if err == nil {
		err = s.migrate(t.Context(), version)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func dump(t *testing.T, s *Store) string {
	t.Helper()
	text := `SELECT type || ' ' || name, COALESCE(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1`
	if s.d == postgres {
		text = `SELECT 'column ' || table_name || '.' || column_name, data_type || ' ' || is_nullable || ' ' || COALESCE(collation_name, '') || ' ' || COALESCE(column_default, '')
			FROM information_schema.columns WHERE table_schema = 'public'
			UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`
	}
	var b strings.Builder
	err := s.read().each(t.Context(), func(scan func(...any) error) error {
		var name, what string
		err := scan(&name, &what)
		fmt.Fprintf(&b, "%s: %s\n", name, what)
		return err
	}, text)
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestEveryEarlierSchema makes a database as each earlier program made it, puts
// events in, and opens it with this program: what was there is there, the schema
// is the newest one, and each earlier schema is still what it was.
func TestEveryEarlierSchema(t *testing.T) {
	for name, fresh := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(t.TempDir(), "state.db") },
		"postgres": func() string { return pgtest.Database(t) },
	} {
		for version := 1; version <= newest(); version++ {
			t.Run(fmt.Sprint(name, " ", version), func(t *testing.T) {
				dsn := fresh()
				s := openAt(t, dsn, version)
				golden := filepath.Join("testdata", fmt.Sprintf("schema-%04d.%s.txt", version, name))
				got := dump(t, s)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil || got != string(want) {
					t.Fatalf("%v: the schema is\n%s\nwant\n%s", err, got, want)
				}
				// What version 1 knew, written past this program's statements.
				_, err = s.writer.ExecContext(t.Context(), `INSERT INTO object (kind, id, service, version, body, updated) VALUES ('check', 'old', 'shop', 1, '{}', 1)`)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s, err = Open(t.Context(), dsn)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				fresh := openAt(t, fresh(), newest())
				defer fresh.Close()
				if got, want := dump(t, s), dump(t, fresh); got != want {
					t.Fatalf("migrated, the schema is\n%s\nwant\n%s", got, want)
				}
				if o, err := s.Get(t.Context(), "check", "old"); err != nil || o.Service != "shop" {
					t.Fatal(o, err)
				}
			})
		}
	}
}

func TestOthersMigrationsAreRefused(t *testing.T) {
	for name, spoil := range map[string]string{
		"newer":   `INSERT INTO migration (version, name, sum, at) SELECT MAX(version) + 1, '9999_later.sql', '', 0 FROM migration`,
		"changed": `UPDATE migration SET sum = 'another' WHERE version = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			dsn := filepath.Join(t.TempDir(), "state.db")
			s := openAt(t, dsn, newest())
			if _, err := s.writer.ExecContext(t.Context(), spoil); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(context.WithoutCancel(t.Context()), dsn); continuity.CodeOf(err) != continuity.CodeState {
				t.Fatal(err)
			}
		})
	}
}
