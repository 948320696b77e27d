package control

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/runbook"
)

// TestARunWaitsForFigures has a step begin when a question of PromQL has a value that
// is not 0, and another one end by one, on a node that reads figures of a real server.
func TestARunWaitsForFigures(t *testing.T) {
	var lag, ready atomic.Int64
	lag.Store(900)
	figures := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "replica_lag_seconds %d\nreplica_ready %d\n", lag.Load(), ready.Load())
	}))
	defer figures.Close()
	n := run(t, settings(t, t.TempDir(), ""))
	const steps = "runbooks:\n"
	apply(t, n, "payment-outage",
		"measures:\n", "allow: [127.0.0.0/8]\nscrape:\n  - {id: shop, targets: ["+figures.URL+"/metrics], every: 1s, timeout: 1s}\nmeasures:\n",
		steps, steps+`  - id: figures
    steps:
      - {id: caught-up, do: wait, with: {query: "replica_lag_seconds < 5"}, owner: technical, within: 10m}
      - {id: over, say: Go over., owner: technical, before: {query: replica_ready}, within: 10m}
`)
	desk := n.api.Runs
	by := desk.Who(controlapi.Caller{Actor: continuity.Actor{Kind: "user", ID: "chen.jie"}})
	k, err := desk.Start(t.Context(), by, runbook.Begin{Service: "payment-outage", Runbook: "figures", Why: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	state := func() string {
		d, _, err := desk.Get(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Steps) != 2 {
			return "" // it has not been read yet
		}
		return d.Steps[0].State + " " + d.Steps[1].State + " " + d.Steps[1].Reason.Code
	}
	until(t, "figures", func() bool {
		all, err := n.measures.Query(t.Context(), "replica_lag_seconds", time.Now())
		return err == nil && len(all) == 1 && all[0].Value == 900
	})
	until(t, "the wait", func() bool { return state() == "running waiting " })
	lag.Store(3)
	until(t, "the end of the wait", func() bool { return state() == "done waiting runbook.look.not-yet" })
	ready.Store(1)
	until(t, "the condition", func() bool { return state() == "done ready " })
}
