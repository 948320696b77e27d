package control

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"holdfast/internal/controlconfig"
)

// serve starts a node with settings of its own.
func serve(t *testing.T, change func(*controlconfig.Control)) *Node {
	t.Helper()
	settings, err := controlconfig.Default(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	settings.Listen = "127.0.0.1:0"
	change(&settings)
	n, err := New(Options{Config: settings, Version: "1.0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestConnectionsAreBounded opens one more than there may be: it is served as soon
// as another one ends, and not before.
func TestConnectionsAreBounded(t *testing.T) {
	n := serve(t, func(c *controlconfig.Control) { c.Conns = 2 })
	open := func() (net.Conn, func() error) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", n.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // some were
		in := bufio.NewReader(conn)
		return conn, func() error {
			if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				return err
			}
			resp, err := http.ReadResponse(in, nil)
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
			}
			return err
		}
	}
	first, askFirst := open()
	_, askSecond := open()
	if err := errors.Join(askFirst(), askSecond()); err != nil {
		t.Fatal(err)
	}
	_, askThird := open()
	answered := make(chan error, 1)
	go func() { answered <- askThird() }()
	for range 50 {
		if err := askSecond(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-answered:
		t.Error("a third connection is served beside two:", err)
	default:
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestTheWholeAPIIsDescribed holds what a node with all its engines serves to
// OpenAPI, in both languages: each operation has a scope and a text.
func TestTheWholeAPIIsDescribed(t *testing.T) {
	n := serve(t, func(*controlconfig.Control) {})
	for _, lang := range []string{"en", "zh-CN"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Addr()+"/api/v1/openapi.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", lang)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
			t.Fatal(err, closeErr)
		}
		if found := regexp.MustCompile(`"controlapi\.[^"]*"`).FindAll(text, -1); found != nil {
			t.Errorf("%s: no text for %s", lang, found)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(t.Context()); err != nil {
			t.Errorf("%s: %v", lang, err)
		}
		operations := 0
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				if operations++; op.Security == nil || op.Summary == "" {
					t.Errorf("%s: %s %s has no scope or no text", lang, method, path)
				}
			}
		}
		if operations < 30 {
			t.Errorf("only %d operations", operations)
		}
	}
}
