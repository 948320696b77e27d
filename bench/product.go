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
	"sync/atomic"
	"syscall"
	"time"
)

const startsWithin = 10 * time.Second

// shopKind is an upstream in a process of its own: workers at once, each of
// which takes its time. One answer in fifty comes in two parts.
type shopKind struct {
	workers int
	takes   time.Duration
	apart   time.Duration // between the two parts; 0: none is in two
	within  []string      // a command that it is to be run by
}

// shop is such an upstream that runs.
type shop struct {
	kind shopKind
	addr string
	cmd  *exec.Cmd
}

func (k shopKind) start(addr string) (*shop, error) {
	s := &shop{kind: k, addr: addr}
	return s, s.start()
}

func (s *shop) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append(append([]string{}, s.kind.within...), self, "-serve", "shop")
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = append(os.Environ(), fmt.Sprintf("BENCH_SHOP=%s %d %v %v", s.addr, s.kind.workers, s.kind.takes, s.kind.apart))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(startsWithin); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			s.kill()
			return fmt.Errorf("the shop did not start: %w", err)
		}
	}
}

func (s *shop) kill() {
	_ = s.cmd.Process.Kill() // fails only where it has ended
	_ = s.cmd.Wait()
}

// busiest is the most requests that came within any second since it was asked
// before.
func (s *shop) busiest() (int, error) {
	res, err := http.Get("http://" + s.addr + "/busiest")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var n int
	_, err = fmt.Fscan(res.Body, &n)
	return n, err
}

func serveShop() error {
	var addr, takes, apart string
	var k shopKind
	if _, err := fmt.Sscan(os.Getenv("BENCH_SHOP"), &addr, &k.workers, &takes, &apart); err != nil {
		return err
	}
	var err1, err2 error
	k.takes, err1 = time.ParseDuration(takes)
	k.apart, err2 = time.ParseDuration(apart)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	free := make(chan struct{}, k.workers)
	body := []byte(strings.Repeat("x", 200))
	var served atomic.Int64
	var seen seconds
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/busiest", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, seen.most()) })
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		seen.count(time.Now())
		_, _ = io.Copy(io.Discard, r.Body)
		free <- struct{}{}
		time.Sleep(k.takes)
		<-free
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK)
		rest := body
		if k.apart > 0 && served.Add(1)%50 == 0 {
			_, _ = w.Write(body[:100])
			_ = http.NewResponseController(w).Flush()
			time.Sleep(k.apart)
			rest = body[100:]
		}
		_, _ = w.Write(rest)
	})
	return (&http.Server{Addr: addr, ReadHeaderTimeout: time.Minute}).ListenAndServe()
}

// resident is the memory that a process has in use, in bytes.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
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
