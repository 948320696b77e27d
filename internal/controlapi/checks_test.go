package controlapi

import (
	"context"
	"net/http"
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
