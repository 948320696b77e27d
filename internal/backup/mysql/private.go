package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"syscall"
	"time"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup/child"
)

const longestSocket = 100 // what systems take is a little more

// private is a server of our own, in a folder of its own.
type private struct {
	*child.Process
	socket string
	apart  string // a folder for the socket where the path of the server's is too long
}

var errEnded = errors.New("the private server ended")

// start makes an empty server in a folder, or starts the one that is there. Nobody but us
// gets into the folder, so its administrator has no password.
func start(ctx context.Context, dir string, more ...string) (p *private, err error) {
	who, err := user.Current()
	if err != nil {
		return nil, err
	}
	data, tmp := filepath.Join(dir, "data"), filepath.Join(dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil { // servers that share one remove each other's files
		return nil, err
	}
	if _, err := os.Stat(data); err != nil {
		install, err := command(ctx, []string{"mariadb-install-db", "mysql_install_db"}, "--no-defaults", "--auth-root-authentication-method=normal",
			"--skip-test-db", "--datadir="+data, "--user="+who.Username)
		if err != nil {
			return nil, err
		}
		install.Env = append(install.Env, "TMPDIR="+tmp)
		if _, err := child.Run(install); err != nil {
			return nil, err
		}
	}
	// It lies where nobody else gets: the server lets everybody write to it, and knows no
	// password. Of the folder itself that may not be so: it can be one that was there.
	p = &private{socket: filepath.Join(tmp, "s")}
	if len(p.socket) > longestSocket {
		if p.apart, err = os.MkdirTemp("", "hf"); err != nil {
			return nil, err
		}
		p.socket = filepath.Join(p.apart, "s")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	args := append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + p.socket, "--skip-networking", "--tmpdir=" + tmp, "--user=" + who.Username,
		"--pid-file=" + filepath.Join(dir, "pid"), "--character-set-server=utf8mb4", "--skip-log-bin", "--event-scheduler=OFF", "--skip-slave-start",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M", "--max-allowed-packet=1G", "--key-buffer-size=1M"}, more...)
	cmd, err := command(context.WithoutCancel(ctx), []string{"mariadbd", "mysqld"}, args...)
	if err != nil {
		return p, err
	}
	if p.Process, err = child.Start(cmd); err != nil {
		return p, err
	}
	return p, p.ready(ctx)
}

func (p *private) config(database string) *client.Config {
	c := client.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", p.socket, database
	return c
}

// ready returns once it lets clients in.
func (p *private) ready(ctx context.Context) error {
	db, err := connect(p.config(""))
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
			return ctx.Err()
		case <-p.Done():
			return fmt.Errorf("%w: %w", errEnded, p.Reason())
		case <-retry.C:
		}
	}
}

// Close ends the server.
func (p *private) Close() error {
	if p.Process != nil && p.Running() {
		p.Stop(syscall.SIGTERM, 30*time.Second)
	}
	if p.apart != "" {
		return os.RemoveAll(p.apart)
	}
	return nil
}

func execute(ctx context.Context, db *sql.DB, statement string) error {
	_, err := db.ExecContext(ctx, statement)
	return err
}
