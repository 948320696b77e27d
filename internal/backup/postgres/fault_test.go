package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

// Each fault of a log is found before a restore is offered: by the manifests where these
// tell, and by the log itself where they lie.
func TestFaultsOfTheLog(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := newRemote()
	stop := s.follow(t, r, backup.Position{})
	await(t, "a piece of the log", func() bool { return len(r.all()) > 0 })
	base, _ := s.full(t, "aaaaaaaaaa")
	for range 3 {
		n := len(r.all())
		pgtest.Exec(t, s.dsn, "INSERT INTO shop.orders SELECT 1 + coalesce(max(id), 0), 1, 5 FROM shop.orders")
		await(t, "a slice", func() bool { return len(r.all()) > n && r.covers(t, s) })
	}
	pgtest.Exec(t, s.dsn, "SELECT pg_switch_wal(); INSERT INTO shop.orders SELECT 1 + max(id), 1, 5 FROM shop.orders")
	await(t, "all of the log", func() bool { return r.covers(t, s) })
	_ = stop()
	var logs []backup.Piece // the last slices of a segment, the whole of it, and what is behind
	for _, p := range r.all() {
		if p.To.Compare(base.To) > 0 {
			logs = append(logs, p)
		}
	}
	whole := slices.IndexFunc(logs, func(p backup.Piece) bool { return p.Plain == 16<<20 })
	if whole < 2 || whole == len(logs)-1 {
		t.Fatalf("the pieces are others than wanted: %+v", manifests(logs))
	}
	head := append([]backup.Piece{base}, logs[:whole]...)
	i := restored(t, backup.Restore{Pieces: head})
	if faults := s.driver.Check(manifests(append(head, logs[whole:]...))); len(faults) > 0 {
		t.Fatalf("faults where there are none: %+v", faults)
	}

	victim := len(head) - 1 // a slice in the middle
	content := r.content[head[victim].ID]
	change := func(f func(pieces []backup.Piece) []backup.Piece) []backup.Piece { return f(slices.Clone(head)) }
	with := func(m backup.Manifest, content []byte) func([]backup.Piece) []backup.Piece {
		return func(p []backup.Piece) []backup.Piece {
			lies := stored(m, content)
			lies.Plain = m.Plain
			p[victim] = lies
			return p
		}
	}
	is := head[victim].Manifest
	cut, forked, system, double, moved := is, is, is, is, is
	cut.Plain -= 8
	forked.From.Timeline, forked.To.Timeline = 2, 2
	system.From.System, system.To.System = "1", "1"
	double.ID, double.Content = "another", "different"
	rotated := double
	rotated.Key = "another key"
	moved.From.At = moved.To.At
	flipped := bytes.Clone(content)
	flipped[len(flipped)/2&^7+4] ^= 0x40
	other := fork(t, i, is)
	stranger := strange(t, is)
	tests := []struct {
		name   string
		kind   string // which Check says; empty: the manifests say nothing
		pieces []backup.Piece
	}{
		{"missing", backup.FaultMissing, change(func(p []backup.Piece) []backup.Piece { return slices.Delete(p, victim-1, victim) })},
		{"truncated", backup.FaultTruncated, change(with(cut, content[:len(content)-8]))},
		{"truncated behind its manifest", "", change(with(is, content[:len(content)-8]))},
		{"longer than its manifest says", "", change(with(is, append(bytes.Clone(content), 0)))},
		{"empty span", backup.FaultTruncated, change(with(moved, nil))},
		{"flipped", "", change(with(is, flipped))},
		{"zeros", "", change(with(is, make([]byte, len(content))))},
		{"forked", backup.FaultForked, change(with(forked, content))},
		{"forked behind its manifest", "", change(with(is, other))},
		{"another system's", backup.FaultSystem, change(with(system, content))},
		{"another system's behind its manifest", "", change(with(is, stranger))},
		{"double and different", backup.FaultDouble, change(func(p []backup.Piece) []backup.Piece { return append(p, stored(double, flipped)) })},
		{"double under another key", "", change(func(p []backup.Piece) []backup.Piece { return append(p, stored(rotated, flipped)) })},
		{"whole segment differs from its slices", "", change(func(p []backup.Piece) []backup.Piece {
			b := bytes.Clone(r.content[logs[whole].ID])
			from, end := offset(t, is.From.At), len(b)
			copy(b[from:], flipped)
			return append(p, stored(logs[whole].Manifest, b[:end]))
		})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			faults := s.driver.Check(manifests(test.pieces))
			if test.kind == "" && len(faults) > 0 || test.kind != "" && (len(faults) == 0 || faults[0].Kind != test.kind) {
				t.Errorf("faults by the manifests: %+v", faults)
			}
			if strings.HasPrefix(test.name, "double") {
				return // a restore takes the first of two; that there are two is what Check says
			}
			dir := folder(t)
			_, err := postgres.New(postgres.Options{}).Restore(t.Context(), backup.Restore{Pieces: test.pieces, Dir: dir})
			if continuity.CodeOf(err) != continuity.CodeBackupPiece {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); !errors.Is(err, fs.ErrNotExist) {
				t.Error("a server was started on it")
			}
		})
	}
}

// offset is where in its segment a place is.
func offset(t *testing.T, at string) int {
	t.Helper()
	n, err := postgres.ParseLSN(at)
	if err != nil {
		t.Fatal(err)
	}
	return int(n % (16 << 20)) // #nosec G115 -- small
}

// fork is the log of another timeline in a span: that of a server that was promoted.
func fork(t *testing.T, i backup.Instance, span backup.Manifest) []byte {
	t.Helper()
	pgtest.Exec(t, i.Address(), "INSERT INTO shop.customers SELECT g, repeat('x', 100) FROM generate_series(1001, 5000) g; SELECT pg_switch_wal()")
	dir := filepath.Join(ask[string](t, i.Address(), "SELECT current_setting('data_directory')"), "pg_wal")
	names, err := filepath.Glob(filepath.Join(dir, "00000002*[0-9A-F]"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no log of the second timeline in %s", dir)
	}
	return cutFrom(t, slices.Max(names), span)
}

// strange is the log of another server in a span.
func strange(t *testing.T, span backup.Manifest) []byte {
	t.Helper()
	s := newSource(t)
	pgtest.Exec(t, s.dsn, "CREATE TABLE more AS SELECT g FROM generate_series(1, 100000) g")
	name := ask[string](t, s.dsn, "SELECT pg_walfile_name(pg_current_wal_lsn())")
	return cutFrom(t, filepath.Join(s.Data(), "pg_wal", name), span)
}

func cutFrom(t *testing.T, name string, span backup.Manifest) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	from := offset(t, span.From.At)
	return b[from : from+int(span.Plain)]
}

// What can't be followed any further is said, with why, and that a full piece is needed.
func TestFollowingThatNeedsAFullPiece(t *testing.T) {
	t.Parallel()
	s := newSource(t, "max_slot_wal_keep_size=16MB", "min_wal_size=32MB", "max_wal_size=48MB")
	r := newRemote()
	begin := func() {
		n := len(r.all())
		stop := s.follow(t, r, backup.Position{})
		await(t, "the log", func() bool { return len(r.all()) > n && r.covers(t, s) })
		_ = stop()
	}
	refused := func(why string, from backup.Position) {
		t.Helper()
		err := s.driver.Follow(t.Context(), from, r.publish)
		if !errors.Is(err, backup.ErrNeedsFull) || !strings.Contains(err.Error(), why) || continuity.CodeOf(err) != continuity.CodeBackupSource {
			t.Errorf("%s: got %v", why, err)
		}
	}
	begin()
	strange := r.last()
	strange.System = "1234567"
	refused("another system", strange)

	for range 5 {
		pgtest.Exec(t, s.dsn, "INSERT INTO public.x VALUES (3); SELECT pg_switch_wal()")
	}
	pgtest.Exec(t, s.dsn, "CHECKPOINT")
	refused("lost", r.last())
	refused("keeps the log from", r.last()) // the slot was let go of
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_replication_slots"); n != 0 {
		t.Errorf("%d slots hold the log back for nobody", n)
	}
}

// promote has a server go over to another timeline, as failing over does.
func (s *source) promote(t *testing.T) {
	t.Helper()
	s.Kill()
	must(t, os.WriteFile(filepath.Join(s.Data(), "standby.signal"), nil, 0o666))
	s.Start()
	if !ask[bool](t, s.dsn, "SELECT pg_promote()") {
		t.Fatal("not promoted")
	}
}

// After failing over, it is said that a full piece is needed; behind that the chain goes
// on, whatever there was before.
func TestFailingOver(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := newRemote()
	stop := s.follow(t, r, backup.Position{})
	await(t, "the log", func() bool { return len(r.all()) > 0 && r.covers(t, s) })
	old, _ := s.full(t, "aaaaaaaaaa")
	s.promote(t)
	if err := stop(); !errors.Is(err, context.Canceled) && !errors.Is(err, backup.ErrNeedsFull) { // it may have noticed by itself
		t.Errorf("following ended with %v", err)
	}
	if err := s.driver.Follow(t.Context(), r.last(), r.publish); !errors.Is(err, backup.ErrNeedsFull) ||
		!strings.Contains(err.Error(), "timeline 1 to 2") || continuity.CodeOf(err) != continuity.CodeBackupSource {
		t.Errorf("got %v", err)
	}
	stop = s.follow(t, r, backup.Position{})
	await(t, "the log of the other timeline", func() bool { return r.last().Timeline == 2 })
	base, _ := s.full(t, "bbbbbbbbbb")
	pgtest.Exec(t, s.dsn, "INSERT INTO public.x VALUES (4)")
	await(t, "all of the log", func() bool { return r.covers(t, s) })
	_ = stop()
	pieces := chain(t, base, r.all())
	if faults := s.driver.Check(manifests(pieces)); len(faults) > 0 {
		t.Errorf("faults: %+v", faults)
	}
	i := restored(t, backup.Restore{Pieces: pieces})
	if n := ask[int](t, i.Address(), "SELECT count(*) FROM public.x WHERE x = 4"); n != 1 {
		t.Errorf("%d rows came back", n)
	}
	// What is of the other timeline does not go behind the full piece of the first one.
	other := append([]backup.Piece{old}, pieces[1:]...)
	if faults := s.driver.Check(manifests(other)); len(faults) == 0 || faults[0].Kind != backup.FaultForked {
		t.Errorf("faults: %+v", faults)
	}
}

// A server that was set back, as to a snapshot of its disk, tells another story from there
// on, under the same names.
func TestFollowingAServerThatWasSetBack(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	r := newRemote()
	grow := func(table string, rows int) {
		pgtest.Exec(t, s.dsn, fmt.Sprintf("CREATE TABLE %s AS SELECT g, md5(g::text) FROM generate_series(1, %d) g", table, rows))
	}
	stop := s.follow(t, r, backup.Position{})
	await(t, "the log", func() bool { return len(r.all()) > 0 && r.covers(t, s) })
	_ = stop()
	pgtest.Exec(t, s.dsn, "SELECT pg_switch_wal(); CHECKPOINT")
	s.Kill()
	snapshot := filepath.Join(filepath.Dir(s.Data()), "snapshot")
	if out, err := exec.Command("cp", "-a", s.Data(), snapshot).CombinedOutput(); err != nil { // #nosec G204 -- of this test
		t.Fatalf("%v: %s", err, out)
	}
	s.Start()
	stop = s.follow(t, r, r.last())
	grow("one", 1000)
	await(t, "the log", func() bool { return r.covers(t, s) })
	_ = stop()

	s.Kill()
	s.Lose()
	if err := os.Rename(snapshot, s.Data()); err != nil {
		t.Fatal(err)
	}
	s.Start()
	n := len(r.all())
	for _, rows := range []int{1, 20000} { // not so far as before, and then further
		if rows > 1 {
			grow("other", rows)
		}
		err := s.driver.Follow(t.Context(), r.last(), r.publish)
		if !errors.Is(err, backup.ErrNeedsFull) || !strings.Contains(err.Error(), "set back") {
			t.Errorf("got %v", err)
		}
	}
	if len(r.all()) != n {
		t.Errorf("%d pieces of another log were handed on", len(r.all())-n)
	}
}
