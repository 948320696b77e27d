package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/demo/customers"
	"holdfast/internal/pgtest"
)

// programs builds what the demo starts, once for all tests.
var programs = sync.OnceValues(func() (dir string, err error) {
	dir, err = os.MkdirTemp("", "demo-bin-")
	if err != nil {
		return "", err
	}
	built = dir
	// Built as the tests are, so that what they compiled serves here too.
	out, err := exec.Command("go", "build", "-o", dir, "holdfast/examples/shop", "holdfast/cmd/holdfast").CombinedOutput()
	if err != nil {
		return "", &exec.Error{Name: string(out), Err: err}
	}
	return dir, nil
})

// built is the folder that programs made, if it did.
var built string

func TestMain(m *testing.M) {
	code := pgtest.Main(m)
	_ = os.RemoveAll(built)
	os.Exit(code)
}

// middleman stands between the customers and a real shop and does one wrong
// thing, once it has seen enough; what it does wrong, the books must show.
type middleman struct {
	shop string
	do   func(m *middleman, w http.ResponseWriter, r *http.Request, body []byte) bool // true: it has answered

	mu   sync.Mutex
	kept map[string]keptRequest // by path
	done bool
}

type keptRequest struct {
	request *http.Request
	body    []byte
}

func (m *middleman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if m.do != nil && r.Method != http.MethodGet && m.do(m, w, r, body) {
		return
	}
	m.forward(w, r, body, r.Header.Get("Idempotency-Key"))
}

func (m *middleman) forward(w http.ResponseWriter, r *http.Request, body []byte, key string) {
	request, err := http.NewRequest(r.Method, m.shop+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body) // a client that is gone is none of its business
}

func (m *middleman) deliver(k keptRequest) {
	m.forward(httptest.NewRecorder(), k.request, k.body, k.request.Header.Get("Idempotency-Key"))
}

// first reports, once, that the moment has come: the first change of an order.
func (m *middleman) first(r *http.Request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done || r.Method != http.MethodPut {
		return false
	}
	m.done = true
	return true
}

func TestBooksShowWhatAMiddlemanDoes(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(m *middleman, w http.ResponseWriter, r *http.Request, body []byte) bool
		bad  func(c customers.Comparison) bool
	}{
		{"passes everything", nil, nil},
		{"says 202 and forgets", func(m *middleman, w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if !m.first(r) {
				return false
			}
			w.WriteHeader(http.StatusAccepted)
			return true
		}, func(c customers.Comparison) bool { return c.Lost == 1 && c.Doubled == 0 }},
		{"sends again under another key", func(m *middleman, _ http.ResponseWriter, r *http.Request, body []byte) bool {
			if m.first(r) {
				m.forward(httptest.NewRecorder(), r, body, "another-key")
			}
			return false
		}, func(c customers.Comparison) bool { return c.Doubled == 1 && c.Lost == 0 }},
		{"sends again under the same key", func(m *middleman, _ http.ResponseWriter, r *http.Request, body []byte) bool {
			if m.first(r) {
				m.forward(httptest.NewRecorder(), r, body, r.Header.Get("Idempotency-Key"))
			}
			return false
		}, nil},
		{"lets a later request of the order go first", func(m *middleman, w http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.Method == http.MethodPost {
				return false
			}
			m.mu.Lock()
			kept, ok := m.kept[r.URL.Path]
			delete(m.kept, r.URL.Path)
			if !ok && r.Method == http.MethodPut {
				m.kept[r.URL.Path] = keptRequest{r.Clone(context.Background()), body}
				m.mu.Unlock()
				w.WriteHeader(http.StatusAccepted)
				return true
			}
			m.mu.Unlock()
			if ok && r.Method == http.MethodDelete { // after it a change would be refused
				m.deliver(kept)
			}
			m.forward(w, r, body, r.Header.Get("Idempotency-Key"))
			if ok && r.Method == http.MethodPut {
				m.deliver(kept)
			}
			return true
		}, func(c customers.Comparison) bool { return c.Reordered >= 1 && c.Lost == 0 && c.Doubled == 0 }},
		{"changes an amount", func(m *middleman, w http.ResponseWriter, r *http.Request, body []byte) bool {
			if !m.first(r) {
				return false
			}
			m.forward(w, r, []byte(strings.Replace(string(body), `"total":"`, `"total":"1`, 1)), "k")
			return true
		}, func(c customers.Comparison) bool { return c.Differing >= 1 && c.Lost == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			bin, err := programs()
			if err != nil {
				t.Fatal(err)
			}
			o := options{bin: bin, dir: t.TempDir(), customers: 5, goods: 20, seed: 42}
			w, err := newWorld(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.spawner.Close)
			if err := w.startShop(); err != nil {
				t.Fatal(err)
			}
			m := &middleman{shop: "http://" + w.shopAddr, do: c.do, kept: map[string]keptRequest{}}
			front := httptest.NewServer(m)
			defer front.Close()
			l, err := customers.NewLedger(filepath.Join(w.dir, "customers.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			clients := customers.NewClients(front.URL, time.Now(), customers.NewStream("t", o.seed, o.customers, o.goods), l)
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			if err := clients.Run(ctx, 200, 20, o.seed); err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			for _, kept := range m.kept {
				m.deliver(kept)
			}
			b, err := w.db.Read(t.Context(), "t")
			if err != nil {
				t.Fatal(err)
			}
			steps := l.Since(0)
			got := customers.Compare(steps, b)
			if len(steps) < 100 {
				t.Fatalf("only %d requests", len(steps))
			}
			if c.bad == nil && (!got.Clean() || got.Unclear > 0 || got.Sum == 0) {
				t.Errorf("books of an honest middleman do not agree: %+v", got)
			}
			if c.bad != nil && (got.Clean() || !c.bad(got)) {
				t.Errorf("the fault is not found as what it is: %+v", got)
			}
		})
	}
}
