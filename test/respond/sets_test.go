package respond

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/keeping"
	"holdfast/internal/mariatest"
)

// counted is a database that somebody writes numbers into all the time: 1, 2, 3 and on.
type counted struct {
	set     string
	db      *sql.DB
	written atomic.Int64 // was acknowledged
}

func counts(t *testing.T, set, driver, dsn string) *counted {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	c := &counted{set: set, db: db}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE counted (n BIGINT PRIMARY KEY, said VARCHAR(40))"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := int64(1); ; n++ {
			if _, err := db.Exec(fmt.Sprintf("INSERT INTO counted VALUES (%d, 'number %[1]d')", n)); err != nil {
				ended <- err
				return
			}
			c.written.Store(n)
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	return c
}

// TestSetsOutliveTheirRunner has a control node keep a MariaDB and an SQLite database that
// are written to all the time, and kills it by chance: while it follows one and captures
// what changed of the other, and while it makes full backups and proves them. It goes on,
// and what is brought back has every number once, without a gap.
func TestSetsOutliveTheirRunner(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(seed(t), 89)) // #nosec G404 -- chance, not secrecy
	maria, file := mariatest.Database(t), filepath.Join(t.TempDir(), "desk.db")
	all := []*counted{counts(t, "goods", "mysql", maria), counts(t, "desk", "sqlite", file+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")}
	w := newWorld(t, demo.Options{PerMinute: 1000}, func(w *demo.World) error {
		for _, d := range []string{"near", "scratch"} {
			if err := os.Mkdir(filepath.Join(w.Folder, d), 0o700); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(w.Folder, "secrets", "MARIA"), []byte(maria), 0o600); err != nil {
			return err
		}
		settings := fmt.Sprintf("backup: {key: backup.keys, scratch: %q, folders: [%q], targets: [{id: near, url: %q, copy: local}]}\ncommands:\n",
			filepath.Join(w.Folder, "scratch"), filepath.Dir(file), "folder:"+filepath.Join(w.Folder, "near"))
		for _, e := range []struct{ file, from, to string }{
			{"shop.yaml", "trigger: {check: answers}", "trigger: {person: true}"},
			{"shop.yaml", "rpo: 0\n", "rpo: 1h\n"},
			{"shop.yaml", "\nmaintenance:", `
backups:
  - {id: goods, name: {en: Goods, zh: 商品}, of: order-system, holds: [goods], every: 1s, keep: 1mo, copies: [local], restore: go-on, owner: technical}
  - {id: desk, name: {en: Desk, zh: 客服}, of: order-system, holds: [chats], every: 2s, keep: 1mo, copies: [local], restore: go-on, owner: technical}

maintenance:`},
			{"shop.tech.yaml", "\nroutes:", fmt.Sprintf(`
backups:
  - {id: goods, kind: mysql, dsn: {secret: MARIA}, targets: [near]}
  - {id: desk, kind: sqlite, path: %q, targets: [near]}
routes:`, file)},
			{"control.yaml", "commands:\n", settings},
			{"control.yaml", "lease: 1s", "lease: 3s"},
		} {
			if err := w.Edit(e.file, e.from, e.to); err != nil {
				return err
			}
		}
		_, err := w.Holdfast(context.Background(), "backup", "keys", "new", "--key-file", "backup.keys")
		return err
	})
	for _, c := range all {
		w.green(c.set, time.Now())
	}
	deaths := 6
	if *kills >= 100 {
		deaths = 30
	}
	for n := range deaths {
		if work := []string{"", "run", "verify"}[n%3]; work != "" {
			for _, c := range all {
				w.until(late, work, func(ctx context.Context) (bool, string) {
					_, err := controlapi.Post[continuity.BackupWork](ctx, w.node(), setPath(c.set)+"/"+work, struct{}{})
					return err == nil, fmt.Sprint(err)
				})
			}
		}
		<-time.After(time.Duration(rnd.IntN(2500)) * time.Millisecond) // in the midst of anything
		w.again()
	}
	for _, c := range all {
		least := c.written.Load()
		w.green(c.set, time.Now())
		rows, first, last := w.broughtBack(c.set)
		if first != 1 || rows != last || last < least {
			t.Errorf("%s: %d numbers from %d to %d, %d were acknowledged", c.set, rows, first, last, least)
		}
		t.Logf("%s: %d numbers, %d deaths", c.set, rows, deaths)
	}
}

func setPath(set string) string { return "/backup-sets/" + demo.Service + "/" + set }

// green waits until a set is proven, without a fault, and safe up to a moment.
func (w *world) green(set string, moment time.Time) {
	w.t.Helper()
	w.until(2*late, set+" is green and safe", func(ctx context.Context) (bool, string) {
		s, _, err := controlapi.Get[keeping.SetShown](ctx, w.node(), setPath(set), nil)
		return err == nil && s.State == continuity.SetGreen && len(s.Faults) == 0 && len(s.Problems) == 0 && s.Safe.After(moment), fmt.Sprintf("%v %+v", err, s)
	})
}

// broughtBack makes a copy of a set and counts what is in it.
func (w *world) broughtBack(set string) (rows, first, last int64) {
	w.t.Helper()
	var r continuity.Restore
	w.until(late, "a copy of "+set+" is wanted", func(ctx context.Context) (bool, string) {
		c, err := w.As(ctx, "chen.jie")
		if err == nil {
			r, err = controlapi.Post[continuity.Restore](ctx, c, "/restores", controlapi.NewRestore{Service: demo.Service, Sets: []string{set}, Into: continuity.IntoCopy, Why: "a test"})
		}
		return err == nil, fmt.Sprint(err)
	})
	w.until(2*late, "a copy of "+set+" is ready", func(ctx context.Context) (bool, string) {
		var err error
		r, _, err = controlapi.Get[continuity.Restore](ctx, w.node(), "/restores/"+url.PathEscape(r.ID), nil)
		return err == nil && r.State == continuity.RestoreReady, fmt.Sprintf("%v %+v", err, r)
	})
	found, err := controlapi.Post[keeping.LookedUp](w.t.Context(), w.node(), "/restores/"+url.PathEscape(r.ID)+"/look-ups", controlapi.NewLookUp{Query: "SELECT count(*), min(n), max(n) FROM counted"})
	w.did(err, "look up in the copy of %s", set)
	for i, into := range []*int64{&rows, &first, &last} {
		*into, err = strconv.ParseInt(*found.Rows[0][i], 10, 64)
		w.did(err, "%v", found)
	}
	return rows, first, last
}
