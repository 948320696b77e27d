package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// backedUp is a PostgreSQL server of which copies are made, as pgBackRest wants one: it
// archives its log, and its user may read all of it.
type backedUp struct {
	*daemon
	place
	programs string // where PostgreSQL's are
	data     string
	dsn      string
	config   string // pgBackRest's
}

const backedUpPassword = "only-for-the-benchmark"

// copier makes a copy of the server, compressed and encrypted, and brings it back.
type copier struct {
	name    string
	clear   func() error // what the last round left
	back    func() *exec.Cmd
	stored  string // the folder that it is in then
	restore func(into string) *exec.Cmd
	serve   bool // the restored data is still to be started, to play its log
}

// copied is what the rounds of one copier measured.
type copied struct {
	back, restore, backCPU, restoreCPU, size []float64
	peaks                                    map[string]int64
}

// backupRows copy a server of b.size bytes in turns and bring it back.
func (b *bench) backupRows() error {
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.dir, "backup-")
	if err != nil {
		return err
	}
	for _, d := range []string{b.dir, dir} { // PostgreSQL's users pass through
		if err := os.Chmod(d, 0o711); err != nil {
			return err
		}
	}
	began := time.Now()
	s, err := startBackedUp(filepath.Join(dir, "server"), b.size)
	if err != nil {
		return err
	}
	defer s.stop()
	bytes, err := under(filepath.Join(s.data, "base"))
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "a server with %d MB of data in %.0f s\n", bytes>>20, time.Since(began).Seconds())
	copiers, err := b.copiers(dir, s)
	if err != nil {
		return err
	}
	figures := make([]copied, len(copiers))
	var proof copied // of Holdfast's: the figures at capture, and those of what was restored
	for range b.rounds {
		for i, c := range copiers {
			if err := s.round(c, filepath.Join(dir, "restored"), bytes, &figures[i], &proof); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	what := fmt.Sprintf("PostgreSQL of %d MB", bytes>>20)
	ours := figures[0]
	for i, c := range copiers[1:] {
		f, beside := figures[i+1], what+", beside "+c.name+": "
		b.row(beside+"time of a backup", ratios(less(ours.back, proof.back), f.back), "<= 1.1 of the faster")
		b.row(beside+"time of a backup with the figures that prove it", ratios(ours.back, f.back), "")
		b.row(beside+"CPU of a backup, with the server's", ratios(less(ours.backCPU, proof.backCPU), f.backCPU), "")
		b.row(beside+"CPU of a backup with the figures", ratios(ours.backCPU, f.backCPU), "")
		b.row(beside+"size", ratios(ours.size, f.size), "")
		b.row(beside+"time of a restore, until the server answers", ratios(less(ours.restore, proof.restore), f.restore), "<= 1 of the faster")
		b.row(beside+"time of a restore with its proof", ratios(ours.restore, f.restore), "")
		b.row(beside+"CPU of a restore with its proof", ratios(ours.restoreCPU, f.restoreCPU), "")
	}
	b.row(what+": resident at the most", told(ours.peaks), "holdfast < 200 MB")
	return b.powerCutRow(dir)
}

// less is each without what belongs to something else.
func less(all, part []float64) []float64 {
	left := slices.Clone(all)
	for i := range left {
		left[i] -= part[i]
	}
	return left
}

// ratios is the median of each round's ratio, and what was measured.
func ratios(ours, theirs []float64) string {
	each := make([]float64, len(ours))
	for i := range ours {
		each[i] = ours[i] / theirs[i]
	}
	return fmt.Sprintf("%.2f (%.2f beside %.2f)", median(each), median(ours), median(theirs))
}

// round copies and brings back once.
func (s *backedUp) round(c copier, into string, bytes int64, f, proof *copied) error {
	if err := errors.Join(c.clear(), os.RemoveAll(into)); err != nil {
		return err
	}
	if c.serve { // else it is made
		if err := s.folder(into); err != nil {
			return err
		}
	}
	syscall.Sync() // what the last one wrote
	back, _, err := measured(c.back(), s.cmd.Process.Pid, nil)
	if err != nil {
		return err
	}
	size, err := under(c.stored)
	if err != nil {
		return err
	}
	if !c.serve {
		// As Holdfast's capture asks.
		wall, cpu, err := s.ask(`select count(*)::text, sum(hashtextextended((x.*)::text collate "C", 0))::text from only orders x`)
		if err != nil {
			return err
		}
		proof.back, proof.backCPU = append(proof.back, wall.Seconds()), append(proof.backCPU, cpu.Seconds())
	}
	syscall.Sync()
	then := func() (time.Duration, error) { return 0, nil }
	if c.serve {
		then = func() (time.Duration, error) { return s.answers(into) }
	}
	restore, out, err := measured(c.restore(into), 0, then)
	if err != nil {
		return err
	}
	if !c.serve {
		var doc struct {
			Good, Exact bool
			Speed       struct{ Figures float64 }
		}
		if err := json.Unmarshal(out, &doc); err != nil || !doc.Good || !doc.Exact {
			return fmt.Errorf("what was restored is not what was backed up: %w: %s", err, out)
		}
		proof.restore = append(proof.restore, doc.Speed.Figures)
		restore.wall = restore.answered // then it ends the server, as the peers' is ended afterwards
	}
	f.back, f.backCPU = append(f.back, back.wall.Seconds()), append(f.backCPU, back.cpu.Seconds())
	f.restore, f.restoreCPU = append(f.restore, restore.wall.Seconds()), append(f.restoreCPU, restore.cpu.Seconds())
	f.size = append(f.size, float64(size)/float64(bytes))
	if f.peaks == nil {
		f.peaks = map[string]int64{}
	}
	most(f.peaks, back.peaks)
	most(f.peaks, restore.peaks)
	fmt.Fprintf(os.Stderr, "%s: copied in %.1f s (%.1f s of CPU), %d MB; brought back in %.1f s (%.1f s); %s\n", c.name,
		back.wall.Seconds(), back.cpu.Seconds(), size>>20, restore.wall.Seconds(), restore.cpu.Seconds(), told(f.peaks))
	if !c.serve {
		n := len(proof.back) - 1
		fmt.Fprintf(os.Stderr, "  of it the proof: %.1f s (%.1f s of CPU), %.1f s\n", proof.back[n], proof.backCPU[n], proof.restore[n])
	}
	return os.RemoveAll(into)
}

// ask runs a query, and tells what it took.
func (s *backedUp) ask(sql string) (wall, cpu time.Duration, err error) {
	before, err := spent(s.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return 0, 0, err
	}
	_, err = conn.Exec(ctx, sql)
	wall = time.Since(began)
	after, err2 := spent(s.cmd.Process.Pid)
	return wall, after - before, errors.Join(err, err2, conn.Close(ctx))
}

// folder makes one for the server's user.
func (s *backedUp) folder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil || s.who == nil {
		return err
	}
	return os.Chown(path, int(s.who.Uid), int(s.who.Gid))
}

// answers starts a server on data that was brought back, and ends it when it has played
// its log and answers.
func (s *backedUp) answers(data string) (time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	d, err := s.place.daemon(filepath.Join(s.programs, "postgres"), "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "archive_mode=off", "-c", "fsync=off", "-c", "hot_standby=off")
	if err != nil {
		return 0, err
	}
	d.quit = syscall.SIGQUIT
	err = eventually(d.ended, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, s.address(port))
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		return conn.QueryRow(ctx, "select count(*) from orders where id < 10").Scan(new(int))
	})
	if err != nil {
		return 0, d.failed(err)
	}
	d.stop()
	return cpuOfEnded(d.cmd.ProcessState), nil
}

func (s *backedUp) address(port string) string {
	return (&url.URL{Scheme: "postgres", User: url.UserPassword("bench", backedUpPassword), Host: "127.0.0.1:" + port, Path: "/postgres", RawQuery: "sslmode=disable"}).String()
}

// under is how many bytes the files of a folder have.
func under(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

// startBackedUp starts a server and fills it with orders, until it has so many bytes.
func startBackedUp(dir string, size int64) (*backedUp, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well-formed
	if len(found) == 0 {
		return nil, errors.New("postgres is missing; run: apt-get install -y postgresql")
	}
	for program, debian := range map[string]string{"pgbackrest": "pgbackrest", "zstd": "zstd", "openssl": "openssl", "tar": "tar"} {
		if _, err := installed(program, debian); err != nil {
			return nil, err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	s := &backedUp{programs: filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })), data: filepath.Join(dir, "data")}
	var err error
	if s.place, err = newPlace(dir, 0); err != nil {
		return nil, err
	}
	secret, err := s.write("password", backedUpPassword)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if s.config, err = s.write("pgbackrest.conf", fmt.Sprintf(`[global]
repo1-path=%[1]s/repo
repo1-retention-full=1
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=%[4]s
compress-type=zst
compress-level=3
process-max=2
start-fast=y
log-level-file=off
log-level-console=warn
lock-path=%[1]s/lock
spool-path=%[1]s/spool
[bench]
pg1-path=%[2]s
pg1-socket-path=%[1]s
pg1-port=%[3]s
pg1-user=bench
pg1-database=postgres
`, dir, s.data, port, backedUpPassword)); err != nil {
		return nil, err
	}
	out, err := s.command(filepath.Join(s.programs, "initdb"), "-D", s.data, "-U", "bench", "--pwfile", secret, "--auth-local", "trust",
		"--auth-host", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.daemon, err = s.place.daemon(filepath.Join(s.programs, "postgres"), "-D", s.data, "-p", port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories="+dir, "-c", "fsync=off", "-c", "shared_buffers=256MB", "-c", "max_wal_size=512MB",
		"-c", "archive_mode=on", "-c", "archive_command=pgbackrest --config="+s.config+" --stanza=bench archive-push %p")
	if err != nil {
		return nil, err
	}
	s.quit = syscall.SIGQUIT
	s.dsn = s.address(port)
	if err := s.fill(size); err != nil {
		return nil, s.failed(err)
	}
	return s, nil
}

// fill makes the stanza, so that the log is archived, and orders.
func (s *backedUp) fill(size int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	var conn *pgx.Conn
	if err := eventually(s.ended, func(ctx context.Context) (err error) {
		conn, err = pgx.Connect(ctx, s.dsn)
		return err
	}); err != nil {
		return err
	}
	defer conn.Close(ctx)
	if out, err := s.command("pgbackrest", "--config="+s.config, "--stanza=bench", "stanza-create").CombinedOutput(); err != nil {
		return fmt.Errorf("pgbackrest: %w: %s", err, out)
	}
	if _, err := conn.Exec(ctx, `create table orders (id bigint primary key, customer text, token text, goods text, amount numeric(12, 2), at timestamptz)`); err != nil {
		return err
	}
	for from := 0; ; from += 100_000 {
		// Two thirds are words that come again and again, one third does not compress.
		if _, err := conn.Exec(ctx, `insert into orders select g, 'customer ' || g % 50000, md5(g::text) || md5((g * 7)::text),
			repeat('some goods of an order ', 4) || g % 1000, g % 100000 / 100.0, timestamptz '2026-01-01' + g * interval '1 second'
			from generate_series($1::bigint, $1::bigint + 99999) g`, from); err != nil {
			return err
		}
		var now int64
		if err := conn.QueryRow(ctx, `select pg_database_size(current_database())`).Scan(&now); err != nil {
			return err
		}
		if now >= size {
			break
		}
	}
	for _, then := range []string{"vacuum analyze", "checkpoint"} {
		if _, err := conn.Exec(ctx, then); err != nil {
			return err
		}
	}
	return nil
}

// keeper is Holdfast with keys and a place for copies.
type keeper struct {
	binary, copies string
	source, keys   []string // flags
}

func (b *bench) newKeeper(dir string, s *backedUp) (*keeper, error) {
	dir = filepath.Join(dir, "holdfast")
	file := func(name string) string { return filepath.Join(dir, name) }
	k := &keeper{
		binary: b.binary, copies: file("copies"),
		source: []string{"--dsn-file", file("dsn"), "--spool", file("spool")},
		keys:   []string{"--kind", "postgres", "--service", "bench", "--set", "orders", "--key-file", file("keys"), "--guard-file", file("guard")},
	}
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(k.copies, 0o700), os.WriteFile(file("dsn"), []byte(s.dsn), 0o600)); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"guard", file("guard")}, {"new", "--key-file", file("keys"), "--guard-file", file("guard")}} {
		if out, err := exec.Command(b.binary, append([]string{"backup", "keys"}, args...)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("holdfast backup keys: %w: %s", err, out)
		}
	}
	return k, nil
}

func (k *keeper) run(flag string) *exec.Cmd {
	return exec.Command(k.binary, slices.Concat([]string{"backup", "run", flag, "--json", "--to", k.copies}, k.source, k.keys)...)
}

func (k *keeper) restore(into string) *exec.Cmd {
	return exec.Command(k.binary, slices.Concat([]string{"backup", "restore", "--json", "--from", k.copies, "--into", into}, k.keys)...)
}

// copiers are Holdfast and its peers.
func (b *bench) copiers(dir string, s *backedUp) ([]copier, error) {
	ours, err := b.newKeeper(dir, s)
	if err != nil {
		return nil, err
	}
	repo, pipe := filepath.Join(filepath.Dir(s.data), "repo"), filepath.Join(filepath.Dir(s.data), "pipe")
	empty := func(path string) func() error {
		return func() error { return errors.Join(os.RemoveAll(path), s.folder(path)) }
	}
	pgbackrest := func(args ...string) *exec.Cmd {
		return s.command("pgbackrest", append([]string{"--config=" + s.config, "--stanza=bench"}, args...)...)
	}
	shell := func(script string, args ...string) *exec.Cmd {
		cmd := s.command("bash", append([]string{"-euo", "pipefail", "-c", script, "bash"}, args...)...)
		cmd.Env = append(cmd.Env, "PGPASSWORD="+backedUpPassword)
		return cmd
	}
	tool := filepath.Join(s.programs, "pg_basebackup")
	return []copier{
		{
			name: "Holdfast", clear: empty(ours.copies), stored: ours.copies, restore: ours.restore,
			back: func() *exec.Cmd { return ours.run("--full") },
		},
		{
			name: "pgBackRest", stored: filepath.Join(repo, "backup"), serve: true,
			clear: func() error { return nil }, // it keeps one, and lets go of the one before
			back:  func() *exec.Cmd { return pgbackrest("--type=full", "backup") },
			restore: func(into string) *exec.Cmd {
				return pgbackrest("--pg1-path="+into, "--type=immediate", "--target-action=promote", "restore")
			},
		},
		{
			name: "pg_basebackup, zstd, openssl", clear: empty(pipe), stored: pipe, serve: true,
			back: func() *exec.Cmd {
				return shell(`"$1" -d "$2" -D - -F tar -X fetch -c fast | zstd -q -3 -T2 | openssl enc -aes-256-ctr -pbkdf2 -pass env:PGPASSWORD >"$3"; sync "$3"`,
					tool, s.dsn, filepath.Join(pipe, "copy"))
			},
			restore: func(into string) *exec.Cmd {
				return shell(`openssl enc -d -aes-256-ctr -pbkdf2 -pass env:PGPASSWORD <"$1" | zstd -q -d | tar -x -C "$2"; chmod 700 "$2"`, filepath.Join(pipe, "copy"), into)
			},
		},
	}, nil
}
