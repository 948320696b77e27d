package control

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/internal/app"
	"holdfast/internal/binding"
	"holdfast/internal/controlapi"
	"holdfast/internal/maintenance"
	"holdfast/internal/measure"
)

var requestsOf = regexp.MustCompile(`^holdfast_relay_requests_total\{(.*)\} (\d+)$`)

// liveSeries are the series by which a real relay counts live requests, of which it has
// got some.
func liveSeries(t *testing.T, some int) (pairs []string) {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(upstream.Close)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "relay.yaml"), fmt.Sprintf("schema: holdfast/relay@1\nlisten: 127.0.0.1:0\nadmin: {listen: \"127.0.0.1:0\"}\njournal: {segment: 1MiB, size: 16MiB}\nroutes:\n"+
		"  - id: orders\n    match: {path: /api/orders/**}\n    upstream: %s\n    key: json:/order_no\n    idempotency: {by: key, remembers: 72h}\n    caller: public\n    hold: {state: on, bytes: 8MiB}\n    answer: {status: 202}\n", upstream.URL))
	r := app.New(app.Options{ConfigFile: filepath.Join(dir, "relay.yaml"), Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Stop(context.Background()) })
	for n := range some {
		resp, err := http.Post("http://"+r.Addr()+"/api/orders/new", "application/json", strings.NewReader(fmt.Sprintf(`{"order_no":"%d"}`, n)))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
	}
	// a request is counted once its answer is through
	until(t, "the requests are counted", func() bool {
		resp, err := http.Get("http://" + r.AdminAddr() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			m := requestsOf.FindStringSubmatch(lines.Text())
			if m == nil || m[2] != fmt.Sprint(some) {
				continue
			}
			for _, pair := range strings.Split(m[1], ",") {
				name, value, _ := strings.Cut(pair, "=")
				pairs = append(pairs, name, strings.Trim(value, `"`))
			}
			return true
		}
		return false
	})
	return pairs
}

// TestMeasuredRequestsPlaceAWindow has four weeks of live requests, as a real relay
// counts them, choose among the hours in which the plan says that few are there: those
// that really had few.
func TestMeasuredRequestsPlaceAWindow(t *testing.T) {
	n := run(t, settings(t, t.TempDir(), ""))
	apply(t, n, "im-maintenance", "plan: im-maintenance\n", "plan: im-maintenance\nroutes:\n"+
		"  - {id: orders, match: {path: /api/orders/**}, upstream: \"http://127.0.0.1:9001\", key: json:/order_no, idempotency: {by: key, remembers: 72h}, hold: {state: on, age: 24h}}\n")
	db, err := measure.Open(measure.Options{Dir: t.TempDir(), Retention: 60 * 24 * time.Hour, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	there := &Node{plans: n.plans, measures: db, api: controlapi.Options{Calendars: n.api.Calendars}}
	rules := &windowRules{node: there}
	acts := maintenance.NewActs(maintenance.ActsOptions{Store: n.store, Plans: rules, World: windowWorld{there}})
	best := func() maintenance.WindowTime {
		t.Helper()
		found, err := acts.Proposals(t.Context(), "im-maintenance", maintenance.Wish{Length: time.Hour, Count: 1})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0]
	}
	zone, err := time.LoadLocation(acts.Zone("im-maintenance"))
	if err != nil {
		t.Fatal(err)
	}
	if p := best(); p.Placed.Share >= 0 || !p.Placed.Low {
		t.Fatalf("nothing was measured: %+v", p)
	}

	labels := measure.Series("holdfast_relay_requests_total", append(liveSeries(t, 5), "job", binding.RelayJob, "instance", "relay")...)
	const every = 10 * time.Minute
	now, count := time.Now().Truncate(every), 0.0
	var samples []measure.Sample
	for at := now.Add(-trafficWeeks*week - time.Hour); !at.After(now); at = at.Add(every) {
		samples = append(samples, measure.Sample{Labels: labels, At: at, Value: count})
		local := at.Add(every / 2).In(zone)
		if quiet := local.Weekday() == time.Sunday && local.Hour() == 3; quiet { // at other hours of the plan's there is a nightly job
			count++
		} else {
			count += 100
		}
	}
	if err := db.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	p := best()
	if local := p.Start.In(zone); local.Weekday() != time.Sunday || local.Hour() != 3 || local.Minute() != 0 {
		t.Errorf("it is placed on %s", local)
	}
	if p.Placed.Share < 0 || p.Placed.Share > 0.1 || p.Placed.Weeks != trafficWeeks || !p.Placed.Low {
		t.Errorf("%+v", p.Placed)
	}
}
