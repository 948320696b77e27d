package logs_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/logs"
)

// TestMain is also the process that a test kills: it follows a file and tells
// how many lines it counted.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LOGS_FOLLOW"); dir != "" {
		follow(dir)
		return
	}
	os.Exit(m.Run())
}

func options(dir string) logs.Options {
	return logs.Options{ID: "shop/errors", Glob: filepath.Join(dir, "app.log"), Pattern: regexp.MustCompile("ERROR"), Keep: time.Minute}
}

func follow(dir string) {
	set := logs.NewSet(filepath.Join(dir, "state"), dir)
	for range time.NewTicker(20 * time.Millisecond).C {
		f, err := set.Look(options(dir), time.Minute)
		fmt.Println(f.Counts.Matched, err)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) // #nosec G304 -- the test's own
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// until looks until the figures are as wanted.
func until(t *testing.T, set *logs.Set, o logs.Options, good func(logs.Figures) bool) logs.Figures {
	t.Helper()
	late := time.After(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		f, err := set.Look(o, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if good(f) {
			return f
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%+v", f)
		}
	}
}

func TestSet(t *testing.T) {
	dir := t.TempDir()
	set := logs.NewSet(filepath.Join(dir, "state"), dir)
	o := options(dir)
	put(t, o.Glob, "ERROR old\n")
	until(t, set, o, func(f logs.Figures) bool { return !f.Running.IsZero() })
	put(t, o.Glob, "ERROR one\nINFO two\nERROR three\n")
	f := until(t, set, o, func(f logs.Figures) bool { return f.Matched == 2 })
	if f.Counts.Matched != 2 || f.Files != 1 || f.Trouble != nil || f.Pattern != "ERROR" {
		t.Errorf("%+v", f)
	}
	if all := set.All(); len(all) != 1 || all[0].ID != o.ID {
		t.Errorf("%+v", all)
	}

	o.Templates = true // another follower takes over
	put(t, o.Glob, "ERROR four\n")
	until(t, set, o, func(f logs.Figures) bool { return f.Counts.Matched == 3 })
	if templates, ok := set.Templates(o.ID); !ok || len(templates) != 1 || templates[0].Text() != "ERROR four" {
		t.Errorf("%+v, %v", templates, ok)
	}
	set.Close()
	if _, err := set.Look(o, time.Minute); err == nil {
		t.Error("it looks after it was closed")
	}

	put(t, o.Glob, "ERROR five\n") // while nobody looks
	set = logs.NewSet(filepath.Join(dir, "state"), dir)
	defer set.Close()
	until(t, set, o, func(f logs.Figures) bool { return f.Counts.Matched == 4 })
}

func TestOnlyFoldersThatAreNamed(t *testing.T) {
	for glob, good := range map[string]bool{
		"/var/log/a.log": true, "/var/log/shop/*.log": true, "/var/log/../../etc/shadow": false, "/etc/shadow": false, "/var/logs/a": false,
	} {
		set := logs.NewSet("", "/srv/logs", "/var/log/")
		_, err := set.Look(logs.Options{ID: "a", Glob: glob}, 0)
		if refused := errors.Is(err, logs.ErrFolder); refused == good {
			t.Errorf("%s: %v", glob, err)
		}
		set.Close()
	}
}

func TestNoSuchGlob(t *testing.T) {
	set := logs.NewSet("", "/")
	defer set.Close()
	if _, err := set.Look(logs.Options{ID: "a", Glob: "[x"}, 0); err == nil {
		t.Error("followed")
	}
	if _, ok := set.Templates("b"); ok {
		t.Error("templates of nobody")
	}
	f := until(t, set, logs.Options{ID: "c", Glob: filepath.Join(t.TempDir(), "none")}, func(f logs.Figures) bool { return !f.Running.IsZero() })
	if f.Files != 0 {
		t.Errorf("%+v", f)
	}
}

// TestKilled kills the process that reads, at any moment, while lines are
// written and files rotated: in the end each line counts once.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.log")
	written := 0
	write := func(n int) {
		var text strings.Builder
		for range n {
			written++
			fmt.Fprintf(&text, "ERROR %d %s\n", written, strings.Repeat("x", written%50))
		}
		put(t, path, text.String())
	}
	put(t, path, "")
	counted := -1
	for round := range 5 {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		child := exec.Command(program) // #nosec G204 -- this test
		child.Env = append(os.Environ(), "LOGS_FOLLOW="+dir)
		out, err := child.StdoutPipe()
		if err == nil {
			err = child.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		told := bufio.NewScanner(out)
		for n := 0; told.Scan(); {
			count, trouble, _ := strings.Cut(told.Text(), " ")
			if counted, err = strconv.Atoi(count); err != nil || trouble != "<nil>" {
				t.Fatalf("%q", told.Text())
			}
			if n++; n < 6 {
				write(40)
			}
			if n == 3 && round%2 == 1 {
				if err := os.Rename(path, fmt.Sprintf("%s.%d", path, round)); err != nil {
					t.Fatal(err)
				}
			}
			if round < 4 && n == 8+3*round || round == 4 && counted == written {
				break
			}
			if n > 500 {
				t.Fatalf("%d of %d", counted, written)
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
	}
	if counted != written {
		t.Errorf("%d lines of %d", counted, written)
	}
}
