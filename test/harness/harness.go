// Package harness builds the module's programs for tests that run them as
// processes, and keeps what they say.
package harness

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
)

// Build compiles a package of this module, "holdfast/cmd/holdfast" for one, into dir,
// with more flags for go build, and returns the program's path.
func Build(t *testing.T, dir, pkg string, flags ...string) string {
	t.Helper()
	out := filepath.Join(dir, filepath.Base(pkg))
	build := exec.Command("go", append(append([]string{"build", "-o", out}, flags...), pkg)...) // #nosec G204 -- tests name their packages
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
	return out
}

// Abreast has so many tests go on at the same time for each core, unless somebody says
// how many: for tests most of whose time is waiting. Call it before tests run.
func Abreast(each int) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "test.parallel" })
	if !said {
		_ = flag.Set("test.parallel", strconv.Itoa(each*runtime.GOMAXPROCS(0))) // it is a number
	}
}

// Log keeps what a process writes. It may be read meanwhile.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Tail is the end of it, for messages.
func (l *Log) Tail() string {
	text := l.String()
	return text[max(0, len(text)-4000):]
}
