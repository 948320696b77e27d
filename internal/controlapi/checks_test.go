package controlapi

import (
	"context"
	"net/http"
	"testing"

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
