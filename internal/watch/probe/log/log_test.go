package log_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/logs"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/log"
)

// file is a log that a probe looks at.
type file struct {
	*testing.T
	path  string
	set   *logs.Set
	probe probe.Probe
}

func newFile(t *testing.T, l probe.Log) *file {
	t.Helper()
	dir := t.TempDir()
	f := &file{T: t, path: filepath.Join(dir, "app.log"), set: logs.NewSet(t.TempDir(), dir)}
	t.Cleanup(f.set.Close)
	f.write("old line\n")
	var err error
	if f.probe, err = log.New(probe.Spec{ID: "shop/log", Target: f.path, Log: l}, &probe.Tools{Node: "here", Logs: f.set}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *file) write(text string) {
	f.Helper()
	w, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = w.WriteString(text)
	}
	if err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
}

// until looks until a state comes.
func (f *file) until(state continuity.CheckState, code string) continuity.CheckResult {
	f.Helper()
	late := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r := f.probe.Run(f.Context())
		if r.State == state && r.Reason.Code == code {
			for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
				if text := watch.Say(lang, r.Reason); strings.Contains(text, "<no value>") || strings.HasPrefix(text, "watch.") {
					f.Errorf("%q", text)
				}
			}
			return r
		}
		select {
		case <-tick.C:
		case <-late:
			f.Fatalf("%s %+v %v, not %s %s", r.State, r.Reason, r.Values, state, code)
		}
	}
}

func TestPattern(t *testing.T) {
	f := newFile(t, probe.Log{Pattern: regexp.MustCompile("ERROR"), Rate: 0.02})
	if r := f.probe.Run(t.Context()); r.State == continuity.CheckUp && r.Values["lines_total"] > 0 {
		t.Errorf("old lines count: %+v", r)
	}
	f.until(continuity.CheckUnknown, "watch.log-no-line")
	f.write("ERROR one\nINFO\n") // one a minute may
	f.write("INFO next\n")
	for r := f.until(continuity.CheckUp, ""); r.Values["lines_total"] < 2; r = f.until(continuity.CheckUp, "") {
	}
	f.write("ERROR two\nERROR three\n")
	r := f.until(continuity.CheckDown, "watch.log-pattern")
	if r.Values["matched_total"] < 2 || r.Values["matched_rate"] <= 0.02 {
		t.Errorf("%+v", r)
	}
}

func TestAnyMatchIsTooManyWithoutARate(t *testing.T) {
	f := newFile(t, probe.Log{Pattern: regexp.MustCompile("FATAL")})
	f.until(continuity.CheckUnknown, "watch.log-no-line")
	f.write("FATAL\n")
	f.until(continuity.CheckDown, "watch.log-pattern")
}

func TestUnusual(t *testing.T) {
	for unusual, code := range map[string]string{probe.Unseen: "watch.log-new", probe.Seldom: "watch.log-rare"} {
		f := newFile(t, probe.Log{Unusual: unusual})
		f.until(continuity.CheckUnknown, "watch.log-no-line")
		f.write("pool of gateway 7 is exhausted\n")
		f.until(continuity.CheckDegraded, code)
	}
	f := newFile(t, probe.Log{Unusual: probe.Unseen, Learn: time.Hour})
	f.until(continuity.CheckUnknown, "watch.log-learns")
	f.write("pool of gateway 7 is exhausted\n")
	f.until(continuity.CheckUnknown, "watch.log-learns")
}

func TestNothingIsLearntFromNothing(t *testing.T) {
	f := newFile(t, probe.Log{Pattern: regexp.MustCompile("x"), Quiet: 50 * time.Millisecond})
	f.until(continuity.CheckUnknown, "watch.log-no-line")
	f.write("a\nb\nc\n")
	f.until(continuity.CheckUnknown, "watch.log-quiet")
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	f.until(continuity.CheckUnknown, "watch.log-none")
}

func TestFoldersThatAreNotRead(t *testing.T) {
	set := logs.NewSet("", "/var/log")
	defer set.Close()
	p, err := log.New(probe.Spec{ID: "a", Target: "/etc/passwd", Log: probe.Log{Unusual: probe.Unseen}}, &probe.Tools{Logs: set})
	if err != nil {
		t.Fatal(err)
	}
	if r := p.Run(t.Context()); r.State != continuity.CheckUnknown || r.Reason.Code != "watch.log-refused" {
		t.Errorf("%+v", r)
	}
}

// TestLinksThatLeadOut has a link beside a log lead to a file that nobody may
// read by a plan, and another to a log of the same folder.
func TestLinksThatLeadOut(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "admin.token")
	f := newFile(t, probe.Log{Pattern: regexp.MustCompile("^s")})
	dir := filepath.Dir(f.path)
	for _, err := range []error{
		os.WriteFile(secret, []byte("one\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "app.1"), []byte("old\n"), 0o600),
		os.Symlink(filepath.Join(dir, "app.1"), filepath.Join(dir, "current.log")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if f.probe, err = log.New(probe.Spec{ID: "shop/log", Target: filepath.Join(dir, "*.log"), Log: probe.Log{Pattern: regexp.MustCompile("^s")}}, &probe.Tools{Logs: f.set}); err != nil {
		t.Fatal(err)
	}
	f.until(continuity.CheckUnknown, "watch.log-no-line")
	if err := os.Symlink(secret, filepath.Join(dir, "x.log")); err != nil {
		t.Fatal(err)
	}
	f.until(continuity.CheckUnknown, "watch.log-refused")
	if err := os.WriteFile(secret, []byte("one\nsecret\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.write("INFO a\nINFO b\n")
	for r := f.until(continuity.CheckUnknown, "watch.log-refused"); r.Values["lines_total"] < 2; r = f.until(continuity.CheckUnknown, "watch.log-refused") {
	}
	if err := os.Remove(filepath.Join(dir, "x.log")); err != nil {
		t.Fatal(err)
	}
	if r := f.until(continuity.CheckUp, ""); r.Values["matched_total"] > 0 {
		t.Errorf("read: %v", r.Values)
	}
	path := filepath.Join(dir, "app.1")
	f.path = path
	f.write("s\nend\nend\n")
	f.until(continuity.CheckDown, "watch.log-pattern")
}

func TestBadSpecs(t *testing.T) {
	set := logs.NewSet("")
	defer set.Close()
	good := probe.Log{Pattern: regexp.MustCompile("a")}
	for _, c := range []struct {
		target string
		log    probe.Log
		set    *logs.Set
	}{{"relative.log", good, set}, {"/a[", good, set}, {"/a", probe.Log{}, set}, {"/a", good, nil}} {
		if _, err := log.New(probe.Spec{ID: "a", Target: c.target, Log: c.log}, &probe.Tools{Logs: c.set}); err == nil {
			t.Errorf("made: %+v", c)
		}
	}
}
