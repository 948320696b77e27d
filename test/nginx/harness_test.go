package nginx

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/loopback"
	"holdfast/test/harness"
)

const page = "../../docs/put-it-in-front.md"

// block returns the fenced block that follows a marker of the page.
func block(t *testing.T, marker string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)<!-- ` + regexp.QuoteMeta(marker) + ` -->\n` + "```[a-z]+\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatalf("%s has no block %q", page, marker)
	}
	return string(m[1])
}

// stage is nginx, the relay and the shop, on ports of their own.
type stage struct {
	t     *testing.T
	dir   string
	ports *strings.Replacer // the page's addresses to this stage's
	front string            // nginx
	admin string
	shop  *shop
	relay *exec.Cmd
}

// programs builds the relay once for all tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	dir, err = os.MkdirTemp("", "nginx-test-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	if out, err := exec.Command("go", "build", "-o", dir, "holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build holdfast: %w\n%s", err, out)
	}
	return filepath.Join(dir, "holdfast"), nil
})

// built is the folder that programs made, if it did.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

func newStage(t *testing.T, nginxBlock, relayBlock string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	addrs := freeAddresses(t, 5)
	s.front, s.admin = addrs[0], addrs[4]
	s.ports = strings.NewReplacer("127.0.0.1:8080", addrs[0], "127.0.0.1:9000", addrs[1],
		"127.0.0.1:9001", addrs[2], "127.0.0.1:9002", addrs[3])
	s.shop = &shop{addr: addrs[2], orders: map[string]int{}}
	s.shop.start(t)
	t.Cleanup(s.shop.stop)

	config := s.ports.Replace(block(t, relayBlock)) + "admin: {listen: " + s.admin + "}\n"
	write(t, filepath.Join(s.dir, "relay.yaml"), config)
	s.startRelay()
	s.startNginx(s.ports.Replace(block(t, nginxBlock)))
	return s
}

func (s *stage) startRelay() {
	s.t.Helper()
	binary, err := programs()
	if err != nil {
		s.t.Fatal(err)
	}
	s.relay = exec.Command(binary, "relay", "--config", filepath.Join(s.dir, "relay.yaml"))
	s.run(s.relay, s.ports.Replace("127.0.0.1:9000"))
}

func (s *stage) killRelay() {
	s.t.Helper()
	if err := s.relay.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.relay.Wait()
}

func (s *stage) startNginx(block string) {
	s.t.Helper()
	binary, err := lookNginx()
	if err != nil {
		s.t.Fatal(err)
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // workers must reach the test's folder
	}
	conf := user + "daemon off;\nworker_processes 1;\nerror_log stderr;\npid " + s.dir + "/nginx.pid;\n" +
		"events {}\nhttp {\naccess_log off;\n"
	for _, path := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += path + "_temp_path " + s.dir + "/" + path + ";\n"
	}
	file := filepath.Join(s.dir, "nginx.conf")
	write(s.t, file, conf+block+"}\n")
	s.run(exec.Command(binary, "-p", s.dir, "-e", "stderr", "-c", file), s.front)
}

func lookNginx() (string, error) {
	for _, path := range []string{"nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("nginx is missing; install it with: apt-get install nginx (make needs does it)")
}

// run starts a program, waits until it listens, and ends it with the test.
func (s *stage) run(cmd *exec.Cmd, addr string) {
	s.t.Helper()
	var output harness.Log
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", filepath.Base(cmd.Path), output.String())
		}
	})
	s.eventually("listening on "+addr, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// eventually waits for what another process does, which no channel can tell.
func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			s.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// order sends an order through nginx, from a loopback address of its own if
// one is given, and returns status, Location and body.
func (s *stage) order(no, from string) (int, string, string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"order_no":%q}`, no)
	request, err := http.NewRequest(http.MethodPost, "http://"+s.front+"/api/orders", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", "key-"+no)
	dialer := &net.Dialer{}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatalf("order %s: %v", no, err)
	}
	return s.answer(response)
}

func (s *stage) get(path string) (int, string, string) {
	s.t.Helper()
	response, err := http.Get("http://" + s.front + path)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.answer(response)
}

func (s *stage) answer(response *http.Response) (int, string, string) {
	s.t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Location"), string(body)
}

// state asks for a receipt through nginx.
func (s *stage) state(location string) string {
	s.t.Helper()
	_, _, body := s.get(location)
	var receipt struct{ State string }
	if err := json.Unmarshal([]byte(body), &receipt); err != nil {
		s.t.Fatalf("receipt %s: %s", location, body)
	}
	return receipt.State
}

// shop counts how often each order arrives, and can be stopped and started.
type shop struct {
	addr   string
	mu     sync.Mutex
	orders map[string]int
	server *http.Server
	done   chan struct{}
}

func (s *shop) start(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.server, s.done = &http.Server{Handler: s}, make(chan struct{})
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // ends with stop
	}()
}

func (s *shop) stop() {
	_ = s.server.Close() // all connections are cut, as by a crash
	<-s.done
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var order struct {
		No string `json:"order_no"`
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.orders[order.No]++
		s.mu.Unlock()
		w.WriteHeader(http.StatusCreated)
	}
	fmt.Fprintln(w, `{}`)
}

func (s *shop) times(no string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.orders[no]
}

func freeAddresses(t *testing.T, n int) []string {
	t.Helper()
	addrs, err := loopback.Addresses(n)
	if err != nil {
		t.Fatal(err)
	}
	return addrs
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
