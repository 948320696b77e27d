package mysql

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

var shared struct {
	sync.Mutex
	dir    string
	server *private
	number int
}

func TestMain(m *testing.M) {
	if what := os.Getenv(working); what != "" {
		os.Exit(work(what))
	}
	code := m.Run()
	if shared.server != nil {
		_ = shared.server.Close()
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// source makes a database on a server that writes a log of rows.
func source(t *testing.T) (*sql.DB, string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		dir, err := os.MkdirTemp("", "mysqltest")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		shared.server, err = start(t.Context(), dir, "--log-bin="+filepath.Join(dir, "bin"), "--binlog-format=ROW", "--server-id=7")
		if err != nil {
			t.Fatalf("%v; is MariaDB installed? run: apt-get install -y mariadb-server", err)
		}
	}
	shared.number++
	name := fmt.Sprintf("shop_%d", shared.number)
	admin, err := connect(shared.server.config(""))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	run(t, admin, "CREATE DATABASE "+name, "CREATE DATABASE IF NOT EXISTS other", "CREATE TABLE IF NOT EXISTS other.noise (id INT) ENGINE=InnoDB")
	dsn := shared.server.config(name).FormatDSN()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	run(t, db, "CREATE TABLE customer (id INT PRIMARY KEY, name VARCHAR(100)) ENGINE=InnoDB",
		"CREATE TABLE `order` (id INT PRIMARY KEY, customer INT, amount DECIMAL(12,2), note BLOB, made TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6), FOREIGN KEY (customer) REFERENCES customer (id)) ENGINE=InnoDB",
		"CREATE TABLE totals (n INT PRIMARY KEY, amount DECIMAL(12,2)) ENGINE=InnoDB", "INSERT INTO totals VALUES (1, 0)",
		"CREATE TRIGGER add_up AFTER INSERT ON `order` FOR EACH ROW UPDATE totals SET amount = amount + NEW.amount WHERE n = 1")
	return db, dsn
}

func run(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
	}
}

// soon ends what should have ended by itself, so that the test fails.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func value(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRowContext(t.Context(), query).Scan(&s); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	return s.String
}

func open(t testing.TB, o Options) *Driver {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func piece(m backup.Manifest, content []byte) backup.Piece {
	m.Plain = int64(len(content))
	return backup.Piece{Manifest: m, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

func take(t testing.TB, d *Driver, queries ...backup.Query) backup.Piece {
	t.Helper()
	var out bytes.Buffer
	c, err := d.Full(t.Context(), &out, queries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return piece(backup.Manifest{ID: "full", Type: backup.TypeFull, Taken: c.Taken, From: c.From, To: c.To, Figures: c.Figures, Exact: c.Exact}, out.Bytes())
}

// restore knows nothing but the pieces.
func restore(t testing.TB, r backup.Restore) (backup.Instance, *sql.DB) {
	t.Helper()
	r.Dir = t.TempDir()
	i, err := open(t, Options{}).Restore(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := sql.Open("mysql", i.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return i, db
}

func same(t testing.TB, i backup.Instance, want []backup.Figure, queries ...backup.Query) {
	t.Helper()
	got, err := i.Figures(t.Context(), queries, nil)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("figures %v (%v), want %v", got, err, want)
	}
}

func TestADumpComesBack(t *testing.T) {
	db, dsn := source(t)
	run(t, db, "INSERT INTO customer VALUES (1, '数据 \\'x\\''), (2, NULL)", "INSERT INTO `order` (id, customer, amount, note) VALUES (1, 1, 10.50, x'00ff'), (2, 2, 4, NULL)",
		"CREATE PROCEDURE p() SELECT 1")
	for _, follows := range []bool{false, true} {
		q := backup.Query{ID: "sum", SQL: "SELECT SUM(amount) FROM `order`"}
		p := take(t, open(t, Options{DSN: dsn, Spool: t.TempDir(), Follows: follows}), q)
		if p.Exact != p.To || p.From != p.To { // nobody writes
			t.Errorf("places %v %v %v", p.From, p.To, p.Exact)
		}
		for _, want := range []backup.Figure{{Of: "order", Measure: "rows", Value: "2"}, {Of: "order.order_ibfk_1", Measure: "orphans", Value: "0"}, {Of: "sum", Measure: "result", Value: "14.50"}} {
			if !slices.Contains(p.Figures, want) {
				t.Errorf("%v is not in %v", want, p.Figures)
			}
		}
		i, restored := restore(t, backup.Restore{Pieces: []backup.Piece{p}})
		same(t, i, p.Figures, q)
		if got := value(t, restored, "SELECT @@skip_networking + 10 * @@log_bin"); got != "1" {
			t.Errorf("the private server listens, or logs: %s", got)
		}
		// It asks for no password, so nobody else may get to it, whatever the folder allows.
		folder, err := os.Stat(filepath.Dir(value(t, restored, "SELECT @@socket")))
		if err != nil || folder.Mode().Perm() != 0o700 {
			t.Errorf("the folder of the private server's socket: %v %v", folder.Mode(), err)
		}
		if got := value(t, restored, "SELECT COUNT(*) FROM information_schema.routines WHERE routine_name = 'p'"); got != "1" {
			t.Error("the procedure is gone")
		}
	}
}

// An empty database that comes back empty is right, and one that does not is not.
func TestADatabaseWithoutATableIsProven(t *testing.T) {
	db, dsn := source(t)
	run(t, db, "DROP TABLE `order`", "DROP TABLE customer, totals")
	for _, follows := range []bool{false, true} {
		p := take(t, open(t, Options{DSN: dsn, Spool: t.TempDir(), Follows: follows}))
		i, restored := restore(t, backup.Restore{Pieces: []backup.Piece{p}})
		agrees := func() ([]backup.Compared, bool) {
			found, err := i.Figures(t.Context(), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return backup.Compare(p.Figures, found, nil)
		}
		if all, good := agrees(); !good {
			t.Errorf("it is called bad: %+v", all)
		}
		run(t, restored, "CREATE TABLE more (id INT)")
		if all, good := agrees(); good {
			t.Errorf("a table more is not noticed: %+v", all)
		}
	}
}

// collector collects what is published.
type collector struct {
	sync.Mutex
	t     testing.TB
	spans []backup.Piece
	came  chan struct{}
}

func (f *collector) publish(_ context.Context, s backup.Span) error {
	in, err := s.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	f.Lock()
	f.spans = append(f.spans, piece(backup.Manifest{ID: fmt.Sprint("log", len(f.spans)), Type: backup.TypeLog, From: s.From, To: s.To, Taken: s.Newest}, content))
	f.Unlock()
	select {
	case f.came <- struct{}{}:
	default:
	}
	return nil
}

func (f *collector) pieces() []backup.Piece {
	f.Lock()
	defer f.Unlock()
	return slices.Clone(f.spans)
}

// until waits for the log to be published up to a place.
func (f *collector) until(at backup.Position) []backup.Piece {
	f.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		all := f.pieces()
		if len(all) > 0 && all[len(all)-1].To.Compare(at) >= 0 {
			return all
		}
		select {
		case <-f.came:
		case <-deadline.C:
			f.t.Fatalf("nothing is published up to %s: %d spans", at.At, len(all))
		}
	}
}

// follow follows until the test, or what it returns, ends it.
func follow(t *testing.T, d *Driver, f *collector, from backup.Position) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Follow(ctx, from, f.publish) }()
	return func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("following ended: %v", err)
		}
	}
}

func where(t testing.TB, db *sql.DB) backup.Position {
	t.Helper()
	s, err := look(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	at, err := s.now(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func manifests(pieces []backup.Piece) (all []backup.Manifest) {
	for _, p := range pieces {
		all = append(all, p.Manifest)
	}
	return all
}

// Orders are taken all the time, and others write, too; the log begins new files, and the
// follower is started again. What is restored to a place has the figures that were taken
// there, whole orders, and all that counted before.
func TestAnyMomentUnderAWriter(t *testing.T) {
	db, dsn := source(t)
	db.SetMaxOpenConns(4)
	var acknowledged atomic.Int64
	ctx, halt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			tx, err := db.Begin()
			for _, s := range []string{"INSERT INTO customer (id, name) VALUES (%d, 'n')", "INSERT INTO `order` (id, customer, amount) VALUES (%d, %[1]d, 1)", "INSERT INTO other.noise VALUES (%d)"} {
				if err == nil {
					_, err = tx.Exec(fmt.Sprintf(s, n))
				}
			}
			if err == nil {
				err = tx.Commit()
			}
			if err != nil {
				ended <- errors.Join(err, tx.Rollback())
				return
			}
			acknowledged.Store(n)
		}
		ended <- nil
	}()
	d := open(t, Options{DSN: dsn, Spool: t.TempDir(), Follows: true})
	f := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, f, where(t, db))
	f.until(where(t, db))
	p := take(t, d)
	if p.Exact.Compare(p.To) <= 0 {
		t.Errorf("a writer is at work, and the figures are of %s, the dump of %s", p.Exact.At, p.To.At)
	}
	run(t, db, "FLUSH BINARY LOGS")
	f.until(where(t, db))
	stop()
	spans := f.pieces()
	stop = follow(t, d, f, spans[len(spans)-1].To) // goes on, in the middle of a file
	run(t, db, "ALTER TABLE customer ADD COLUMN more INT DEFAULT 5 AFTER id, ADD COLUMN last INT", "ALTER TABLE customer DROP COLUMN more, DROP COLUMN last")
	run(t, db, "FLUSH BINARY LOGS")
	before := acknowledged.Load()
	at := where(t, db)
	halt()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	run(t, db, "FLUSH BINARY LOGS") // nothing is written behind it
	here, asked, err := d.Where(t.Context())
	if err != nil || asked.IsZero() {
		t.Fatal(asked, err)
	}
	all := append([]backup.Piece{p}, f.until(here)...)
	stop()
	if faults := d.Check(manifests(all)); len(faults) > 0 {
		t.Fatalf("faults: %v", faults)
	}
	i, _ := restore(t, backup.Restore{Pieces: all, At: p.Exact})
	same(t, i, p.Figures)
	if reached, _ := i.Reached(); reached != p.Exact {
		t.Errorf("reached %v, want %v", reached, p.Exact)
	}
	_, restored := restore(t, backup.Restore{Pieces: all, At: at})
	var orders, most, customers, total int64
	if err := restored.QueryRow("SELECT COUNT(*), MAX(id), (SELECT COUNT(*) FROM customer), (SELECT CAST(amount AS SIGNED) FROM totals) FROM `order`").Scan(&orders, &most, &customers, &total); err != nil {
		t.Fatal(err)
	}
	if orders < before || orders != most || orders != customers || orders != total {
		t.Errorf("%d orders to %d, %d customers, total %d; %d were acknowledged before", orders, most, customers, total, before)
	}
	_, restored = restore(t, backup.Restore{Pieces: all})
	if got, want := value(t, restored, "SELECT CONCAT(COUNT(*), ' ', MAX(id)) FROM `order`"), value(t, db, "SELECT CONCAT(COUNT(*), ' ', MAX(id)) FROM `order`"); got != want {
		t.Errorf("all of the log brings back %s, want %s", got, want)
	}
}

// A moment is one of whole seconds, as the log tells them.
func TestAMoment(t *testing.T) {
	db, dsn := source(t)
	d := open(t, Options{DSN: dsn, Spool: t.TempDir(), Follows: true})
	p := take(t, d)
	f := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, f, p.To)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now().Add(time.Hour).Truncate(time.Second)
	for n := range 5 { // the server's clock is told
		for _, s := range []string{fmt.Sprintf("SET timestamp = %d", start.Unix()+int64(n)*10), fmt.Sprintf("INSERT INTO customer VALUES (%d, 'x')", n)} {
			if _, err := conn.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := append([]backup.Piece{p}, f.until(where(t, db))...)
	stop()
	i, restored := restore(t, backup.Restore{Pieces: all, Until: start.Add(25 * time.Second)})
	if got := value(t, restored, "SELECT MAX(id) FROM customer"); got != "2" {
		t.Errorf("brought back to customer %s", got)
	}
	if _, moment := i.Reached(); !moment.Equal(start.Add(20 * time.Second)) {
		t.Errorf("reached %v, want %v", moment, start.Add(20*time.Second))
	}
}

func TestFaultsOfTheLog(t *testing.T) {
	at := func(system, place string) backup.Position { return backup.Position{System: system, At: place} }
	full := backup.Manifest{ID: "f", Type: backup.TypeFull, To: at("s", "bin.000001:500")}
	span := func(id, from, to string) backup.Manifest {
		return backup.Manifest{ID: id, Type: backup.TypeLog, From: at("s", from), To: at("s", to), Plain: 1000, Content: id}
	}
	a, b, c := span("a", "bin.000001:300", "bin.000001:700"), span("b", "bin.000001:700", "bin.000002:4"), span("c", "bin.000002:4", "bin.000002:90")
	d := open(t, Options{})
	for name, v := range map[string]struct {
		spans []backup.Manifest
		want  string
	}{
		"good":             {[]backup.Manifest{a, b, c}, ""},
		"superseded":       {[]backup.Manifest{a, b, span("e", "bin.000001:4", "bin.000002:4"), c}, ""},
		"missing":          {[]backup.Manifest{a, c}, backup.FaultMissing},
		"first missing":    {[]backup.Manifest{b, c}, backup.FaultMissing},
		"other server":     {[]backup.Manifest{a, {ID: "x", Type: backup.TypeLog, From: at("t", "bin.000001:700"), To: at("t", "bin.000001:900"), Plain: 1000}}, backup.FaultSystem},
		"truncated":        {[]backup.Manifest{a, {ID: "x", Type: backup.TypeLog, From: at("s", "bin.000001:700"), To: at("s", "bin.000001:900"), Plain: 100}}, backup.FaultTruncated},
		"doubled, same":    {[]backup.Manifest{a, a, b}, ""},
		"doubled, another": {[]backup.Manifest{a, span("x", "bin.000001:300", "bin.000001:700"), b}, backup.FaultDouble},
	} {
		faults := d.Check(append([]backup.Manifest{full}, v.spans...))
		got := ""
		if len(faults) > 0 {
			got = faults[0].Kind
		}
		if got != v.want || len(faults) > 1 {
			t.Errorf("%s: %v, want %q", name, faults, v.want)
		}
	}
}

func TestAGapIsNotRestoredOver(t *testing.T) {
	db, dsn := source(t)
	d := open(t, Options{DSN: dsn, Spool: t.TempDir(), Follows: true})
	p := take(t, d)
	f := &collector{t: t, came: make(chan struct{}, 1)}
	stop := follow(t, d, f, p.To)
	for n := range 3 {
		run(t, db, fmt.Sprintf("INSERT INTO customer VALUES (%d, 'x')", n))
		f.until(where(t, db))
	}
	stop()
	spans := f.pieces()
	if len(spans) < 3 {
		t.Fatalf("%d spans", len(spans))
	}
	last := spans[len(spans)-1]
	cut := last
	cut.Open = func(ctx context.Context) (io.ReadCloser, error) {
		in, err := last.Open(ctx)
		b, _ := io.ReadAll(in)
		return io.NopCloser(bytes.NewReader(b[:len(b)-1])), err
	}
	half := p
	half.Open = func(ctx context.Context) (io.ReadCloser, error) {
		in, err := p.Open(ctx)
		return io.NopCloser(io.LimitReader(in, 1500)), err
	}
	for name, r := range map[string]struct {
		backup.Restore
		code continuity.Code
	}{
		"missing":   {backup.Restore{Pieces: []backup.Piece{p, spans[0], last}}, continuity.CodeBackupRestore},
		"cut":       {backup.Restore{Pieces: append(append([]backup.Piece{p}, spans[:len(spans)-1]...), cut)}, continuity.CodeBackupPiece},
		"half dump": {backup.Restore{Pieces: []backup.Piece{half}}, continuity.CodeBackupPiece},
		"behind":    {backup.Restore{Pieces: []backup.Piece{p, spans[0]}, At: last.To}, continuity.CodeBackupRestore},
		"before":    {backup.Restore{Pieces: []backup.Piece{p}, Until: p.Taken.Add(-time.Hour)}, continuity.CodeBackupRestore},
	} {
		r.Dir = t.TempDir()
		if _, err := open(t, Options{}).Restore(t.Context(), r.Restore); continuity.CodeOf(err) != r.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, from := range map[string]backup.Position{"other server": {System: "x", At: p.To.At}, "no such file": {System: p.To.System, At: "bin.999999:4"}, "behind its end": {System: p.To.System, At: strings.Split(p.To.At, ":")[0] + ":99999999"}} {
		if err := d.Follow(soon(t), from, f.publish); !errors.Is(err, backup.ErrNeedsFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failing struct{}

var errTarget = errors.New("the target is gone")

func (failing) Write([]byte) (int, error) { return 0, errTarget }

func TestWhatFailsIsSaid(t *testing.T) {
	db, dsn := source(t)
	spool := t.TempDir()
	d := open(t, Options{DSN: dsn, Spool: spool, Follows: true})
	for _, d := range []*Driver{d, open(t, Options{DSN: dsn, Spool: spool})} {
		if _, err := d.Full(t.Context(), failing{}, nil, nil); !errors.Is(err, errTarget) {
			t.Errorf("got %v", err)
		}
	}
	run(t, db, "INSERT INTO customer VALUES (1, 'nobody is locked out')")
	at := where(t, db)
	run(t, db, "INSERT INTO customer VALUES (2, 'x')")
	if err := d.Follow(soon(t), at, func(context.Context, backup.Span) error { return errTarget }); !errors.Is(err, errTarget) {
		t.Errorf("got %v", err)
	}
	logins, err := filepath.Glob(filepath.Join(spool, "login-*"))
	if err != nil || len(logins) > 0 {
		t.Errorf("left in the spool: %v, %v", logins, err)
	}
	_, err = New(Options{DSN: "u:secret-password"})
	for _, dsn := range []string{"u:secret-password@tcp(127.0.0.1:1)/x", "root@unix(" + shared.server.socket + ")/missing"} {
		_, failed := open(t, Options{DSN: dsn, Spool: spool}).Full(t.Context(), io.Discard, nil, nil)
		err = errors.Join(err, failed)
		if continuity.CodeOf(failed) != continuity.CodeBackupSource {
			t.Errorf("%v", failed)
		}
	}
	if strings.Contains(err.Error(), "secret-password") {
		t.Errorf("the password is told: %v", err)
	}
}
