package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/relay"
)

// A stream flows as it comes, and ends with its client; one that breaks off is
// no whole answer.
func TestTransportStreams(t *testing.T) {
	more, gone := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first ")
		_ = http.NewResponseController(w).Flush()
		switch r.URL.Path {
		case "/orders/cut":
			panic(http.ErrAbortHandler)
		case "/orders/long":
			<-r.Context().Done()
			close(gone)
			return
		}
		<-more
		fmt.Fprint(w, "second")
	}))
	t.Cleanup(upstream.Close)
	r, done := open(upstream.URL)
	t.Cleanup(done)
	client := &http.Client{Transport: r.Transport()}
	get := func(path string) *http.Response {
		t.Helper()
		resp, err := client.Get("http://shop.example/orders/" + path)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}

	resp := get("whole")
	part := make([]byte, 6)
	if _, err := io.ReadFull(resp.Body, part); err != nil || string(part) != "first " {
		t.Fatalf("%q %v", part, err)
	}
	close(more)
	rest, err := io.ReadAll(resp.Body)
	if err != nil || string(rest) != "second" {
		t.Errorf("%q %v", rest, err)
	}
	if resp.Body.Close() != nil {
		t.Error("close")
	}

	resp = get("cut")
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("a cut answer passed for a whole one: %q", text)
	}

	resp = get("long")
	if _, err := io.ReadFull(resp.Body, part); err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	<-gone // or the test times out

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shop.example/orders/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	bad := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(bad, []byte("routes: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := relay.Open(t.Context(), relay.Options{Config: bad, Logger: quiet}); relay.Code(err) != "config" {
		t.Errorf("%v", err)
	}
	r, done := open("http://127.0.0.1:1")
	t.Cleanup(done)
	if err := r.Hold(relay.Setting{Route: "nothing", Person: "li.wei", Why: "test"}); relay.Code(err) != "no-route" {
		t.Errorf("%v", err)
	}
	if err := r.Hold(relay.Setting{Route: "orders", Person: "li.wei", Why: "test"}); err != nil {
		t.Error(err)
	}
	if err := r.Auto(relay.Setting{Route: "orders", Person: "li.wei", Why: "test"}); err != nil {
		t.Error(err)
	}
	if r.AdminAddr() == "" {
		t.Error("no address of the admin API")
	}
}

// What was acknowledged is there when the relay is opened again.
func TestKeptOverCloseAndOpen(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "relay.yaml")
	text := `listen: 127.0.0.1:9000
admin: {listen: "127.0.0.1:0"}
journal: {segment: 1MiB, size: 64MiB}
routes:
  - {id: orders, upstream: "http://127.0.0.1:1", key: json:/customer, idempotency: {by: natural}, caller: public, hold: {state: on, bytes: 16MiB}, answer: {status: 202}}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		r, err := relay.Open(t.Context(), relay.Options{Config: config, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		routes, err := r.Routes(t.Context())
		if err != nil || routes[0].Pending != int64(n) {
			t.Errorf("%+v %v", routes, err)
		}
		resp, err := (&http.Client{Transport: r.Transport()}).Post("http://shop/", "application/json", strings.NewReader(`{"customer":"li"}`))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%v %v", resp, err)
		}
		_ = resp.Body.Close()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
