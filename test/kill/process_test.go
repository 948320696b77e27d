package kill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/loopback"
	"holdfast/test/harness"
)

// program is a process that is started, killed and started again.
type program struct {
	t    *testing.T
	path string
	args []string
	url  string // answers 200 once it is ready
	log  harness.Log

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

func (p *program) start() {
	p.t.Helper()
	cmd := exec.Command(p.path, p.args...) // #nosec G204 -- built by this test
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
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
			p.t.Fatalf("%s ended by itself:\n%s", filepath.Base(p.path), p.log.Tail())
		case <-ctx.Done():
			p.t.Fatalf("%s never became ready:\n%s", filepath.Base(p.path), p.log.Tail())
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
