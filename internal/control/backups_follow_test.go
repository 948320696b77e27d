package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
)

// TestFollowingThatHangsIsNotTakenForSafe stops the program that receives PostgreSQL's
// log. Nothing fails and the server lives; what is written then is never said to be safe
// until the program goes on.
func TestFollowingThatHangsIsNotTakenForSafe(t *testing.T) {
	server := pgtest.NewServer(t)
	pgtest.Exec(t, server.DSN("postgres"), "CREATE DATABASE shop")
	dsn := server.DSN("shop")
	pgtest.Exec(t, dsn, "CREATE TABLE orders (id int)")
	order := func() time.Time {
		t.Helper()
		pgtest.Exec(t, dsn, "INSERT INTO orders VALUES (1)")
		return time.Now()
	}
	hangs := follows(t, dsn, "one")
	hangs.until("what is written is safe", order())
	hangs.until("a source that does nothing is safe", time.Now())
	pid := 0
	until(t, "a program receives", func() bool { pid = childNamed(t, "pg_receivewal"); return pid != 0 })
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	written := order()
	goes := follows(t, dsn, "another")
	goes.until("another one goes on", order())
	goes.until("and on", order())
	if hangs.beat(); hangs.at.After(written) {
		t.Errorf("what was written before %s is said to be safe at %s", written, hangs.at)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	hangs.until("it goes on", written)
}

// following is a set that is followed, and up to when it is said to be safe.
type following struct {
	*followed

	t  *testing.T
	at time.Time
}

func follows(t *testing.T, dsn, slot string) *following {
	t.Helper()
	driver := postgres.New(postgres.Options{DSN: dsn, Spool: filepath.Join(t.TempDir(), "spool"), Slot: slot})
	f := &following{t: t}
	f.followed = &followed{Driver: driver, Following: driver, source: driver, safe: func(at time.Time) { f.at = at }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- f.Follow(ctx, backup.Position{}, func(context.Context, backup.Span) error { return nil })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return f
}

func (f *following) beat() {
	f.t.Helper()
	if err := f.followed.beat(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *following) until(what string, at time.Time) {
	f.t.Helper()
	until(f.t, what, func() bool { f.beat(); return f.at.After(at) })
}

// childNamed is a process of this one that has a name, on Linux.
func childNamed(t *testing.T, name string) int {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task) // #nosec G304 -- of this process
		if err != nil {
			continue // the thread has ended
		}
		for pid := range strings.FieldsSeq(string(children)) {
			if comm, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil && strings.TrimSpace(string(comm)) == name {
				n, err := strconv.Atoi(pid)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	return 0
}

// TestStalenessNeedsNothingOfBackups has a watch warn of sets for which nothing works: of
// one that went well until its engine stopped, and of one that no engine ever saw.
func TestStalenessNeedsNothingOfBackups(t *testing.T) {
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	now := time.Now().UTC()
	seen := keeping.Set{Service: "shop", ID: "orders", Every: 10 * time.Minute, Follow: true}
	unseen := keeping.Set{Service: "shop", ID: "goods", Every: 24 * time.Hour}
	made := continuity.BackupWork{Work: continuity.WorkFull, Ended: now, Backup: "p1"}
	if _, err := s.Commit(t.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{
		continuity.Set(continuity.KindBackupSet, seen.Key(), "shop", continuity.VersionNew, "backup-set.full", "", continuity.BackupSet{
			ID: seen.Key(), Service: "shop", Set: "orders", Every: seen.Every, Since: now, Captured: &made, Full: &made, Follow: &continuity.Followed{Since: now},
		}),
	}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Saw(t.Context(), continuity.KindBackupSet, seen.Key(), now); err != nil {
		t.Fatal(err)
	}
	w := &backupWatch{store: s, plans: wanted{seen, unseen}}
	for _, c := range []struct {
		after time.Duration
		stale string
	}{{0, ""}, {15*time.Minute - time.Second, ""}, {15*time.Minute + time.Second, "orders"}, {36 * time.Hour, "orders"}, {36*time.Hour + time.Second, "orders goods"}} {
		var stale []string
		for _, one := range w.Look(t.Context(), now.Add(c.after)).All {
			if one.Level != "" && strings.HasSuffix(one.Rule, "."+continuity.SetStale) {
				if one.Level != continuity.LevelOrange || !one.Known {
					t.Errorf("%+v", one)
				}
				stale = append(stale, strings.Split(one.Rule, ".")[1])
			}
		}
		if got := strings.Join(stale, " "); got != c.stale {
			t.Errorf("after %s %q are stale, not %q", c.after, got, c.stale)
		}
	}
}

// wanted are sets that plans have backed up.
type wanted []keeping.Set

func (w wanted) Sets() ([]keeping.Set, map[string]bool) { return w, nil }
