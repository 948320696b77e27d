//go:build measure

package controlapi

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/store/storetest"
)

// TestAnswersOverAMillion measures answers over HTTP with 500 services and
// 1,000,000 events in SQLite, and prints the times:
// go test -tags measure -run Million -v ./internal/controlapi
func TestAnswersOverAMillion(t *testing.T) {
	const services, events = 500, 1_000_000
	dsn := filepath.Join(t.TempDir(), "state.db")
	s := storetest.Open(t, dsn)
	storetest.FillEvents(t, dsn, events, services)
	h, err := New(Options{
		Authenticate: func(*http.Request) (Caller, error) {
			return Caller{Actor: continuity.Actor{Kind: "user", ID: "ann"}, Scopes: access.Admin.Scopes()}, nil
		},
		Answers: s, Ready: func() error { return nil }, Logger: slog.New(slog.DiscardHandler), Events: feed{s}, Version: "1.0",
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	random := rand.New(rand.NewPCG(1, 2))
	for _, path := range []func() string{
		func() string { return "events" },
		func() string { return fmt.Sprint("events?limit=1000&service=service-", random.IntN(services)) },
		func() string {
			return fmt.Sprint("events?service=service-", random.IntN(services), "&actor=user-", random.IntN(19))
		},
		func() string { return fmt.Sprint("events?kind=kind-3&order=oldest") },
		func() string { return fmt.Sprint("events/", 1+random.IntN(events)) },
		func() string { return "openapi.json" },
	} {
		var took []time.Duration
		for range 60 {
			begun := time.Now()
			resp, err := http.Get(srv.URL + "/api/v1/" + path())
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, resp.Body)
			took = append(took, time.Since(begun))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp.Status, err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(took)
		t.Logf("%-50s p50 %8v  p95 %8v", path(), took[30].Round(time.Microsecond), took[57].Round(time.Microsecond))
	}
}
