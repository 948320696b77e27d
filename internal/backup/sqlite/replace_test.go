package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backup/sqlite"
	"holdfast/internal/continuity"
)

// damaged makes a chain, and then spoils what the database holds.
func damaged(t *testing.T, mode string) (c *taken, path, good, bad string) {
	t.Helper()
	db, path := database(t, mode)
	run(t, db, "INSERT INTO customer VALUES (1, 'a'), (2, 'b')", `INSERT INTO "order" VALUES (1, 1, 10, NULL), (2, 2, 20, NULL)`,
		`CREATE TRIGGER never AFTER DELETE ON "order" BEGIN DELETE FROM customer; END`)
	c = &taken{driver: open(t, path, t.TempDir())}
	c.take(t)
	good = content(t, db)
	run(t, db, `UPDATE "order" SET amount = 0`, "INSERT INTO customer VALUES (3, 'c')")
	bad = content(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return c, path, good, bad
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	db := connect(t, path)
	if got := content(t, db); got != want {
		t.Fatalf("it holds %s, want %s", got, want)
	}
	if got := value(t, db, "PRAGMA integrity_check"); got != "ok" {
		t.Fatal(got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func journal(t *testing.T, path string) string {
	t.Helper()
	db := connect(t, path)
	mode := value(t, db, "PRAGMA journal_mode")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return mode
}

func TestReplacing(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		c, path, good, bad := damaged(t, mode)
		i := restore(t, backup.Restore{Pieces: c.pieces})
		ctx, d := t.Context(), c.driver
		for _, s := range []struct {
			name string
			do   func() error
			want string
		}{
			{"prepare", func() error { return d.Prepare(ctx, i, "abc", nil, nil) }, bad},
			{"prepare again", func() error { return d.Prepare(ctx, i, "abc", nil, nil) }, bad},
			{"switch", func() error { return d.Switch(ctx, "abc") }, good},
			{"switch again", func() error { return d.Switch(ctx, "abc") }, good},
			{"prepare in place", func() error { return d.Prepare(ctx, i, "abc", nil, nil) }, good},
			{"undo", func() error { return d.Undo(ctx, "abc") }, bad},
			{"undo again", func() error { return d.Undo(ctx, "abc") }, bad},
			{"switch once more", func() error { return d.Switch(ctx, "abc") }, good},
			{"drop", func() error { return d.Drop(ctx, "abc") }, good},
		} {
			if err := s.do(); err != nil {
				t.Fatalf("%s: %s: %v", mode, s.name, err)
			}
			holds(t, path, s.want)
			if got := journal(t, path); got != mode {
				t.Errorf("%s: %s: journal mode %s", mode, s.name, got)
			}
		}
		left, err := filepath.Glob(path + "*holdfast*")
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := d.Switch(ctx, "abc"); continuity.CodeOf(err) != continuity.CodeBackupReplace {
			t.Errorf("switching to nothing: %v", err)
		}
	}
}

// A program that has the database open, and does nothing with it just then, would go on
// writing to the old one: so nothing is replaced under it.
func TestNothingIsReplacedUnderAProgram(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		c, path, good, bad := damaged(t, mode)
		i := restore(t, backup.Restore{Pieces: c.pieces})
		if err := c.driver.Prepare(t.Context(), i, "abc", nil, nil); err != nil {
			t.Fatal(err)
		}
		p := exec.Command(os.Args[0])
		p.Env = append(os.Environ(), childEnv+"=open\n"+path)
		in, err := p.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(line, err)
		}
		err = c.driver.Switch(t.Context(), "abc")
		var told *continuity.Error
		if !errors.As(err, &told) || told.Args["why"] != "open" || told.Args["who"] == "" {
			t.Errorf("%s: told %v", mode, err)
		}
		if got := journal(t, path); got != mode {
			t.Errorf("journal mode %s, and it was %s", got, mode)
		}
		if err := errors.Join(in.Close(), p.Wait()); err != nil {
			t.Fatal(err)
		}
		holds(t, path, bad)
		if err := c.driver.Switch(t.Context(), "abc"); err != nil {
			t.Fatal(err)
		}
		holds(t, path, good)
	}
}

// What can't be opened any more, or is gone, is replaced too, and put aside with its log.
func TestReplacingWhatIsSpoiledOrGone(t *testing.T) {
	c, path, good, _ := damaged(t, "wal")
	i := restore(t, backup.Restore{Pieces: c.pieces})
	ctx := t.Context()
	for _, name := range []string{path, path + "-wal"} {
		if err := os.WriteFile(name, []byte("this is no database, and never will be one"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.driver.Prepare(ctx, i, "abc", nil, nil), c.driver.Switch(ctx, "abc")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, good)
	if err := c.driver.Undo(ctx, "abc"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal"} {
		if b, err := os.ReadFile(name); err != nil || string(b) != "this is no database, and never will be one" {
			t.Errorf("%s: %q, %v", filepath.Base(name), b, err)
		}
	}
	if err := errors.Join(os.Remove(path), os.Remove(path+"-wal"), c.driver.Switch(ctx, "abc")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, good)
}

func TestReplacingTablesAlone(t *testing.T) {
	c, path, _, bad := damaged(t, "wal")
	i := restore(t, backup.Restore{Pieces: c.pieces})
	ctx, d := t.Context(), c.driver
	mixed := "1a,2b,3c|1:1:10:,2:2:20:"
	for _, s := range []struct {
		name string
		do   func() error
		want string
	}{
		{"prepare", func() error { return d.Prepare(ctx, i, "abc", []string{"order"}, nil) }, bad},
		{"switch", func() error { return d.Switch(ctx, "abc") }, mixed},
		{"switch again", func() error { return d.Switch(ctx, "abc") }, mixed},
		{"prepare in place", func() error { return d.Prepare(ctx, i, "abc", []string{"order"}, nil) }, mixed},
		{"undo", func() error { return d.Undo(ctx, "abc") }, bad},
		{"undo again", func() error { return d.Undo(ctx, "abc") }, bad},
		{"switch once more", func() error { return d.Switch(ctx, "abc") }, mixed},
		{"drop", func() error { return d.Drop(ctx, "abc") }, mixed},
	} {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		holds(t, path, s.want)
	}
	db := connect(t, path)
	if got := value(t, db, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY name)"); got != "customer,never,order" {
		t.Errorf("left behind: %s", got)
	}
	run(t, db, `INSERT INTO "order" VALUES (3, 3, 30, NULL)`)
	after := content(t, db)
	refused := func(why string, tables ...string) {
		t.Helper()
		if err := d.Prepare(ctx, i, "def", tables, nil); err != nil {
			t.Fatal(err)
		}
		err := d.Switch(ctx, "def")
		var told *continuity.Error
		if !errors.As(err, &told) || told.Args["why"] != "tables" {
			t.Errorf("%s: %v", why, err)
		}
		if err := d.Drop(ctx, "def"); err != nil {
			t.Fatal(err)
		}
		holds(t, path, after)
	}
	refused("an order would be left without its customer", "customer")
	refused("no such table", "order", "other")
	run(t, db, `ALTER TABLE "order" ADD COLUMN more`)
	after = content(t, db)
	refused("a table that is another now", "order")
}

// BenchmarkDelta measures how long a delta takes after one small change, and after none,
// while the log goes on, and when it began anew.
func BenchmarkDelta(b *testing.B) {
	for _, c := range []struct {
		name   string
		rows   int
		change string
	}{
		{"10MB/one", 10_000, `UPDATE "order" SET amount = amount + 1 WHERE id = 5000`},
		{"100MB/none", 100_000, ""},
		{"100MB/one", 100_000, `UPDATE "order" SET amount = amount + 1 WHERE id = 5000`},
		{"100MB/anew", 100_000, `PRAGMA wal_checkpoint(TRUNCATE)`},
	} {
		b.Run(c.name, func(b *testing.B) {
			db, path := database(b, "WAL")
			run(b, db, `INSERT INTO "order" (amount, note) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < `+itoa(c.rows)+`) SELECT i, randomblob(900) FROM n`)
			d, err := sqlite.New(sqlite.Options{Path: path, Spool: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			if _, err := d.Full(ctx, io.Discard, nil, nil); err != nil {
				b.Fatal(err)
			}
			if err := d.Published(ctx, "p0"); err != nil {
				b.Fatal(err)
			}
			run(b, db, `UPDATE "order" SET amount = 0 WHERE id = 1`)
			for n := 1; n <= 2; n++ { // the first reads all and takes the figures
				if _, err := d.Delta(ctx, "p"+itoa(n-1), io.Discard, nil, nil); err != nil {
					b.Fatal(err)
				}
				if err := d.Published(ctx, "p"+itoa(n)); err != nil {
					b.Fatal(err)
				}
			}
			for n := 3; b.Loop(); n++ {
				if c.change != "" {
					run(b, db, c.change)
					run(b, db, `UPDATE "order" SET amount = amount + 1 WHERE id = 7`)
				}
				if _, err := d.Delta(ctx, "p"+itoa(n-1), io.Discard, nil, nil); err != nil {
					b.Fatal(err)
				}
				if err := d.Published(ctx, "p"+itoa(n)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
