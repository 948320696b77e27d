package kill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/loopback"
)

// program is a process that is started, killed and started again.
type program struct {
	t    *testing.T
	path string
	args []string
	url  string // answers 200 once it is ready
	log  *lockedBuffer

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.b.String()
	return s[max(0, len(s)-4000):]
}

func (p *program) start() {
	p.t.Helper()
	cmd := exec.Command(p.path, p.args...) // #nosec G204 -- built by this test
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
}

// ready waits until the program answers.
func (p *program) ready(ctx context.Context) {
	p.t.Helper()
	for {
		res, err := http.Get(p.url) // #nosec G107 -- on loopback
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-p.done:
			p.t.Fatalf("%s ended by itself:\n%s", filepath.Base(p.path), p.log.tail())
		case <-ctx.Done():
			p.t.Fatalf("%s never became ready:\n%s", filepath.Base(p.path), p.log.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *program) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s)
		<-p.done
		p.cmd = nil
	}
}

// send sends a signal that does not end the program.
func (p *program) send(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // fails only where it has ended
}

func freePort(t *testing.T) string {
	t.Helper()
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// build compiles a program of this module.
func build(t *testing.T, dir, pkg string) string {
	t.Helper()
	out := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", out, pkg) // #nosec G204 -- constant packages
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, text)
	}
	return out
}

// books are a route's counters as the relay tells them.
type books struct {
	Accepted            int64 `json:"accepted"`
	DeliveredAtOnce     int64 `json:"delivered_at_once"`
	DeliveredAfterDoubt int64 `json:"delivered_after_doubt"`
	Refused             int64 `json:"refused"`
	Dead                int64 `json:"dead"`
	Discarded           int64 `json:"discarded"`
	Queued              int64 `json:"queued"`
	Attempting          int64 `json:"attempting"`
	InDoubt             int64 `json:"in_doubt"`
	Parked              int64 `json:"parked"`
}

func (b books) pending() int64 { return b.Queued + b.Attempting + b.InDoubt + b.Parked }

func (b books) balanced() bool {
	return b.Accepted == b.DeliveredAtOnce+b.DeliveredAfterDoubt+b.Refused+b.Dead+b.Discarded+b.pending()
}

// status asks the relay's command line for the route's books.
func status(ctx context.Context, holdfast, dir string) (books, error) {
	cmd := exec.CommandContext(ctx, holdfast, "status", "--json", "--dir", dir) // #nosec G204 -- built by this test
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return books{}, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var answer struct {
		Routes []struct {
			ID       string `json:"id"`
			Counters books  `json:"counters"`
		} `json:"routes"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return books{}, fmt.Errorf("%w in %s", err, out)
	}
	for _, r := range answer.Routes {
		if r.ID == "orders" {
			return r.Counters, nil
		}
	}
	return books{}, fmt.Errorf("no route orders in %s", out)
}
