package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/demo/process"
)

// ErrMissing says that there is no PostgreSQL to be started.
var ErrMissing = errors.New("PostgreSQL is not installed; on Debian and Ubuntu: apt-get install -y postgresql")

// Superuser of the server.
const Superuser = "shop"

// Server is one that runs.
type Server struct {
	Address string
	Process *process.Process

	password string
}

// Start makes a cluster in a folder that is still to be made, and serves it at an
// address. Its user gets there only where all folders above let others pass.
func Start(ctx context.Context, spawner *process.Spawner, dir, address string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	who, err := account()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	s := &Server{Address: address, password: rand.Text()}
	secret, data := filepath.Join(dir, "password"), filepath.Join(dir, "data")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(secret, []byte(s.password), 0o600)); err != nil {
		return nil, err
	}
	if who != nil {
		if err := errors.Join(os.Chown(dir, int(who.Uid), int(who.Gid)), os.Chown(secret, int(who.Uid), int(who.Gid))); err != nil {
			return nil, err
		}
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", Superuser, "--pwfile", secret, // #nosec G204 -- the distribution's
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.Env = dir, append(os.Environ(), "LC_ALL=C", "HOME="+dir)
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	s.Process, err = spawner.StartAs(who, "postgres", filepath.Join(filepath.Dir(dir), "postgres.log"), filepath.Join(bin, "postgres"), "-D", data,
		"-c", "listen_addresses="+host, "-p", port, "-c", "unix_socket_directories=", "-c", "wal_level=replica", "-c", "shared_buffers=32MB")
	if err != nil {
		return nil, err
	}
	return s, s.Process.Ready(func() error { return s.exec(ctx, "SELECT 1") }, 30*time.Second)
}

// Database makes an empty database and returns its DSN.
func (s *Server) Database(ctx context.Context, name string) (string, error) {
	if err := s.exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return s.dsn(name), nil
}

func (s *Server) exec(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func (s *Server) dsn(database string) string {
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(Superuser, s.password), Host: s.Address, Path: "/" + database, RawQuery: "sslmode=disable",
	}).String()
}

// programs is the folder of the newest server.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well-formed
	if len(found) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", ErrMissing
		}
		found = []string{path}
	}
	version := func(path string) int {
		for part := range strings.SplitSeq(path, "/") {
			if n, err := strconv.Atoi(part); err == nil {
				return n
			}
		}
		return 0
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// account is who the server runs as where this is root, as which it refuses to run.
func account() (*syscall.Credential, error) {
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
