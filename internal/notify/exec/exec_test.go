//go:build unix

package exec

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
)

// program makes a channel whose program is a script; a line of it is a file of the
// folder that is returned.
func program(t *testing.T, script string, set Settings) (notify.Channel, string) {
	t.Helper()
	dir := t.TempDir()
	set.Program = filepath.Join(dir, "page")
	if err := os.WriteFile(set.Program, []byte("#!/bin/sh\ncd "+dir+"\n"+script+"\n"), 0o700); err != nil { // #nosec G306 -- it has to be run
		t.Fatal(err)
	}
	if set.Timeout == 0 {
		set.Timeout = 30 * time.Second
	}
	c, err := Kind.Open(&set, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name)) // #nosec G304 -- of the test
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAProgramGetsTheMessageAndNothingElse(t *testing.T) {
	t.Setenv("PAGER_TOKEN", "abc")
	t.Setenv("HOLDFAST_SECRET_MAIL", "hidden")
	c, dir := program(t, `cat >in; env >env; printf '%s\n' "$@" >args; pwd -P >dir; echo id-7; echo more`, Settings{Args: []string{"--loud", "$(touch x); a b"}, Env: []string{"PAGER_TOKEN", "ABSENT"}})
	m := notifytest.Message()
	sent, err := c.Send(t.Context(), m)
	if err != nil || sent.ID != "id-7" || sent.Arrived {
		t.Fatalf("%+v, %v", sent, err)
	}
	var got message
	if err := json.Unmarshal([]byte(read(t, dir, "in")), &got); err != nil || got.Text != m.Text || got.To != m.To || got.Link != m.Link || got.Key != m.Key || !got.Urgent {
		t.Errorf("%+v, %v", got, err)
	}
	if args := read(t, dir, "args"); args != "--loud\n$(touch x); a b\n" {
		t.Errorf("%q", args)
	}
	env := read(t, dir, "env")
	if !strings.Contains(env, "PAGER_TOKEN=abc\n") || !strings.Contains(env, "HOLDFAST_CHANNEL=test\n") || strings.Contains(env, "hidden") || strings.Contains(env, "ABSENT") || strings.Contains(env, m.To) || strings.Contains(env, m.Link) {
		t.Error(env)
	}
}

func TestAStatusSaysWhatHappened(t *testing.T) {
	for script, want := range map[string]notify.Failure{
		"exit 1":                {Code: notify.FailProvider, Status: 1},
		"exit 65":               {Code: notify.FailContent, Status: 65},
		"exit 67":               {Code: notify.FailAddress, Status: 67},
		"exit 75":               {Code: notify.FailUnreachable, Retry: true, Status: 75},
		"exit 77":               {Code: notify.FailRefused, Status: 77},
		"exit 78":               {Code: notify.FailSettings, Status: 78},
		"exec /not/there":       {Code: notify.FailSettings, Status: 127},
		"kill -9 $$":            {Code: notify.FailUncertain, Retry: true, Maybe: true, Status: -1},
		"echo 138 >&2; exit 75": {Code: notify.FailUnreachable, Retry: true, Status: 75},
	} {
		c, _ := program(t, script, Settings{})
		_, err := c.Send(t.Context(), notifytest.Message())
		if got := notifytest.Failed(t, err); *got != want {
			t.Errorf("%s: %+v", script, *got)
		}
	}
	c, err := Kind.Open(&Settings{Program: filepath.Join(t.TempDir(), "none"), Timeout: time.Second}, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); *got != (notify.Failure{Code: notify.FailSettings}) {
		t.Errorf("%+v", *got)
	}
}

// TestAProgramThatHangsEndsWithAllItStarted looks for the child of a program that
// ran out of time.
func TestAProgramThatHangsEndsWithAllItStarted(t *testing.T) {
	c, dir := program(t, "sleep 600 & echo $! >child; mv child pid; wait", Settings{Timeout: 2 * time.Second})
	began := time.Now()
	_, err := c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); *got != (notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}) {
		t.Errorf("%+v", *got)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Error(took)
	}
	gone(t, read(t, dir, "pid"))
}

func TestWhatAProgramLeavesBehindEnds(t *testing.T) {
	c, dir := program(t, "sleep 600 & echo $! >pid; exit 0", Settings{})
	if _, err := c.Send(t.Context(), notifytest.Message()); err != nil {
		t.Fatal(err)
	}
	gone(t, read(t, dir, "pid"))
}

// gone waits until a process has ended: whoever ends it does not wait for it.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(n), "stat")) // it may have gone
		if syscall.Kill(n, 0) != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d is left", n)
		}
	}
}

func TestOutputIsBoundedAndNotBelieved(t *testing.T) {
	for script, want := range map[string]string{
		"head -c 10000000 /dev/zero": "", "printf 'a\\033[2J\\n'": "", "echo 'two words'": "", ":": "", "exec 0<&-; echo x": "x",
	} {
		c, _ := program(t, script, Settings{})
		if sent, err := c.Send(t.Context(), notifytest.Message()); err != nil || sent.ID != want {
			t.Errorf("%s: %+v, %v", script, sent, err)
		}
	}
}
