package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
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

// child is a program that runs for us, and never without us.
type child struct {
	cmd  *exec.Cmd
	said tail
	done chan struct{}
	err  error // once done
}

// start starts a program. It ends when ctx does.
func start(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &c.said
	tie(cmd)
	started := make(chan error)
	go func() {
		// On Linux a child dies with the thread that started it, which has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

// run runs a program to its end, and says in its error what the program said.
func run(cmd *exec.Cmd) (*child, error) {
	c, err := start(cmd)
	if err != nil {
		return nil, err
	}
	<-c.done
	return c, c.failure()
}

func (c *child) failure() error {
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", filepath.Base(c.cmd.Path), c.err, c.reason())
}

// reason is what the program said; whether it is of this machine can be asked of it.
func (c *child) reason() error {
	said := errors.New(c.said.String())
	if all := c.said.all(); strings.Contains(all, syscall.ENOSPC.Error()) || strings.Contains(all, "No space left on device") {
		return noRoom{said}
	}
	for _, fault := range []string{"Permission denied", "Cannot allocate memory", "could not create shared memory", "Too many open files"} {
		if strings.Contains(c.said.all(), fault) {
			return backup.Here(said)
		}
	}
	return said
}

// noRoom is an error because of a disk that is full.
type noRoom struct{ error }

func (noRoom) Is(target error) bool { return target == syscall.ENOSPC }

// stop asks the program to end, and makes it.
func (c *child) stop(ask os.Signal, within time.Duration) {
	_ = c.cmd.Process.Signal(ask) // it may have ended just now
	select {
	case <-c.done:
	case <-time.After(within):
		_ = c.cmd.Process.Kill() // the same
		<-c.done
	}
}

func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...) // #nosec G204 -- a program of PostgreSQL's
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - 8192; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// String is the end of it, as it fits into an error.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := bytes.TrimSpace(t.text)
	if over := len(text) - 1000; over > 0 {
		text = text[over:]
	}
	return strings.ToValidUTF8(string(text), "?")
}

// all is everything of it that was kept.
func (t *tail) all() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
