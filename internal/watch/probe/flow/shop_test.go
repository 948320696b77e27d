package flow_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/yamldoc"
)

// secretWord must stand in no result.
const secretWord = "not-to-be-told-5417"

// app is a service with customers, orders and files; parts of it can be broken.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	broken map[string]int // status by function
	after  int            // an order is seen by the nth look
	looks  int
	slow   chan struct{} // orders wait for it
	taken  chan struct{} // an order is there
	orders map[string]bool
	files  map[string][]byte
	tokens map[string]bool
	heads  []http.Header
}

func newApp(t *testing.T) *app {
	t.Helper()
	a := &app{taken: make(chan struct{}, 1), broken: map[string]int{}, orders: map[string]bool{}, files: map[string][]byte{}, tokens: map[string]bool{}}
	mux := http.NewServeMux()
	handle := func(pattern, function string, do func(http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			a.mu.Lock()
			a.heads = append(a.heads, r.Header.Clone())
			status := a.broken[function]
			a.mu.Unlock()
			if status != 0 {
				http.Error(w, secretWord, status)
				return
			}
			if c, err := r.Cookie("session"); function != "login" && (err != nil || !a.has(a.tokens, c.Value) || r.Header.Get("Authorization") != "Bearer "+c.Value) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			do(w, r)
		})
	}
	handle("POST /login", "login", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ User, Password string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.User != "tester" || in.Password != secretWord {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		token := rand.Text()
		a.mu.Lock()
		a.tokens[token] = true
		a.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "session", Value: token, Path: "/"})
		_ = json.NewEncoder(w).Encode(map[string]any{"auth": map[string]string{"token": token}})
	})
	handle("POST /orders", "send", func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			No  string `json:"order_no"`
			Qty int    `json:"qty"`
		}
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.No == "" || in.Qty != 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.mu.Lock()
		a.orders[in.No] = true
		wait := a.slow
		a.mu.Unlock()
		select {
		case a.taken <- struct{}{}:
		default:
		}
		if wait != nil {
			<-wait
		}
		w.Header().Set("X-Order", in.No)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "received "+in.No)
	})
	handle("GET /orders/{no}", "read", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.looks++
		there := a.orders[r.PathValue("no")] && a.looks >= a.after
		a.mu.Unlock()
		if !there {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"order": map[string]any{"no": r.PathValue("no"), "state": "open", "lines": []int{7}}})
	})
	handle("DELETE /orders/{no}", "delete", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if !a.orders[r.PathValue("no")] {
			w.WriteHeader(http.StatusNotFound)
		}
		delete(a.orders, r.PathValue("no"))
	})
	handle("POST /files", "upload", func(w http.ResponseWriter, r *http.Request) {
		file, head, err := r.FormFile("attachment")
		if err != nil || r.FormValue("order") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		content, _ := io.ReadAll(file)
		a.mu.Lock()
		a.files[head.Filename] = content
		a.mu.Unlock()
	})
	handle("GET /files/{name}", "upload", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		_, _ = w.Write(a.files[r.PathValue("name")])
	})
	handle("DELETE /files/{name}", "delete", func(_ http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.files, r.PathValue("name"))
	})
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

func (a *app) has(set map[string]bool, key string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return set[key]
}

func (a *app) left() (orders, files int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.orders), len(a.files)
}

func (a *app) breaks(function string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken[function] = status
}

// wholeFlow logs in, orders, uploads, reads both back and takes them away.
func wholeFlow(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/order.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func tools(t *testing.T) *probe.Tools {
	t.Helper()
	rules, err := outgoing.Rules("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	return probe.NewTools("node-1", outgoing.New(outgoing.NewPolicy(rules...), nil), nil, nil)
}

func look(t *testing.T, a *app, script string, change ...func(*probe.Spec)) continuity.CheckResult {
	t.Helper()
	spec := probe.Spec{
		ID: "place-order", Kind: "flow", Script: script, Target: a.URL, User: "tester",
		Auth: func() (string, error) { return secretWord, nil },
	}
	for _, c := range change {
		c(&spec)
	}
	p, err := flow.New(spec, tools(t))
	if err != nil {
		_, problems := flow.Parse("order.yaml", []byte(script))
		t.Fatalf("%v: %s", err, told(problems))
	}
	r := p.Run(t.Context())
	out, err := json.Marshal(r)
	if err != nil || strings.Contains(string(out), secretWord) {
		t.Errorf("%s, %v", out, err)
	}
	return r
}

func told(problems []yamldoc.Problem) string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Text("en"))
	}
	return strings.Join(all, "\n")
}

func within(d time.Duration) func(*probe.Spec) {
	return func(s *probe.Spec) { s.Timeout = d }
}

func newServer(t *testing.T, reply func(http.ResponseWriter, *http.Request)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(reply))
	t.Cleanup(s.Close)
	return s
}
