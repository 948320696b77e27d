package secrets

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/loopback"
	"holdfast/test/harness"
)

const patience = time.Minute

// system is the system behind, or one beside it.
type system struct {
	t       *testing.T
	address string
	answer  http.HandlerFunc

	mu  sync.Mutex
	srv *http.Server
	got bytes.Buffer // every head that it was sent
}

func newSystem(t *testing.T, answer http.HandlerFunc) *system {
	t.Helper()
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, address: address, answer: answer}
	s.up()
	t.Cleanup(s.down)
	return s
}

func (s *system) up() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.srv = &http.Server{ReadHeaderTimeout: patience, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		_ = r.Header.Write(&s.got)
		s.mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		s.answer(w, r)
	})}
	go func(srv *http.Server) { _ = srv.Serve(l) }(s.srv)
}

func (s *system) down() { _ = s.srv.Close() }

func (s *system) heads() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.got.Bytes())
}

// broken listens, and answers everything with the same bytes.
func broken(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, answer)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// world is a relay among systems, and what was seen of it.
type world struct {
	t        *testing.T
	dir      string
	program  string
	env      []string
	relayAt  string
	adminAt  string
	planted  secrets
	bearer   string // the admin token
	log      harness.Log
	cmd      *exec.Cmd
	ended    chan error
	receipts []string
	client   *http.Client
}

func (w *world) file(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (w *world) start() {
	w.t.Helper()
	w.cmd = exec.Command(w.program, "relay", "--config", filepath.Join(w.dir, "relay.yaml"), "--log-level", "debug") // #nosec G204 -- built by this test
	w.cmd.Env, w.cmd.Stdout, w.cmd.Stderr = w.env, &w.log, &w.log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.ended = make(chan error, 1)
	go func(cmd *exec.Cmd) { w.ended <- cmd.Wait() }(w.cmd)
	w.until("the relay to be ready", func() bool {
		if len(w.ended) > 0 {
			w.t.Fatalf("the relay ended:\n%s", w.log.Tail())
		}
		res, err := http.Get("http://" + w.adminAt + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (w *world) stop() {
	w.t.Helper()
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-w.ended; err != nil {
		w.t.Fatalf("the relay ended with %v:\n%s", err, w.log.Tail())
	}
}

func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !done(); {
		select {
		case <-tick.C:
		case <-late:
			w.t.Fatalf("waited in vain for %s:\n%s", what, w.log.Tail())
		}
	}
}

// run runs a command, looks whether it shows what it must not, and returns what
// it said.
func (w *world) run(args ...string) string { w.t.Helper(); return w.runBut(nil, args...) }

func (w *world) runBut(may []string, args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.program, append(args, "--config", filepath.Join(w.dir, "relay.yaml"), "--person", "li.wei")...) // #nosec G204 -- built by this test
	cmd.Env = w.env
	out, _ := cmd.CombinedOutput()
	w.clean("the command "+strings.Join(args[:min(len(args), 2)], " "), out, may...)
	return string(out)
}

// clean fails where a text shows what was planted.
func (w *world) clean(what string, text []byte, may ...string) {
	w.t.Helper()
	for _, found := range w.planted.in(text, may...) {
		w.t.Errorf("%s shows %s", what, found)
	}
}

// send makes a client's request, looks at its answer and returns its status.
func (w *world) send(method, target, body string, header ...string) int {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+w.relayAt+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := w.client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 400 || res.StatusCode == http.StatusAccepted { // it is ours, not the system's
		var head bytes.Buffer
		_ = res.Header.Write(&head)
		w.clean(fmt.Sprintf("the answer %d to %s %s", res.StatusCode, method, req.URL.Path), append(head.Bytes(), text...))
	}
	if at := res.Header.Get("Location"); res.StatusCode == http.StatusAccepted && at != "" {
		w.receipts = append(w.receipts, at[strings.LastIndexByte(at, '/')+1:])
	}
	return res.StatusCode
}

// raw sends what is no request.
func (w *world) raw(text string) {
	w.t.Helper()
	c, err := net.Dial("tcp", w.relayAt)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, text)
	_ = c.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(c)
	w.clean(fmt.Sprintf("the answer to %.20q", text), answer)
}

// admin asks the admin API, with a token or without.
func (w *world) admin(token, path string) []byte {
	w.t.Helper()
	req, _ := http.NewRequest(http.MethodGet, "http://"+w.adminAt+path, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	var head bytes.Buffer
	_ = res.Header.Write(&head)
	return append(head.Bytes(), text...)
}

func jwt(secret string, claims map[string]any) string {
	payload, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, text)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func signed(secret, id, method, target, body string) string {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	sum := sha256.Sum256([]byte(body))
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, "v1\n"+method+"\n"+target+"\n"+stamp+"\n"+hex.EncodeToString(sum[:]))
	return "key=" + id + ", t=" + stamp + ", v1=" + hex.EncodeToString(mac.Sum(nil))
}
