package postgres_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

// A full piece that was taken while others write brings back exactly what its figures
// say, by itself, and nothing of the source's is touched.
func TestFullPieceIsProvenByItself(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	w := s.write(t, 3, 1, 1)
	await(t, "100 orders", func() bool { return w.count() > 100 })
	piece, _ := s.full(t, "aaaaaaaaaa")
	before := w.count()
	await(t, "more orders", func() bool { return w.count() > before+20 })
	w.end()

	if piece.Exact.At == "" || piece.From != piece.To || len(piece.Figures) == 0 {
		t.Fatalf("no figures: %+v", piece.Manifest)
	}
	i := restored(t, backup.Restore{Pieces: []backup.Piece{piece}, At: piece.Exact, Queries: queries})
	if diff := cmp.Diff(piece.Figures, figures(t, i)); diff != "" {
		t.Errorf("what was restored is not what was captured:\n%s", diff)
	}
	for _, f := range []backup.Figure{{Of: "shop.customers", Measure: "rows", Value: "500"}, {Of: "public.x", Measure: "rows", Value: "2"},
		{Of: "shop.orders.orders_customer_fkey", Measure: "orphans", Value: "0"}} {
		if !slices.Contains(piece.Figures, f) {
			t.Errorf("missing: %+v in %+v", f, piece.Figures)
		}
	}
	if n := ask[int](t, i.Address(), "SELECT count(*) FROM shop.scratch"); n != 0 {
		t.Errorf("an unlogged table came back with %d rows", n)
	}
	if mode := ask[string](t, i.Address(), "SELECT current_setting('archive_mode')"); mode != "off" {
		t.Errorf("archive_mode is %s", mode)
	}
	// One changed value is noticed.
	pgtest.Exec(t, i.Address(), "UPDATE shop.customers SET name = 'another' WHERE id = 7")
	if cmp.Equal(piece.Figures, figures(t, i)) {
		t.Error("a changed value is not noticed")
	}
	pgtest.Exec(t, i.Address(), `UPDATE shop.customers SET name = 'customer 7' WHERE id = 7;
		SET session_replication_role = replica; DELETE FROM shop.customers WHERE id = (SELECT customer FROM shop.orders LIMIT 1)`)
	if slices.Contains(figures(t, i), backup.Figure{Of: "shop.orders.orders_customer_fkey", Measure: "orphans", Value: "0"}) {
		t.Error("an orphan is not noticed")
	}
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_replication_slots"); n != 0 {
		t.Errorf("%d slots are left on the source", n)
	}
}

// An empty database that comes back empty is right, and one that does not is not.
func TestADatabaseWithoutATableIsProven(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	pgtest.Exec(t, s.DSN("postgres"), "CREATE DATABASE bare")
	s.dsn = s.DSN("bare")
	driver := postgres.New(postgres.Options{DSN: s.dsn, Spool: filepath.Join(t.TempDir(), "spool")})
	var content bytes.Buffer
	c, err := driver.Full(t.Context(), &content, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	piece := stored(backup.Manifest{ID: "aaaaaaaaaa", Type: backup.TypeFull, Taken: c.Taken, From: c.From, To: c.To, Versions: c.Versions,
		Figures: c.Figures, Exact: c.Exact}, content.Bytes())
	i := restored(t, backup.Restore{Pieces: []backup.Piece{piece}, At: piece.Exact})
	agrees := func() ([]backup.Compared, bool) {
		found, err := i.Figures(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return backup.Compare(piece.Figures, found, nil)
	}
	if all, good := agrees(); !good {
		t.Errorf("it is called bad: %+v", all)
	}
	pgtest.Exec(t, i.Address(), "CREATE TABLE more (id int)")
	if all, good := agrees(); good {
		t.Errorf("a table more is not noticed: %+v", all)
	}
}

// What can't be restored is refused before there is a server, with what is wrong with it.
func TestDamagedFullPieceIsRefused(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	pgtest.Exec(t, s.dsn, "INSERT INTO shop.orders SELECT g, 1 + g % 500, g FROM generate_series(1, 5000) g")
	piece, content := s.full(t, "aaaaaaaaaa")
	note := bytes.Index(content, []byte(`{"format":1`))
	log := note + bytes.Index(content[note:], []byte("pg_wal/")) + 512 // what the second archive has of the log
	for what, spoil := range map[string]func([]byte) []byte{
		"flipped log": func(b []byte) []byte { b[log+40+17] ^= 1; return b },
		"cut":         func(b []byte) []byte { return b[:note] },
		"another timeline": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"timeline":1`), []byte(`"timeline":7`), 1)
		},
		"another system": func(b []byte) []byte {
			of := []byte(piece.From.System)
			return bytes.Replace(b, of, bytes.Repeat([]byte("1"), len(of)), 1)
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := folder(t)
			spoiled := stored(piece.Manifest, spoil(bytes.Clone(content)))
			_, err := postgres.New(postgres.Options{}).Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{spoiled}, Dir: dir})
			if continuity.CodeOf(err) != continuity.CodeBackupPiece {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); err == nil {
				t.Error("a server was started on it")
			}
		})
	}
}

func TestWhatCannotBeCapturedIsSaid(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	space := filepath.Join(filepath.Dir(s.Data()), "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.Data())
	if err != nil {
		t.Fatal(err)
	}
	of := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(space, int(of.Uid), int(of.Gid)); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, s.dsn, "CREATE TABLESPACE elsewhere LOCATION '"+space+"'")
	_, err = s.driver.Full(t.Context(), io.Discard, nil, nil)
	if continuity.CodeOf(err) != continuity.CodeBackupSource || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), pgtest.Password) {
		t.Error("the password is in the error")
	}
	pgtest.Exec(t, s.dsn, "DROP TABLESPACE elsewhere")
	if _, err = s.driver.Full(t.Context(), full{}, nil, nil); continuity.CodeOf(err) != continuity.CodeBackupSource || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk at the other end: got %v", err)
	}
	if n := ask[int](t, s.dsn, "SELECT count(*) FROM pg_replication_slots"); n != 0 {
		t.Errorf("%d slots are left on the source", n)
	}
}

// full is a place without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// A folder that PostgreSQL's user can't get to is said to be one.
func TestFolderOutOfReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // the user is ourselves
	}
	s := newSource(t)
	piece, _ := s.full(t, "aaaaaaaaaa")
	_, err := postgres.New(postgres.Options{}).Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{piece}, Dir: t.TempDir()})
	if continuity.CodeOf(err) != continuity.CodeBackupRestore || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("got %v", err)
	}
}

// restoring makes of this binary a program that restores and stays, to be killed.
const restoring = "HOLDFAST_TEST_RESTORE"

func restoreAndStay() int {
	content, err := os.ReadFile(os.Getenv(restoring))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	i, err := postgres.New(postgres.Options{}).Restore(context.Background(), backup.Restore{
		Pieces: []backup.Piece{stored(backup.Manifest{ID: "aaaaaaaaaa", Type: backup.TypeFull}, content)}, Dir: os.Getenv("HOLDFAST_TEST_DIR")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(i.Address())
	_, _ = io.Copy(io.Discard, os.Stdin) // whose other end is never closed
	return 0
}

// Whoever restores may be killed: the server that was started goes with them, and what is
// left is one folder.
func TestRestoredServerEndsWithUs(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	_, content := s.full(t, "aaaaaaaaaa")
	file := filepath.Join(t.TempDir(), "piece")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this binary
	cmd.Env = append(os.Environ(), restoring+"="+file, "HOLDFAST_TEST_DIR="+folder(t))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	dsn, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dsn = strings.TrimSpace(dsn)
	if n := ask[int](t, dsn, "SELECT count(*) FROM shop.customers"); n != 500 {
		t.Errorf("%d customers", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	await(t, "the server to end", func() bool {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err == nil {
			err = conn.Close(t.Context())
			return err != nil
		}
		return true
	})
}
