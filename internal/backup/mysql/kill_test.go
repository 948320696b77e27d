package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/backup"
)

// working makes of this binary a program that does one thing, to be killed.
const working = "HOLDFAST_TEST_WORK"

func work(what string) int {
	ctx, there := context.Background(), shelved(os.Getenv("HOLDFAST_TEST_DIR"))
	d, err := New(Options{DSN: os.Getenv("HOLDFAST_TEST_DSN"), Spool: os.Getenv("HOLDFAST_TEST_SPOOL"), Follows: true})
	if err == nil {
		switch what {
		case "follow":
			var all []backup.Piece
			if all, err = there.all(); err == nil {
				err = d.Follow(ctx, all[len(all)-1].To, there.publish)
			}
		case "capture":
			_, err = d.Full(ctx, io.Discard, nil, nil)
		case "switch":
			err = d.Switch(ctx, id)
		case "undo":
			err = d.Undo(ctx, id)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// shelved is a folder of pieces, each there as a whole or not at all.
type shelved string

func (s shelved) publish(_ context.Context, span backup.Span) error {
	in, err := span.Open()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	return s.put(backup.Manifest{Type: backup.TypeLog, Taken: span.Newest, From: span.From, To: span.To}, content)
}

func (s shelved) put(m backup.Manifest, content []byte) error {
	have, err := s.all()
	if err != nil {
		return err
	}
	m.ID, m.Plain = fmt.Sprintf("piece%07d", len(have)), int64(len(content))
	said, err := json.Marshal(m)
	if err != nil {
		return err
	}
	name := filepath.Join(string(s), m.ID)
	return errors.Join(os.WriteFile(name, content, 0o600), os.WriteFile(name+".new", said, 0o600), os.Rename(name+".new", name+".manifest"))
}

func (s shelved) all() (all []backup.Piece, err error) {
	names, err := filepath.Glob(filepath.Join(string(s), "*.manifest"))
	for _, name := range names { // in order
		said, failed := os.ReadFile(name)
		content, failed2 := os.ReadFile(strings.TrimSuffix(name, ".manifest"))
		if err := errors.Join(failed, failed2); err != nil {
			return nil, err
		}
		var m backup.Manifest
		if err := json.Unmarshal(said, &m); err != nil {
			return nil, err
		}
		all = append(all, piece(m, content))
	}
	return all, err
}

// killed starts a program, and kills it after a while; it says whether that was in its midst.
func killed(t *testing.T, what, dsn, spool, dir string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this binary
	cmd.Env = append(os.Environ(), working+"="+what, "HOLDFAST_TEST_DSN="+dsn, "HOLDFAST_TEST_SPOOL="+spool, "HOLDFAST_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-time.After(after)
	_ = cmd.Process.Kill() // it may have ended
	return cmd.Wait() != nil
}

// Who follows, or captures, may be killed at any moment: the next one goes on where the
// log on the shelf ends, and nothing is missing in it or there twice and different.
func TestFollowersThatAreKilled(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	db, dsn := source(t)
	spool, dir := t.TempDir(), t.TempDir()
	d := open(t, Options{DSN: dsn, Spool: spool, Follows: true})
	full := take(t, d)
	in, err := full.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(in)
	if err = errors.Join(err, shelved(dir).put(full.Manifest, content)); err != nil {
		t.Fatal(err)
	}
	ctx, halt := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			_, err := db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO `order` (id, amount, note) VALUES (%d, 1, REPEAT('x', 2000))", n))
			if err == nil && n%300 == 0 {
				_, err = db.ExecContext(t.Context(), "FLUSH BINARY LOGS")
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 6 {
		if !killed(t, "follow", dsn, spool, dir, time.Duration(300+random.IntN(1500))*time.Millisecond) {
			t.Error("it ended by itself")
		}
		killed(t, "capture", dsn, spool, dir, time.Duration(random.IntN(200))*time.Millisecond)
	}
	halt()
	writer.Wait()
	all, err := shelved(dir).all()
	if err != nil {
		t.Fatal(err)
	}
	before := len(all)
	f := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, f, all[len(all)-1].To)
	run(t, db, "INSERT INTO customer VALUES (1, 'the last')")
	all = append(all, f.until(where(t, db))...)
	stop()
	if before < 3 {
		t.Errorf("%d pieces came before they were killed", before)
	}
	if faults := d.Check(manifests(all)); len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
	_, back := restore(t, backup.Restore{Pieces: all})
	const figures = "SELECT CONCAT_WS(' ', COUNT(*), MAX(id), SUM(LENGTH(note)), (SELECT amount FROM totals), (SELECT COUNT(*) FROM customer)) FROM `order`"
	if got, want := value(t, back, figures), value(t, db, figures); got != want {
		t.Errorf("came back: %s, not %s", got, want)
	}
}

// Killed in the midst of a switch or its undoing, and done again, it ends right.
func TestReplaceKilledInItsMidst(t *testing.T) {
	t.Parallel()
	s := damaged(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- repeatable
	s.must(s.driver.Prepare(t.Context(), s.was, id, nil, nil))
	// It waits for who is in the way, and is killed: what it began has ended before the next one.
	tx, err := s.db.BeginTx(t.Context(), nil)
	s.must(err)
	_, err = tx.ExecContext(t.Context(), "SELECT 1 FROM customer, `order` LIMIT 1")
	s.must(err)
	if !killed(t, "switch", s.dsn, t.TempDir(), "", time.Second) {
		t.Error("it went over who was in the way at once")
	}
	s.must(s.driver.Undo(t.Context(), id))
	s.must(tx.Rollback())
	s.is(original)
	for n := range 6 {
		what, act, who := "switch", s.driver.Switch, restored
		if n%2 == 1 {
			what, act, who = "undo", s.driver.Undo, original
		}
		killed(t, what, s.dsn, t.TempDir(), "", time.Duration(20+random.IntN(300))*time.Millisecond)
		s.must(act(t.Context(), id))
		s.is(who)
	}
}
