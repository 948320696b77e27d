package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"holdfast/internal/backup"
)

var versionForm = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// program finds a program of PostgreSQL's version major.
func program(major int, name string) (string, error) {
	places := []string{
		fmt.Sprintf("/usr/lib/postgresql/%d/bin", major), fmt.Sprintf("/usr/pgsql-%d/bin", major),
		fmt.Sprintf("/opt/homebrew/opt/postgresql@%d/bin", major),
	}
	for _, dir := range places {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		out, err := exec.Command(path, "--version").Output() // #nosec G204 -- the name is fixed
		if m := versionForm.FindSubmatch(out); err == nil && m != nil && string(m[1]) == strconv.Itoa(major) {
			return path, nil
		}
	}
	return "", backup.Here(fmt.Errorf("%s of PostgreSQL %d is not installed: apt-get install postgresql-%d, or the like", name, major, major))
}

func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...) // #nosec G204 -- a program of PostgreSQL's
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
