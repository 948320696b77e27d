package postgres_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/pgtest"
)

// working makes of this binary a program that captures, follows or restores, to be killed.
const working = "HOLDFAST_TEST_WORK"

func work(what string) int {
	ctx := context.Background()
	d := postgres.New(postgres.Options{DSN: os.Getenv("HOLDFAST_TEST_DSN"), Spool: os.Getenv("HOLDFAST_TEST_SPOOL"), Slot: "holdfast_shop"})
	there := shelf(os.Getenv("HOLDFAST_TEST_DIR"))
	var err error
	switch what {
	case "capture":
		_, err = d.Full(ctx, io.Discard, queries, nil)
	case "follow":
		var last backup.Position
		if all, known := there.all(); known != nil {
			err = known
		} else if len(all) > 0 {
			last = all[len(all)-1].To
		}
		if err == nil {
			err = d.Follow(ctx, last, there.publish)
		}
	case "restore":
		var i backup.Instance
		content, failed := os.ReadFile(os.Getenv("HOLDFAST_TEST_PIECE"))
		if err = failed; err == nil {
			i, err = d.Restore(ctx, backup.Restore{Pieces: []backup.Piece{stored(backup.Manifest{ID: "aaaaaaaaaa", Type: backup.TypeFull}, content)}, Dir: string(there)})
		}
		if err == nil {
			_, err = i.Figures(ctx, queries, nil)
			err = errors.Join(err, i.Close())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shelf is a folder of pieces of a log, each there as a whole or not at all.
type shelf string

func (s shelf) publish(_ context.Context, span backup.Span) error {
	in, err := span.Open()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	have, err := s.all()
	if err != nil {
		return err
	}
	m := backup.Manifest{ID: fmt.Sprintf("log%07d", len(have)), Type: backup.TypeLog, Started: time.Now(), Taken: span.Newest, From: span.From, To: span.To,
		Plain: int64(len(content)), Content: fmt.Sprint(len(content))}
	said, err := json.Marshal(m)
	if err != nil {
		return err
	}
	name := filepath.Join(string(s), m.ID)
	return errors.Join(os.WriteFile(name, content, 0o600), os.WriteFile(name+".new", said, 0o600), os.Rename(name+".new", name+".manifest"))
}

func (s shelf) all() (all []backup.Piece, err error) {
	names, err := filepath.Glob(filepath.Join(string(s), "*.manifest"))
	for _, name := range names { // in order
		said, failed := os.ReadFile(name)
		content, failed2 := os.ReadFile(strings.TrimSuffix(name, ".manifest"))
		var m backup.Manifest
		if err := errors.Join(failed, failed2); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(said, &m); err != nil {
			return nil, err
		}
		all = append(all, stored(m, content))
	}
	return all, err
}

// worker starts the program.
func (s *source) worker(t *testing.T, what, dir string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this binary
	cmd.Env = append(append(os.Environ(), working+"="+what, "HOLDFAST_TEST_DSN="+s.dsn, "HOLDFAST_TEST_SPOOL="+s.driver.Spool, "HOLDFAST_TEST_DIR="+dir), env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// running are the processes whose arguments name a folder, but those of the test itself.
func running(t *testing.T, dir string) (pids []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if args, err := os.ReadFile(name); err == nil && bytes.Contains(args, []byte(dir)) { // or it has ended
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}

func killed(cmd *exec.Cmd, after time.Duration) bool {
	<-time.After(after)
	_ = cmd.Process.Kill() // it may have ended
	return cmd.Wait() != nil
}

// Who captures may be killed at any moment: on the source and on this machine nothing
// goes on for them, and the next capture removes what they left and is as good as any.
func TestCapturesThatAreKilled(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	s.write(t, 1, 1, 1).calmly(5 * time.Millisecond)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	// Killed while it lasts, however fast the machine is.
	began := time.Now()
	must(t, s.worker(t, "capture", "").Wait())
	lasts := time.Since(began)
	n := 0
	for range 6 {
		if killed(s.worker(t, "capture", ""), time.Duration(random.Int64N(int64(lasts)))) {
			n++
		}
		await(t, "nothing to go on", func() bool {
			return len(running(t, s.driver.Spool)) == 0 && ask[int](t, s.dsn, `SELECT (SELECT count(*) FROM pg_replication_slots)
				+ (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdfast' OR backend_type = 'walsender')`) == 0
		})
	}
	if n == 0 {
		t.Error("none was killed")
	}
	left, _ := filepath.Glob(filepath.Join(s.driver.Spool, "base-*"))
	for _, name := range left {
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(name, old, old))
	}
	piece, _ := s.full(t, "aaaaaaaaaa")
	if left, _ := filepath.Glob(filepath.Join(s.driver.Spool, "base-*")); len(left) > 0 {
		t.Errorf("left in the spool: %v", left)
	}
	i := restored(t, backup.Restore{Pieces: []backup.Piece{piece}, At: piece.Exact})
	if got := figures(t, i); !slices.Equal(got, piece.Figures) {
		t.Errorf("what was restored is not what was captured: %v, %v", got, piece.Figures)
	}
}

// Who follows may be killed at any moment: the next one takes up the slot and the log
// where it was left, without a gap and without anything twice and different.
func TestFollowersThatAreKilled(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	dir := t.TempDir()
	w := s.write(t, 2, 1, 1)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	there := func() []backup.Piece {
		all, err := shelf(dir).all()
		must(t, err)
		return all
	}
	first := s.worker(t, "follow", dir)
	await(t, "a piece of the log", func() bool { return len(there()) > 0 })
	base, _ := s.full(t, "aaaaaaaaaa")
	killed(first, 0)
	for round := range 6 {
		if round == 3 {
			pgtest.Exec(t, s.dsn, "CREATE TABLE big AS SELECT g, md5(g::text) FROM generate_series(1, 300000) g")
		}
		if !killed(s.worker(t, "follow", dir), time.Duration(random.IntN(1200))*time.Millisecond) {
			t.Error("it ended by itself")
		}
		await(t, "its programs to end", func() bool { return len(running(t, s.driver.Spool)) == 0 })
	}
	w.end()
	last := s.worker(t, "follow", dir)
	await(t, "all of the log", func() bool {
		at := ask[string](t, s.dsn, "SELECT pg_current_wal_flush_lsn()::text")
		all := there()
		return all[len(all)-1].To.Compare(backup.Position{At: at}) >= 0
	})
	killed(last, 0)
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_replication_slots"); n != 1 {
		t.Errorf("%d slots", n)
	}
	pieces := chain(t, base, there())
	if faults := s.driver.Check(manifests(pieces)); len(faults) > 0 {
		t.Errorf("faults: %+v", faults)
	}
	i := restored(t, backup.Restore{Pieces: pieces})
	w.compare(t, i.Address(), acknowledged, anything)
	if n := ask[int](t, i.Address(), "SELECT count(*) FROM big"); n != 300000 {
		t.Errorf("%d rows of a big table", n)
	}
}

// Who restores, to prove or to use it, may be killed at any moment: no server goes on for
// them, and the source is as it was.
func TestRestoresThatAreKilled(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	piece, content := s.full(t, "aaaaaaaaaa")
	file := filepath.Join(t.TempDir(), "piece")
	must(t, os.WriteFile(file, content, 0o600))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	// Killed while it lasts, however fast the machine is.
	began := time.Now()
	must(t, s.worker(t, "restore", folder(t), "HOLDFAST_TEST_PIECE="+file).Wait())
	lasts := time.Since(began)
	n := 0
	for range 6 {
		dir := folder(t)
		if killed(s.worker(t, "restore", dir, "HOLDFAST_TEST_PIECE="+file), time.Duration(random.Int64N(int64(lasts)))) {
			n++
		}
		await(t, "no server to go on", func() bool { return len(running(t, dir)) == 0 })
	}
	if n == 0 {
		t.Error("none was killed")
	}
	i := restored(t, backup.Restore{Pieces: []backup.Piece{piece}, At: piece.Exact})
	if got := figures(t, i); !slices.Equal(got, piece.Figures) {
		t.Errorf("what was restored is not what was captured: %v, %v", got, piece.Figures)
	}
}
