package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/backup"
	"holdfast/internal/backup/postgres"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
)

// repository is a server that pgBackRest backs up, with zstd and AES.
type repository struct {
	*source
	config string
	driver *postgres.Repository
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	if _, err := exec.LookPath("pgbackrest"); err != nil {
		t.Fatal("pgbackrest is missing: apt-get install pgbackrest")
	}
	dir := folder(t)
	config := filepath.Join(dir, "pgbackrest.conf")
	s := newSource(t, "archive_mode=on", "archive_command=pgbackrest --config="+config+" --stanza=shop --log-level-file=off archive-push %p")
	socket := filepath.Dir(s.Data())
	text := "[global]\nrepo1-path=" + dir + "/repo\nrepo1-retention-full=5\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=only-for-tests\n" +
		"compress-type=zst\nlog-path=" + dir + "\nlock-path=" + dir + "/lock\nspool-path=" + dir + "/spool\n" +
		"[shop]\npg1-path=" + s.Data() + "\npg1-socket-path=" + socket + "\npg1-user=" + pgtest.User + "\npg1-database=postgres\n"
	hba := filepath.Join(s.Data(), "pg_hba.conf")
	if err := errors.Join(os.WriteFile(config, []byte(text), 0o600), os.WriteFile(hba, []byte("local all all trust\nlocal replication all trust\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(s.Data())
	if err != nil {
		t.Fatal(err)
	}
	of := info.Sys().(*syscall.Stat_t)
	for _, name := range []string{dir, config, hba} {
		if err := os.Chown(name, int(of.Uid), int(of.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	r := &repository{source: s, config: config, driver: postgres.NewRepository(postgres.RepositoryOptions{DSN: s.dsn, Stanza: "shop", Config: config})}
	pgtest.Exec(t, s.dsn, "SELECT pg_reload_conf()")
	r.pgbackrest(t, "stanza-create")
	return r
}

// pgbackrest runs a command as the server's user.
func (r *repository) pgbackrest(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "pgbackrest", append([]string{"--config=" + r.config, "--stanza=shop", "--log-level-file=off"}, args...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if os.Geteuid() == 0 {
		info, err := os.Stat(r.Data())
		if err != nil {
			t.Fatal(err)
		}
		of := info.Sys().(*syscall.Stat_t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: of.Uid, Gid: of.Gid}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("pgbackrest %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (r *repository) full(t *testing.T, id string) backup.Piece {
	t.Helper()
	var content bytes.Buffer
	c, err := r.driver.Full(t.Context(), &content, queries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored(backup.Manifest{ID: id, Type: backup.TypeFull, Taken: c.Taken, From: c.From, To: c.To,
		Versions: c.Versions, Figures: c.Figures, Exact: c.Exact}, content.Bytes())
}

func (r *repository) restored(t *testing.T, what backup.Restore) (backup.Instance, error) {
	t.Helper()
	what.Dir = folder(t)
	i, err := r.driver.Restore(t.Context(), what)
	if err == nil {
		t.Cleanup(func() {
			if err := i.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return i, err
}

// What pgBackRest keeps is proven as our own pieces are, while others write, and goes to
// any moment of what it archived; its repository stays as it is.
func TestPgBackRestIsProvenAndGoesToAMoment(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	w := r.write(t, 3, 1, 1)
	await(t, "100 orders", func() bool { return w.count() > 100 })
	piece := r.full(t, "aaaaaaaaaa")
	if piece.Exact.At == "" || piece.Versions["pgbackrest"] == "" || bytes.Contains([]byte(piece.Versions["pgbackrest"]), []byte("\n")) {
		t.Fatalf("no figures, or no versions: %+v", piece.Manifest)
	}

	following, stop := context.WithCancel(t.Context())
	defer stop()
	spans, ended := make(chan backup.Span, 100), make(chan error, 1)
	go func() {
		ended <- r.driver.Follow(following, piece.To, func(_ context.Context, s backup.Span) error {
			spans <- s
			return nil
		})
	}()
	before := w.count()
	await(t, "more orders", func() bool { return w.count() > before+50 })
	moment := ask[time.Time](t, r.dsn, "SELECT clock_timestamp()")
	before = w.count()
	await(t, "orders after the moment", func() bool { return w.count() > before+50 })
	w.end()
	// Segments end when they are full; here, each second.
	full := time.NewTicker(time.Second)
	defer full.Stop()
	pieces := []backup.Piece{piece}
	for last := piece.To; len(pieces) < 2 || pieces[len(pieces)-1].Taken.Before(moment); {
		select {
		case s := <-spans:
			if s.From != last {
				t.Fatalf("a gap from %v to %v", last, s.From)
			}
			last = s.To
			pieces = append(pieces, stored(backup.Manifest{ID: s.From.At, Type: backup.TypeLog, Taken: s.Newest, From: s.From, To: s.To}, []byte("{}")))
		case <-full.C:
			pgtest.Exec(t, r.dsn, "SELECT txid_current(); SELECT pg_switch_wal()")
		case err := <-ended:
			t.Fatalf("it follows no longer: %v", err)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	// The source that does nothing any more never ends its newest segment: with a time after
	// which it would, following has come to where all older changes are.
	var at backup.Position
	pgtest.Exec(t, r.dsn, "ALTER SYSTEM SET archive_timeout = 60")
	pgtest.Exec(t, r.dsn, "SELECT pg_reload_conf()")
	await(t, "the setting", func() bool {
		place, asked, err := r.driver.Where(t.Context())
		at = place
		return err == nil && time.Since(asked) >= time.Minute
	})
	for to := pieces[len(pieces)-1].To; to.Compare(at) < 0; {
		select {
		case s := <-spans:
			to = s.To
		case err := <-ended:
			t.Fatalf("it follows no longer: %v", err)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	chain := make([]backup.Manifest, 0, len(pieces))
	for _, p := range pieces {
		chain = append(chain, p.Manifest)
	}
	if faults := r.driver.Check(chain); len(faults) > 0 {
		t.Errorf("faults: %+v", faults)
	}
	chain[1].From.At = chain[1].To.At
	if len(r.driver.Check(chain)) == 0 {
		t.Error("a gap is not noticed")
	}

	exact, err := r.restored(t, backup.Restore{Pieces: pieces[:1], At: piece.Exact})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(piece.Figures, figures(t, exact)); diff != "" {
		t.Errorf("what was restored is not what was captured:\n%s", diff)
	}
	if mode := ask[string](t, exact.Address(), "SELECT current_setting('archive_mode')"); mode != "off" {
		t.Errorf("archive_mode is %s", mode)
	}
	then, err := r.restored(t, backup.Restore{Pieces: pieces, Until: moment})
	if err != nil {
		t.Fatal(err)
	}
	there := map[int64]bool{}
	for _, id := range ask[[]int64](t, then.Address(), "SELECT array_agg(id) FROM shop.orders") {
		there[id] = true
	}
	for _, o := range w.known() {
		if !o.ok.IsZero() && o.ok.Before(moment) && !there[o.id] {
			t.Errorf("order %d of before the moment is missing", o.id)
		}
		if o.sent.After(moment) && there[o.id] {
			t.Errorf("order %d of after the moment is there", o.id)
		}
	}
	// A moment that is still to come: all that was archived.
	all, err := r.restored(t, backup.Restore{Pieces: pieces, Until: moment.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged []int64
	for _, o := range w.known() {
		if !o.ok.IsZero() {
			acknowledged = append(acknowledged, o.id)
		}
	}
	have := ask[[]int64](t, all.Address(), "SELECT array_agg(id ORDER BY id) FROM shop.orders")
	slices.Sort(acknowledged)
	for _, id := range acknowledged {
		if _, ok := slices.BinarySearch(have, id); !ok {
			t.Errorf("order %d is missing at the end", id)
		}
	}
	r.pgbackrest(t, "check") // the repository still serves its server
}

// What is not there any more is said, and nothing is started.
func TestPgBackRestWithoutItsRepository(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	piece := r.full(t, "aaaaaaaaaa")
	if err := os.RemoveAll(filepath.Join(filepath.Dir(r.config), "repo")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.restored(t, backup.Restore{Pieces: []backup.Piece{piece}}); continuity.CodeOf(err) != continuity.CodeBackupRestore || !strings.Contains(err.Error(), "pgbackrest") {
		t.Errorf("restoring: got %v", err)
	}
	_, err := r.driver.Full(t.Context(), &bytes.Buffer{}, nil, nil)
	if continuity.CodeOf(err) != continuity.CodeBackupSource || strings.Contains(err.Error(), "only-for-tests") {
		t.Errorf("capturing: got %v", err)
	}
	if _, err := r.restored(t, backup.Restore{Pieces: []backup.Piece{stored(backup.Manifest{ID: "bbbbbbbbbb", Type: backup.TypeFull}, []byte("{}"))}}); continuity.CodeOf(err) != continuity.CodeBackupPiece {
		t.Errorf("a piece that is none: got %v", err)
	}
}
