package mysql

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backup"
)

// A log that was begun anew, or whose files went before they were fetched, is noticed
// before anything is published behind the gap: while it is followed, and later, even
// where it has come further than it was.
func TestALogThatDoesNotGoOn(t *testing.T) {
	db, dsn := source(t)
	folder := t.TempDir()
	d := open(t, Options{DSN: dsn, Spool: folder, Follows: true})
	grow := func(rows int) {
		t.Helper()
		run(t, db, "DELETE FROM customer", fmt.Sprintf("INSERT INTO customer SELECT seq, REPEAT('x', 90) FROM seq_1_to_%d", rows))
	}
	reset := func() {
		t.Helper()
		run(t, db, "RESET MASTER")
	}
	full := func() backup.Piece {
		t.Helper()
		p := take(t, d)
		p.ID = fmt.Sprint("full-", p.To.System)
		return p
	}
	grow(200)
	first := full()
	f := &collector{t: t, came: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- d.Follow(soon(t), first.To, f.publish) }()
	run(t, db, "INSERT INTO customer VALUES (1000, 'x')")
	spans := f.until(where(t, db))
	reset()
	if err := <-ended; !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("followed while it was begun anew: %v", err)
	}

	// It is begun anew while nobody follows, and comes further than it was.
	run(t, db, "INSERT INTO customer VALUES (1001, 'x')")
	second := full()
	if second.To.System == first.To.System {
		t.Error("the two logs are taken for one")
	}
	if err := d.Follow(soon(t), spans[len(spans)-1].To, f.publish); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("followed where the log before had ended: %v", err)
	}
	reset()
	if at, _, err := d.Where(t.Context()); err != nil || at.System == second.To.System {
		t.Errorf("the source is at %v of the log before: %v", at, err)
	}
	grow(500)
	d = open(t, Options{DSN: dsn, Spool: folder, Follows: true}) // as after a start
	if err := d.Follow(soon(t), second.To, f.publish); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("followed into a log that has come further: %v", err)
	}
	third := full()
	g := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, g, third.To)
	run(t, db, "INSERT INTO customer VALUES (2000, 'new')")
	all := append([]backup.Piece{third}, g.until(where(t, db))...)
	stop()
	if faults := d.Check(manifests(all)); len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
	if faults := d.Check(manifests(append([]backup.Piece{second}, all[1:]...))); len(faults) == 0 || faults[0].Kind != backup.FaultSystem {
		t.Errorf("the log of another is taken: %v", faults)
	}
	_, back := restore(t, backup.Restore{Pieces: all})
	if got := value(t, back, "SELECT COUNT(*) FROM customer"); got != "501" {
		t.Errorf("%s rows came back", got)
	}

	// Files went before they were fetched.
	run(t, db, "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
	at := where(t, db)
	purge(t, db, strings.Split(at.At, ":")[0])
	if err := d.Follow(soon(t), all[len(all)-1].To, g.publish); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("followed into what is gone: %v", err)
	}
}

// purge removes the files of the log before one. The server keeps what somebody reads,
// and it takes a while until it notices that who followed has left.
func purge(t *testing.T, db *sql.DB, first string) {
	t.Helper()
	ctx, again := soon(t), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		run(t, db, "PURGE BINARY LOGS TO '"+first+"'")
		left, err := list(ctx, db, "SHOW BINARY LOGS")
		if err != nil {
			t.Fatal(err)
		}
		if left[0][0] == first {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the files before %s stay: %v", first, left)
		}
	}
}
