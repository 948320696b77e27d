package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/demo/postgres"
	"holdfast/internal/demo/process"
	"holdfast/internal/loopback"
)

func TestAServerOfOnesOwn(t *testing.T) {
	dir, err := os.MkdirTemp("", "demo-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil { // its user passes through
		t.Fatal(err)
	}
	spawner := process.New()
	defer spawner.Close()
	addresses, err := loopback.Addresses(1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Start(t.Context(), spawner, filepath.Join(dir, "postgres"), addresses[0])
	if errors.Is(err, postgres.ErrMissing) {
		t.Fatal("install PostgreSQL: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := s.Database(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]string{"fsync": "on", "wal_level": "replica", "is_superuser": "on"} {
		var have string
		if err := conn.QueryRow(t.Context(), "SHOW "+setting).Scan(&have); err != nil || have != want {
			t.Errorf("%s is %s, %v, want %s", setting, have, err, want)
		}
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	s.Process.Stop()
	if _, err := pgx.Connect(t.Context(), dsn); err == nil {
		t.Error("it goes on")
	}
}
