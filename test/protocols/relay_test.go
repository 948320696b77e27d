package protocols

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "protocols-*")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "holdfast")
	build := exec.Command("go", "build", "-o", binary, "./cmd/holdfast")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s", out)
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// relay starts a relay before an upstream that reads what it gets and answers,
// and returns where it listens, in the order of the listeners. Its text gives
// the listeners.
func relay(t *testing.T, dir, listeners string) []string {
	t.Helper()
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		io.WriteString(w, strings.Repeat("fine ", 100))
	}))
	t.Cleanup(back.Close)
	file := filepath.Join(dir, "relay.yaml")
	text := listeners + "admin: {listen: \"127.0.0.1:0\"}\nroutes:\n  - id: all\n    upstream: " + back.URL + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "relay", "--config", file)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(logs)
		for lines.Scan() {
			var line struct{ Msg, Level, Listen string }
			_ = json.Unmarshal(lines.Bytes(), &line)
			if line.Msg == "relay ready" {
				ready <- line.Listen
			} else if line.Level != "INFO" {
				t.Logf("%s", lines.Bytes())
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("relay: %v", err)
		}
	})
	select {
	case listen := <-ready:
		return strings.Fields(listen)
	case <-ended:
	case <-time.After(30 * time.Second):
	}
	t.Fatal("the relay did not start")
	return nil
}
