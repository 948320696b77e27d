package flow_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/flow"
)

func expect(t *testing.T, name string, r continuity.CheckResult, state continuity.CheckState, step, code string) {
	t.Helper()
	if r.State != state || r.Reason.Step != step || r.Reason.Code != code {
		t.Errorf("%s: %s %+v, not %s %s %s", name, r.State, r.Reason, state, step, code)
	}
}

func TestWholeFlow(t *testing.T) {
	a := newApp(t)
	a.after = 3
	r := look(t, a, wholeFlow(t))
	expect(t, "well", r, continuity.CheckUp, "", "")
	for _, step := range []string{"login", "send", "read-back", "upload", "file-back"} {
		if r.Values[step+".up"] != 1 || r.Values[step+".seconds"] <= 0 {
			t.Errorf("%s: %v", step, r.Values)
		}
	}
	if r.Values["read-back.seconds"] < 0.2 {
		t.Errorf("read back before it was there: %v", r.Values)
	}
	if orders, files := a.left(); orders+files > 0 || r.Values["left_behind"] != 0 {
		t.Errorf("left: %d orders, %d files; %v", orders, files, r.Values)
	}
	for _, h := range a.heads {
		if h.Get(checkmark.Header) != "place-order" {
			t.Errorf("no mark: %v", h)
		}
	}
}

// TestPartialFailures breaks one function after another: the result tells which.
func TestPartialFailures(t *testing.T) {
	for function, c := range map[string]struct {
		state      continuity.CheckState
		step, code string
		up         map[string]float64
	}{
		"login":  {continuity.CheckDown, "login", "watch.status", map[string]float64{"login.up": 0}},
		"send":   {continuity.CheckDegraded, "send", "watch.status", map[string]float64{"login.up": 1, "send.up": 0, "upload.up": 1, "file-back.up": 1}},
		"upload": {continuity.CheckDegraded, "upload", "watch.status", map[string]float64{"login.up": 1, "send.up": 1, "read-back.up": 1, "upload.up": 0, "file-back.up": 0}},
		"delete": {continuity.CheckDegraded, "delete-order", "watch.flow-left", map[string]float64{"login.up": 1, "send.up": 1, "left_behind": 2}},
	} {
		a := newApp(t)
		a.breaks(function, http.StatusBadGateway)
		r := look(t, a, wholeFlow(t))
		expect(t, function, r, c.state, c.step, c.code)
		for name, want := range c.up {
			if got, ok := r.Values[name]; !ok || got != want {
				t.Errorf("%s: %s is %v, want %v: %v", function, name, got, want, r.Values)
			}
		}
		if _, ran := r.Values["read-back.up"]; ran && (function == "send" || function == "login") {
			t.Errorf("%s: read back what was not sent", function)
		}
		if orders, files := a.left(); function != "delete" && orders+files > 0 {
			t.Errorf("%s: left %d orders, %d files", function, orders, files)
		}
	}
}

func TestReadBackIsBounded(t *testing.T) {
	a := newApp(t)
	a.after = 1 << 30
	r := look(t, a, strings.Replace(wholeFlow(t), "for: 5s", "for: 300ms", 1))
	expect(t, "never", r, continuity.CheckDegraded, "read-back", "watch.flow-not-in-time")
	if a.looks < 2 || a.looks > 5 {
		t.Errorf("asked %d times", a.looks)
	}
}

// TestCleanupAfterTheTime has an order that is taken and never answered: it is
// taken away all the same.
func TestCleanupAfterTheTime(t *testing.T) {
	a := newApp(t)
	a.slow = make(chan struct{})
	t.Cleanup(func() { close(a.slow) })
	script := strings.Replace(wholeFlow(t), "partial: true\n  - id: read-back", "timeout: 10s\n  - id: read-back", 1)
	r := look(t, a, script, within(300*time.Millisecond))
	expect(t, "late", r, continuity.CheckDown, "send", "watch.timeout")
	if orders, _ := a.left(); orders != 0 {
		t.Errorf("%d orders left", orders)
	}
}

// TestCleanupWhenTheNodeStops ends the look while an order is on its way.
func TestCleanupWhenTheNodeStops(t *testing.T) {
	a := newApp(t)
	a.slow = make(chan struct{})
	t.Cleanup(func() { close(a.slow) })
	p, err := flow.New(probe.Spec{ID: "x", Script: wholeFlow(t), Target: a.URL, User: "tester", Auth: func() (string, error) { return secretWord, nil }}, tools(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan continuity.CheckResult)
	go func() { result <- p.Run(ctx) }()
	<-a.taken
	stop()
	expect(t, "stopped", <-result, continuity.CheckUnknown, "", "watch.ended")
	if orders, _ := a.left(); orders != 0 {
		t.Errorf("%d orders left", orders)
	}
}

func TestWhatIsNotLearntIsUnknown(t *testing.T) {
	a := newApp(t)
	expect(t, "secret", look(t, a, wholeFlow(t), func(s *probe.Spec) { s.Auth = func() (string, error) { return "", errors.New(secretWord) } }), continuity.CheckUnknown, "", "watch.no-secret")
	expect(t, "not let out", look(t, a, wholeFlow(t), func(s *probe.Spec) { s.Target = "http://10.1.2.3:1" }), continuity.CheckUnknown, "login", "watch.not-let-out")
}

func TestLoginRefused(t *testing.T) {
	a := newApp(t)
	r := look(t, a, wholeFlow(t), func(s *probe.Spec) { s.User = "stranger" })
	expect(t, "stranger", r, continuity.CheckDown, "login", "watch.status")
}

const simple = `schema: holdfast/flow@1
id: simple
base: http://127.0.0.1:1
steps:
  - id: get
    url: /
`

func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		step  string
		reply func(http.ResponseWriter, *http.Request)
		state continuity.CheckState
		code  string
	}{
		"redirect within": {"", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/next", http.StatusFound)
			}
		}, continuity.CheckUp, ""},
		"redirect away": {"", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.2/", http.StatusFound)
		}, continuity.CheckDown, "watch.status"},
		"unsaved": {"    save: {a: /a}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"b":1}`)) }, continuity.CheckDown, "watch.flow-unsaved"},
		"saved with a line": {"    save: {a: /a}\n", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"a":"x\ny"}`))
		}, continuity.CheckDown, "watch.flow-unsaved"},
		"no json":          {"    expect: {json: /a}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`a`)) }, continuity.CheckDown, "watch.no-json"},
		"two values":       {"    expect: {json: /a}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}{}`)) }, continuity.CheckDown, "watch.no-json"},
		"json lacks":       {"    expect: {json: /a}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }, continuity.CheckDown, "watch.json-lacks"},
		"json other":       {"    expect: {json: [{at: /a, is: b}]}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":"c"}`)) }, continuity.CheckDown, "watch.json-value"},
		"json too small":   {"    expect: {json: [{at: /a, at_least: 2}]}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"a":1}`)) }, continuity.CheckDown, "watch.json-value"},
		"body has":         {"    expect: {not: oops}\n", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`oops`)) }, continuity.CheckDown, "watch.body-has"},
		"header":           {"    expect: {header: {X-A: b}}\n", func(http.ResponseWriter, *http.Request) {}, continuity.CheckDown, "watch.header"},
		"sha256":           {"    expect: {sha256: ab}\n", func(http.ResponseWriter, *http.Request) {}, continuity.CheckDown, "watch.flow-bytes"},
		"too long":         {"", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, probe.MaxRead+1)) }, continuity.CheckDown, "watch.too-long"},
		"slow":             {"    expect: {within: 1ms}\n", func(w http.ResponseWriter, r *http.Request) { <-time.After(5 * time.Millisecond) }, continuity.CheckDegraded, "watch.slow"},
		"retried, refused": {"    retry: {times: 1, pause: 1ms}\n", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, continuity.CheckDown, "watch.status"},
	} {
		a := &app{}
		a.Server = newServer(t, c.reply)
		r := look(t, a, simple+c.step)
		step := ""
		if c.code != "" {
			step = "get"
		}
		expect(t, name, r, c.state, step, c.code)
	}
}

func TestRetry(t *testing.T) {
	n := 0
	a := &app{}
	a.Server = newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if n++; n < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	expect(t, "third", look(t, a, simple+"    retry: {times: 2, pause: 1ms}\n"), continuity.CheckUp, "", "")
	n = -1
	expect(t, "fourth", look(t, a, simple+"    retry: {times: 2, pause: 1ms}\n"), continuity.CheckDown, "get", "watch.status")
}

// TestVariablesStayWhereTheyAre sends back what would lead elsewhere if it were
// put into an address as it is.
func TestVariablesStayWhereTheyAre(t *testing.T) {
	var asked []string
	a := &app{}
	a.Server = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.RequestURI)
		w.Header().Set("X-A", "../admin?x=1&y=2")
	})
	r := look(t, a, simple+"    save: {a: {header: X-A}}\n  - {id: two, url: \"/orders/{{a}}?q={{a}}\"}\n")
	expect(t, "escaped", r, continuity.CheckUp, "", "")
	if want := "/orders/..%2Fadmin%3Fx=1&y=2?q=..%2Fadmin%3Fx%3D1%26y%3D2"; len(asked) != 2 || asked[1] != want {
		t.Errorf("%q, want %q", asked, want)
	}
}
