package mysql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
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

// statements runs a client with statements on its input. Of what it says when one fails only
// the server's answer is told: the statement has rows of the backup in it.
func statements(client *exec.Cmd) error {
	p, err := child.Run(client)
	if p == nil || err == nil {
		return err
	}
	answers := answerForm.FindAllStringSubmatch(p.Said(), -1)
	if len(answers) == 0 {
		return err
	}
	last := answers[len(answers)-1]
	err = fmt.Errorf("%s: %s", filepath.Base(client.Path), last[0])
	if slices.Contains(noRoom, last[1]) {
		return backup.NoRoom(err)
	}
	return err
}

var (
	answerForm = regexp.MustCompile(`(?m)^ERROR (\d+) .*$`)
	noRoom     = []string{"1021", "1114"} // the disk, or what a table lies on, is full
)

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
