// Package mariatest gives tests real MariaDB databases, on a private server
// started from the distribution's packages: in a folder of its own, on a Unix
// socket only, with a binary log. The tests of a package share one server. Where the packages are
// missing the test fails and says how to install them.
//
//	func TestMain(m *testing.M) { os.Exit(mariatest.Main(m.Run)) }
//
//	func TestSomething(t *testing.T) { dsn := mariatest.Database(t) ... }
package mariatest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// User may do everything in the databases that Database makes; Password is its
// password.
const (
	User     = "holdfast_test"
	Password = "only-for-tests-3f9c"
)

type server struct {
	dir   string
	cmd   *exec.Cmd
	ended chan struct{}
	log   bytes.Buffer // read once it has ended
}

var shared struct {
	sync.Mutex
	server *server
	err    error
	number int
}

// Main runs a package's tests and ends the server that they shared.
func Main(run func() int) int {
	defer func() {
		if shared.server != nil {
			shared.server.stop()
		}
	}()
	return run()
}

// Database makes an empty database for one test and returns its DSN.
func Database(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start()
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.number++
	name := fmt.Sprintf("test_%d", shared.number)
	Exec(t, shared.server.dsn(""), "CREATE DATABASE "+name)
	return shared.server.dsn(name)
}

// Exec runs one statement.
func Exec(t testing.TB, dsn, statement string) {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%v\n%s", err, statement)
	}
}

var errMissing = errors.New("MariaDB is not installed; run: apt-get install -y mariadb-server")

func start() (s *server, err error) {
	const daemon, install = "/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db"
	for _, program := range []string{daemon, install} {
		if _, err := os.Stat(program); err != nil {
			return nil, errMissing
		}
	}
	// Not the test's own folder: a socket's path must be short.
	dir, err := os.MkdirTemp("", "mariatest")
	if err != nil {
		return nil, err
	}
	s = &server{dir: dir, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	made := exec.Command(install, "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir="+data, "--user="+who.Username) // #nosec G204 -- the distribution's program
	if out, err := made.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	boot := filepath.Join(dir, "boot.sql")
	grant := fmt.Sprintf("CREATE USER '%s'@'localhost' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO '%[1]s'@'localhost';\nDROP USER IF EXISTS ''@'localhost';\n", User, Password)
	if err := os.WriteFile(boot, []byte(grant), 0o600); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(daemon, "--no-defaults", "--datadir="+data, "--socket="+s.socket(), "--skip-networking", // #nosec G204 -- as above
		"--user="+who.Username, "--init-file="+boot, "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
		"--pid-file="+filepath.Join(dir, "pid"), "--character-set-server=utf8mb4",
		"--log-bin="+filepath.Join(dir, "bin"), "--binlog-format=ROW", "--server-id=7") // so that it can be followed
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// On Linux a child dies with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // the log tells
			close(s.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := s.wait(); err != nil {
		s.stop()
		return nil, fmt.Errorf("%w\n%s", err, &s.log)
	}
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only where it has ended
	<-s.ended
	_ = os.RemoveAll(s.dir)
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

func (s *server) dsn(database string) string {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = User, Password, "unix", s.socket(), database
	c.Logger = &mysql.NopLogger{}
	return c.FormatDSN()
}

// wait returns once the server lets clients in.
func (s *server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("mysql", s.dsn(""))
	if err != nil {
		return err
	}
	defer db.Close()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		if err := db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("mariadb does not answer")
		case <-s.ended:
			return errors.New("mariadb ended")
		case <-retry.C:
		}
	}
}
