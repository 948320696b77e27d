package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup"
)

// program finds one by its names, the first that is installed.
func program(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		if path := filepath.Join("/usr/sbin", name); isFile(path) {
			return path, nil
		}
	}
	return "", backup.Here(fmt.Errorf("%s is not installed", names[0]))
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// tail keeps the end of what a program says.
type tail struct {
	sync.Mutex
	b []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.Lock()
	defer t.Unlock()
	t.b = append(t.b, b...)
	if n := len(t.b) - 2000; n > 0 {
		t.b = t.b[n:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.Lock()
	defer t.Unlock()
	return string(bytes.TrimSpace(t.b))
}

// child is a program that runs.
type child struct {
	cmd   *exec.Cmd
	said  *tail
	ended chan struct{}
	err   error // once it has ended
}

// launch starts a program that ends with us.
func launch(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, said: &tail{}, ended: make(chan struct{})}
	cmd.Stderr = c.said
	tie(cmd)
	started := make(chan error)
	go func() {
		// On Linux a child dies with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.ended)
		}
	}()
	return c, <-started
}

// wait returns once it has ended, with what it said.
func (c *child) wait() error {
	<-c.ended
	if c.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", filepath.Base(c.cmd.Path), c.err, c.said)
}

// kill ends it.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // fails only where it has ended
	<-c.ended
}

func (c *child) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// credentials writes how to reach the server where only we may read it: an argument or a
// variable would be seen by others.
func credentials(path string, c *client.Config) error {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	var b strings.Builder
	put := func(key, value string) { fmt.Fprintf(&b, "%s=\"%s\"\n", key, quote.Replace(value)) }
	b.WriteString("[client]\n")
	put("user", c.User)
	put("password", c.Passwd)
	switch c.Net {
	case "unix":
		put("socket", c.Addr)
		put("protocol", "socket")
	case "tcp":
		host, port, found := cutLast(c.Addr)
		if !found {
			return errors.New("the server's address has no port")
		}
		put("host", host)
		put("port", port)
		put("protocol", "tcp")
	default:
		return fmt.Errorf("a server can't be reached by %s", c.Net)
	}
	switch c.TLSConfig {
	case "", "false", "preferred":
	case "skip-verify":
		b.WriteString("ssl\n")
	default:
		b.WriteString("ssl\nssl-verify-server-cert\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

func cutLast(addr string) (host, port string, found bool) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return addr, "", false
	}
	return strings.Trim(addr[:i], "[]"), addr[i+1:], true
}

// command makes one of a program that is found by its names.
func command(ctx context.Context, names []string, args ...string) (*exec.Cmd, error) {
	path, err := program(names...)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...) // #nosec G204 -- the distribution's program
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C.UTF-8", "HOME=/nonexistent"}
	return cmd, nil
}
