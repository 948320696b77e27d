package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/loopback"
)

// process is a program under test that is started as such.
type process struct {
	addr string
	cmd  *exec.Cmd
}

const startsWithin = 10 * time.Second

func launch(addr string, cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{addr: addr, cmd: cmd}
	for end := time.Now().Add(startsWithin); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return p, conn.Close()
		}
		if time.Now().After(end) {
			p.kill()
			return nil, fmt.Errorf("%s did not start: %w", filepath.Base(cmd.Path), err)
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// resident is the memory that the process has in use, in bytes.
func (p *process) resident() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(text), "VmRSS:")
	if !ok {
		return 0, errors.New("no VmRSS")
	}
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	return n << 10, err
}

// buildProduct builds the program.
func buildProduct(dir string) (string, error) {
	path := filepath.Join(dir, "holdfast")
	cmd := exec.Command("go", "build", "-C", "..", "-o", path, "./cmd/holdfast")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, text)
	}
	return path, nil
}

// startRelay starts the program in a folder of its own, with one route to shop.
func startRelay(program, dir, shop, more string) (*process, error) {
	dir, err := os.MkdirTemp(dir, "relay-")
	if err != nil {
		return nil, err
	}
	addr, err := loopback.Address()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "relay.yaml")
	text := fmt.Sprintf(`listen: %s
admin: {listen: "127.0.0.1:0"}
routes:
  - id: orders
    match: {path: /orders}
    upstream: http://%s
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on}
    answer: {status: 202}
    detect:
      check: {path: /healthz, every: 100ms}
%s`, addr, shop, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(program, "relay", "--config", config)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := launch(addr, cmd)
	if err != nil {
		said, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%w\n%s", err, said)
	}
	return p, nil
}

// shopKind is an upstream in a process of its own:
// workers at once, each of which takes its time.
type shopKind struct {
	workers int
	takes   time.Duration
}

func (k shopKind) start(addr string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-serve", "shop")
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("BENCH_SHOP=%s %d %v", addr, k.workers, k.takes))
	return launch(addr, cmd)
}

func serveShop() error {
	var addr, takes string
	var k shopKind
	if _, err := fmt.Sscan(os.Getenv("BENCH_SHOP"), &addr, &k.workers, &takes); err != nil {
		return err
	}
	var err error
	if k.takes, err = time.ParseDuration(takes); err != nil {
		return err
	}
	free := make(chan struct{}, k.workers)
	body := []byte(strings.Repeat("x", 200))
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		free <- struct{}{}
		time.Sleep(k.takes)
		<-free
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})
	return (&http.Server{Addr: addr, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}
