// Package pgtest gives tests real PostgreSQL databases, in a private cluster
// started from the distribution's packages: in a folder of its own, on a Unix
// socket only, with one superuser. The tests of a package share one cluster.
// Where the packages are missing, root installs them; others are told how to.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) { dsn := pgtest.Database(t) ... }
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is the cluster's superuser, Password its password; connections over the
// socket ask for it.
const (
	User     = "holdfast_test"
	Password = "only-for-tests-3f9c"
)

const port = "5432" // names the socket; nothing listens on TCP

// cluster is a running cluster.
type cluster struct {
	socket string
	run    func() *exec.Cmd // the server, to be started
	server *exec.Cmd
	ended  chan struct{}
	log    bytes.Buffer // the server's; read once it has ended
}

var shared struct {
	sync.Mutex
	cluster *cluster
	err     error
	number  int
}

// Main runs a package's tests and ends the cluster that they shared.
func Main(m *testing.M) int {
	defer func() {
		if shared.cluster != nil {
			shared.cluster.stop()
		}
	}()
	return m.Run()
}

// Database makes an empty database for one test and returns its DSN.
func Database(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = start()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.number++
	name := fmt.Sprintf("test_%d", shared.number)
	Exec(t, shared.cluster.dsn("postgres"), "CREATE DATABASE "+name)
	return shared.cluster.dsn(name)
}

// Exec runs statements.
func Exec(t testing.TB, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, statements)
	}
}

func start(settings ...string) (c *cluster, err error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	who, err := serverUser()
	if err != nil {
		return nil, err
	}
	// Not the test's own folder: a socket's path must be short, and the server's
	// user must get there.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	c = &cluster{socket: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(Password), 0o600); err != nil {
		return nil, err
	}
	if who != nil {
		if err := errors.Join(os.Chown(dir, int(who.Uid), int(who.Gid)), os.Chown(secret, int(who.Uid), int(who.Gid))); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	initdb := command(who, dir, filepath.Join(bin, "initdb"), "-D", data, "-U", User, "--pwfile", secret,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	c.run = func() *exec.Cmd {
		args := []string{"-D", data, "-k", dir, "-p", port, "-c", "listen_addresses=", "-c", "fsync=off",
			"-c", "max_connections=150", "-c", "shared_buffers=16MB"}
		for _, setting := range settings {
			args = append(args, "-c", setting)
		}
		return command(who, dir, filepath.Join(bin, "postgres"), args...)
	}
	if err := c.serve(); err != nil {
		return nil, err
	}
	return c, nil
}

// serve starts the server and returns once it lets clients in.
func (c *cluster) serve() error {
	c.server, c.ended = c.run(), make(chan struct{})
	c.server.Stdout, c.server.Stderr = &c.log, &c.log
	started := make(chan error)
	go func(server *exec.Cmd, ended chan struct{}) {
		// On Linux a child dies with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := server.Start()
		started <- err
		if err == nil {
			_ = server.Wait() // the log tells
			close(ended)
		}
	}(c.server, c.ended)
	if err := <-started; err != nil {
		return err
	}
	if err := c.wait(); err != nil {
		c.end()
		return fmt.Errorf("%w\n%s", err, &c.log)
	}
	return nil
}

// Kill ends the server of all databases at once, as kill -9 does; again starts it
// on the same data.
func Kill(t testing.TB) (again func()) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	c := shared.cluster
	if c == nil {
		t.Fatal("no server runs: make a database first")
	}
	if err := c.server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	return func() {
		t.Helper()
		// The processes of the old one's clients see that it is gone, and end.
		for tries := 0; ; tries++ {
			err := c.serve()
			if err == nil {
				return
			}
			if tries == 50 {
				t.Fatal(err)
			}
			<-time.After(100 * time.Millisecond)
		}
	}
}

func (c *cluster) stop() {
	c.end()
	_ = os.RemoveAll(c.socket)
}

func (c *cluster) end() {
	_ = c.server.Process.Signal(syscall.SIGINT) // a fast shutdown; fails only where it has ended
	<-c.ended
}

// wait returns once the cluster lets clients in.
func (c *cluster) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-c.ended:
			return errors.New("postgres ended")
		case <-retry.C:
		}
	}
}

func (c *cluster) dsn(database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(User, Password), Path: "/" + database,
		RawQuery: url.Values{"host": {c.socket}, "port": {port}, "sslmode": {"disable"}}.Encode(),
	}).String()
}

var errMissing = errors.New("PostgreSQL is not installed; run: apt-get install -y postgresql")

// programs finds the newest server's folder.
func programs() (string, error) {
	found := installed()
	if len(found) == 0 && os.Getuid() == 0 {
		if err := install(); err != nil {
			return "", errors.Join(errMissing, err)
		}
		found = installed()
	}
	if len(found) == 0 {
		return "", errMissing
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // others sort first
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func installed() []string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well-formed
	return found
}

// install takes the packages from Debian, waiting for others that do so. The
// lists of packages are fetched only where those at hand don't do.
func install() error {
	aptGet := func(args ...string) error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300", "-q"}, args...)...) // #nosec G204 -- fixed words
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
		return nil
	}
	packages := []string{"install", "-y", "--no-upgrade", "--no-install-recommends", "postgresql"}
	if aptGet(packages...) == nil {
		return nil
	}
	if err := aptGet("update"); err != nil {
		return err
	}
	return aptGet(packages...)
}

// serverUser is who the server runs as where the test is root, as which it
// refuses to run; nil otherwise.
func serverUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if errors.Join(err1, err2) == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}

func command(who *syscall.Credential, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...) // #nosec G204 -- the distribution's program
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGKILL}
	return cmd
}
