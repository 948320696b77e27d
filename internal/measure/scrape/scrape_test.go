package scrape_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"holdfast/internal/measure"
	"holdfast/internal/measure/scrape"
)

// heap takes samples and says what came last.
type heap struct {
	mu      sync.Mutex
	batches [][]measure.Sample
}

func (h *heap) Append(_ context.Context, s []measure.Sample) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches = append(h.batches, s)
	return nil
}

// last lists the last batch but for how long it took.
func (h *heap) last() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.batches[len(h.batches)-1] {
		value := fmt.Sprint(s.Value)
		if math.IsNaN(s.Value) {
			value = "gone"
		}
		if text := s.Labels.String(); !strings.Contains(text, "duration") {
			text = strings.ReplaceAll(text, `, instance="i"`, "")
			text = strings.ReplaceAll(text, `, job="j"`, "")
			out = append(out, strings.Replace(text, "__name__=", "", 1)+" "+value)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestFormats(t *testing.T) {
	for name, c := range map[string]struct {
		kind, body string
		target     scrape.Target
		want       string
	}{
		"text": {"text/plain; version=0.0.4", "# TYPE a counter\na{x=\"1\"} 2 1000\nb +Inf\n", scrape.Target{},
			"{\"a\", x=\"1\"} 2\n{\"b\"} +Inf\n{\"scrape_samples_scraped\"} 2\n{\"up\"} 1"},
		"OpenMetrics": {"application/openmetrics-text; version=1.0.0; charset=utf-8", "# TYPE a counter\na_total 2 # {id=\"7\"} 1\n# EOF\n", scrape.Target{},
			"{\"a_total\"} 2\n{\"scrape_samples_scraped\"} 1\n{\"up\"} 1"},
		"without a type": {"", "a 1\n", scrape.Target{}, "{\"a\"} 1\n{\"scrape_samples_scraped\"} 1\n{\"up\"} 1"},
		"its own job": {"text/plain", "a{job=\"other\"} 1\n", scrape.Target{},
			"{\"a\", exported_job=\"other\"} 1\n{\"scrape_samples_scraped\"} 1\n{\"up\"} 1"},
		"malformed":          {"text/plain", "a 1\nb{ 2\n", scrape.Target{}, down},
		"OpenMetrics cut":    {"application/openmetrics-text", "a 1\n", scrape.Target{}, down},
		"too many samples":   {"text/plain", "a 1\nb 1\nc 1\n", scrape.Target{MaxSamples: 2}, down},
		"samples up to all":  {"text/plain", "a 1\nb 1\n", scrape.Target{MaxSamples: 2}, "{\"a\"} 1\n{\"b\"} 1\n{\"scrape_samples_scraped\"} 2\n{\"up\"} 1"},
		"too many bytes":     {"text/plain", "a 1\nb 1\n", scrape.Target{MaxBytes: 7}, down},
		"a page that is not": {"404", "a 1\n", scrape.Target{}, down},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.kind == "404" {
					w.WriteHeader(http.StatusNotFound)
				} else {
					w.Header()["Content-Type"] = []string{c.kind}
				}
				_, _ = io.WriteString(w, c.body)
			}))
			defer srv.Close()
			into := &heap{}
			c.target.URL, c.target.Job, c.target.Instance = srv.URL, "j", "i"
			err := scrape.New(c.target, srv.Client(), into, quiet()).Once(t.Context())
			if got := into.last(); got != c.want || (err != nil) != (c.want == down) {
				t.Errorf("%v, got\n%s\nwant\n%s", err, got, c.want)
			}
		})
	}
}

const down = "{\"scrape_samples_scraped\"} 0\n{\"up\"} 0"

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestSeriesThatAreMissingAreGone(t *testing.T) {
	bodies := []string{"a 1\nb 1\n", "b 2\n", "{", "a 3\n"}
	var sent http.Header
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header
		_, _ = io.WriteString(w, bodies[0])
		bodies = bodies[1:]
	}))
	defer srv.Close()
	into := &heap{}
	s := scrape.New(scrape.Target{Job: "j", Instance: "i", URL: srv.URL, Header: http.Header{"Authorization": {"Bearer x"}}}, srv.Client(), into, quiet())
	for _, want := range []string{
		"{\"a\"} 1\n{\"b\"} 1\n{\"scrape_samples_scraped\"} 2\n{\"up\"} 1",
		"{\"a\"} gone\n{\"b\"} 2\n{\"scrape_samples_scraped\"} 1\n{\"up\"} 1",
		"{\"b\"} gone\n{\"scrape_samples_scraped\"} 0\n{\"up\"} 0",
		"{\"a\"} 3\n{\"scrape_samples_scraped\"} 1\n{\"up\"} 1",
	} {
		_ = s.Once(t.Context()) // whether it went well is in up
		if got := into.last(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if sent.Get("Authorization") != "Bearer x" || !strings.Contains(sent.Get("Accept"), "openmetrics") {
		t.Errorf("asked with %v", sent)
	}
}

// TestRealExporter reads what Prometheus' own library shows, gzipped as it is
// between real machines, into a real store.
func TestRealExporter(t *testing.T) {
	reg := prometheus.NewRegistry()
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "relay_request_seconds", Buckets: []float64{0.1, 1}})
	reg.MustRegister(seconds)
	seconds.Observe(0.05)
	srv := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	defer srv.Close()
	db, err := measure.Open(measure.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := scrape.New(scrape.Target{Job: "relay", Instance: "here", URL: srv.URL}, srv.Client(), db, quiet()).Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, expr := range []string{`relay_request_seconds_count{job="relay"}`, `sum(relay_request_seconds_bucket{le=~"1|1\\.0"})`, `up{instance="here"}`} {
		v, err := db.Query(t.Context(), expr, time.Now())
		if err != nil || len(v) != 1 || v[0].Value != 1 {
			t.Errorf("%s: %v, %v", expr, v, err)
		}
	}
}

// slow answers after a while.
type slow time.Duration

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(time.Duration(s)):
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("a 1\n")), Request: r}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func TestRunReadsInTimeAndEnds(t *testing.T) {
	for name, c := range map[string]struct {
		answers time.Duration
		want    string
	}{
		"in time":  {4 * time.Second, "{\"a\"} 1\n{\"scrape_samples_scraped\"} 1\n{\"up\"} 1"},
		"too late": {6 * time.Second, down},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				into := &heap{}
				target := scrape.Target{Job: "j", Instance: "i", URL: "http://shop/metrics", Every: 10 * time.Second, Timeout: 5 * time.Second}
				s := scrape.New(target, &http.Client{Transport: slow(c.answers)}, into, quiet())
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { scrape.RunAll(ctx, []*scrape.Scraper{s}); close(ended) }()
				time.Sleep(66 * time.Second) // of the bubble's clock
				synctest.Wait()
				cancel()
				<-ended
				if n := len(into.batches); n < 5 || n > 7 {
					t.Errorf("read %d times in a minute, every 10 s", n)
				}
				into.batches = into.batches[:5]
				if got := into.last(); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		})
	}
}
