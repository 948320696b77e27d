//go:build linux

package terminal

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
)

// pair opens a terminal of this user: what is written to its path is read from it.
func pair(t *testing.T) (*os.File, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd()) // #nosec G115 -- a descriptor
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/dev/pts/%d", n)
	if err := os.Chmod(path, 0o620); err != nil { // #nosec G302 -- as mesg y has it
		t.Fatal(err)
	}
	return master, path
}

func channelTo(t *testing.T, set Settings, terminals ...string) notify.Channel {
	t.Helper()
	return &channel{set, notifytest.Tools(t, nil), func() []string { return terminals }}
}

func TestTerminalsShowTheMessage(t *testing.T) {
	master, path := pair(t)
	m := notifytest.Message()
	m.Text += "\x1b[2Jred\u202eherring\n"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	sent, err := channelTo(t, Settings{}, file, "/dev/pts/none", path).Send(t.Context(), m)
	if err != nil || !sent.Arrived || sent.Fraction != 1 {
		t.Fatalf("%+v, %v", sent, err)
	}
	got := ""
	for b := make([]byte, 4096); !strings.Contains(got, "***\r\n\a") && !strings.Contains(got, "***\r\r\n\a"); {
		n, err := master.Read(b)
		if err != nil {
			t.Fatal(got, err)
		}
		got += string(b[:n])
	}
	for _, want := range []string{m.Subject, "请用备用邮箱。", m.Link, "[2Jredherring"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("%q steers the terminal", got)
	}
}

func TestWhoWantsNoMessagesGetsNone(t *testing.T) {
	_, path := pair(t)
	_, err := channelTo(t, Settings{Users: []string{"nobody-of-this-name"}}, path).Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailAddress {
		t.Errorf("another's terminal: %+v", *got)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = channelTo(t, Settings{}, path).Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailAddress {
		t.Errorf("mesg n: %+v", *got)
	}
}

func TestAFileGetsOneMessageAfterAnother(t *testing.T) {
	file := filepath.Join(t.TempDir(), "board")
	c, err := Kind.Open(&Settings{File: file}, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if sent, err := c.Send(t.Context(), notifytest.Message()); err != nil || !sent.Arrived {
			t.Fatal(sent, err)
		}
	}
	text, err := os.ReadFile(file) // #nosec G304 -- of the test
	if err != nil || strings.Count(string(text), "\n请用备用邮箱。\n") != 2 || strings.ContainsAny(string(text), "\r\a") {
		t.Errorf("%q, %v", text, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	m := notifytest.Message()
	m.Subject = "Call 8826"
	m.Text = m.Subject
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(file); err != nil || strings.Count(string(text), "Call 8826") != 1 { // #nosec G304 -- of the test
		t.Errorf("%q, %v", text, err)
	}
	c, err = Kind.Open(&Settings{File: filepath.Join(file, "below")}, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailUnreachable || !got.Retry {
		t.Errorf("%+v", *got)
	}
}
