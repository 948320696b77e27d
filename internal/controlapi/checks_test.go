package controlapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
)

// heard are checks that count what is said of them.
type heard struct {
	Checks

	results []continuity.CheckResult
	beats   int
}

func (h *heard) Report(_ context.Context, _ string, _ bool, results []continuity.CheckResult) int {
	h.results = append(h.results, results...)
	return len(results)
}

func (h *heard) Beat(context.Context, continuity.Actor, string, probe.Beat) error {
	h.beats++
	return nil
}

func newHeard(t *testing.T) (*api, *heard) {
	t.Helper()
	a, h := newAPI(t), &heard{}
	a.Checks = h
	registerChecks(a.server)
	a.router = nil // made anew with these operations
	return a, h
}

// TestReportsAreBounded keeps of a result what has room.
func TestReportsAreBounded(t *testing.T) {
	a, h := newHeard(t)
	values, args := map[string]float64{strings.Repeat("x", mostName+1): 1}, map[string]any{strings.Repeat("x", mostName+1): 1, "a deep": map[string]any{"a": 1}}
	for i := range 1000 {
		values[fmt.Sprintf("v%03d", i)], args[fmt.Sprintf("a%03d", i)] = 1, i
	}
	args["a host"] = strings.Repeat("字", mostArg)
	body, err := json.Marshal(ProbeReport{Results: []ProbeResult{{Check: "shop/web", State: "up", Values: values, Args: args}}})
	if err != nil {
		t.Fatal(err)
	}
	if r := a.ask(t, http.MethodPost, "/api/v1/probes/ann/reports", string(body), "Authorization", "Bearer ann/admin"); r.StatusCode != http.StatusOK || len(h.results) != 1 {
		t.Fatalf("%d: %s", r.StatusCode, textOf(t, r))
	}
	got := h.results[0]
	if len(got.Values) != mostValues || got.Values["v000"] != 1 {
		t.Errorf("%d values", len(got.Values))
	}
	if len(got.Reason.Args) != mostArgs || got.Reason.Args["a host"] != strings.Repeat("字", mostArg/len("字")) || got.Reason.Args["a000"] != 0.0 {
		t.Errorf("%v", got.Reason.Args)
	}
}

// TestATokenOfAnotherNode is told whose the token is.
func TestATokenOfAnotherNode(t *testing.T) {
	a, _ := newHeard(t)
	for _, r := range []*http.Response{
		a.ask(t, http.MethodPost, "/api/v1/probes/north/reports", `{"results":[]}`, "Authorization", "Bearer ann/operator"),
		a.ask(t, http.MethodGet, "/api/v1/probes/north/orders", "", "Authorization", "Bearer ann/operator"),
	} {
		if text := textOf(t, r); r.StatusCode != http.StatusUnauthorized || !strings.Contains(text, "The token is for ann, and this node is north") {
			t.Errorf("%d: %s", r.StatusCode, text)
		}
	}
}

// TestReportsAreOfNow refuses looks whose age no time can say.
func TestReportsAreOfNow(t *testing.T) {
	a, h := newHeard(t)
	for _, c := range []struct {
		ages   string
		status int
	}{
		{`"age_ms":9223372036855,"took_ms":1`, http.StatusUnprocessableEntity},
		{`"age_ms":600001,"took_ms":1`, http.StatusUnprocessableEntity},
		{`"age_ms":-1,"took_ms":1`, http.StatusUnprocessableEntity},
		{`"age_ms":1,"took_ms":1e300`, http.StatusUnprocessableEntity},
		{`"age_ms":600000,"took_ms":600000`, http.StatusOK},
	} {
		r := a.ask(t, http.MethodPost, "/api/v1/probes/ann/reports", `{"results":[{"check":"shop/web","state":"up",`+c.ages+`}]}`, "Authorization", "Bearer ann/admin")
		if r.StatusCode != c.status {
			t.Errorf("%s: %d, want %d: %s", c.ages, r.StatusCode, c.status, textOf(t, r))
		}
	}
	if len(h.results) != 1 || h.results[0].Took != MostAge || a.now.Sub(h.results[0].At) != MostAge {
		t.Errorf("%+v", h.results)
	}
}

// TestAHeartbeatByGetBearsItsSecret lets no cookie, which a browser sends along by
// itself, and no HEAD tell that a job ran.
func TestAHeartbeatByGetBearsItsSecret(t *testing.T) {
	a, h := newHeard(t)
	a.Authenticate = func(r *http.Request) (Caller, error) { // who bears either is let in
		if _, err := r.Cookie(access.Cookie); err != nil && r.Header.Get("Authorization") == "" {
			return Caller{}, continuity.E(continuity.CodeForbidden, nil, "control", true)
		}
		return Caller{Actor: continuity.Actor{Kind: "user", ID: "ann"}, Scopes: access.Responder.Scopes()}, nil
	}
	for _, c := range []struct {
		method, bearer string
		status, beats  int
	}{
		{http.MethodGet, "", http.StatusUnauthorized, 0},
		{http.MethodHead, "", http.StatusMethodNotAllowed, 0},
		{http.MethodHead, "Bearer x", http.StatusMethodNotAllowed, 0},
		{http.MethodGet, "Bearer x", http.StatusNoContent, 1},
		{http.MethodPost, "", http.StatusNoContent, 2}, // a page of the node's own
	} {
		r := a.ask(t, c.method, "/api/v1/heartbeats/shop/backup", "", "Authorization", c.bearer, "Cookie", access.Cookie+"=x")
		if r.StatusCode != c.status || h.beats != c.beats {
			t.Errorf("%s with %q: %d, %d beats, want %d, %d", c.method, c.bearer, r.StatusCode, h.beats, c.status, c.beats)
		}
	}
}
