package remotewrite_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/util/compression"

	"holdfast/internal/loopback"
	"holdfast/internal/measure"
	"holdfast/internal/measure/remotewrite"
)

// receiver decodes what it gets with the official package, and answers as told.
type receiver struct {
	t       *testing.T
	mu      sync.Mutex
	answers []int // of the next requests; then 204
	after   string
	got     []string
	tries   []time.Time
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries = append(r.tries, time.Now())
	status := http.StatusNoContent
	if len(r.answers) > 0 {
		status, r.answers = r.answers[0], r.answers[1:]
	}
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	res := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {r.after}}, Body: http.NoBody, Request: req}
	if status/100 != 2 {
		return res, nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	raw, err := compression.Decode(compression.Snappy, body, compression.NewConcurrentDecodeBuffer())
	if err != nil {
		r.t.Error(err)
	}
	var write prompb.WriteRequest
	if err := write.Unmarshal(raw); err != nil || req.Header.Get("Content-Encoding") != "snappy" ||
		req.Header.Get("Content-Type") != "application/x-protobuf" || req.Header.Get("Authorization") != "Bearer x" {
		r.t.Error(err, req.Header)
	}
	for _, series := range write.Timeseries {
		var text []string
		for _, l := range series.Labels {
			text = append(text, l.Name+"="+l.Value)
		}
		for _, s := range series.Samples {
			text = append(text, fmt.Sprint(s.Value))
		}
		r.got = append(r.got, strings.Join(text, " "))
	}
	return res, nil
}

func sample(name string, v float64) measure.Sample {
	return measure.Sample{Labels: measure.Series(name), At: time.Now(), Value: v}
}

// run lets a writer work for a while of the bubble's time.
func run(t *testing.T, r *receiver, o remotewrite.Options, long time.Duration, samples ...measure.Sample) remotewrite.Stats {
	o.URL, o.Header, r.t = "http://store/api/v1/write", http.Header{"Authorization": {"Bearer x"}}, t
	w := remotewrite.New(o, &http.Client{Transport: r}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	if err := w.Append(ctx, samples); err != nil {
		t.Error(err)
	}
	time.Sleep(long)
	cancel()
	<-ended
	return w.Stats()
}

func TestBatchesKeepTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		s := run(t, r, remotewrite.Options{Batch: 3, Labels: map[string]string{"site": "north"}}, time.Minute,
			sample("a", 1), sample("b", 1), sample("a", 2), sample("a", 3))
		want := []string{"__name__=a site=north 1 2", "__name__=b site=north 1", "__name__=a site=north 3"}
		if !slices.Equal(r.got, want) || s != (remotewrite.Stats{Sent: 4}) {
			t.Errorf("got %q, %+v", r.got, s)
		}
	})
}

func TestWhatFailsIsTriedAgainAndWhatIsRefusedIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		answers []int
		after   string
		tries   int
		least   time.Duration // from the first to the last try
		most    time.Duration
		want    remotewrite.Stats
	}{
		"refused connection":  {[]int{0, 0, 0}, "", 4, 3500 * time.Millisecond, 7 * time.Second, remotewrite.Stats{Sent: 1}},
		"server errors":       {[]int{503, 500}, "", 3, 1500 * time.Millisecond, 3 * time.Second, remotewrite.Stats{Sent: 1}},
		"too many requests":   {[]int{429}, "30", 2, 30 * time.Second, 30 * time.Second, remotewrite.Stats{Sent: 1}},
		"asked for too much":  {[]int{429}, "9999999", 2, 5 * time.Minute, 5 * time.Minute, remotewrite.Stats{Sent: 1}},
		"refused":             {[]int{400}, "", 1, 0, 0, remotewrite.Stats{Dropped: 1}},
		"sent somewhere else": {[]int{302}, "", 1, 0, 0, remotewrite.Stats{Dropped: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answers: c.answers, after: c.after}
				s := run(t, r, remotewrite.Options{}, 10*time.Minute, sample("a", 1))
				took := r.tries[len(r.tries)-1].Sub(r.tries[0])
				if len(r.tries) != c.tries || took < c.least || took > c.most || s != c.want {
					t.Errorf("%d tries in %v, %+v; want %d in %v to %v, %+v", len(r.tries), took, s, c.tries, c.least, c.most, c.want)
				}
			})
		})
	}
}

func TestTheOldestGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answers: slices.Repeat([]int{503}, 5)}
		var samples []measure.Sample
		for i := range 25 {
			samples = append(samples, sample("a", float64(i)))
		}
		s := run(t, r, remotewrite.Options{Waiting: 10}, 10*time.Minute, samples...)
		if want := []string{"__name__=a 15 16 17 18 19 20 21 22 23 24"}; !slices.Equal(r.got, want) || s != (remotewrite.Stats{Sent: 10, Dropped: 15}) {
			t.Errorf("got %q, %+v", r.got, s)
		}
	})
}

// TestRealPrometheus sends to Debian's Prometheus and asks it.
func TestRealPrometheus(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatal("prometheus is in Debian's package of that name: make needs")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--web.enable-remote-write-receiver", "--log.level=error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	// It isn't up yet: the first tries fail, which is what tries are for.
	w := remotewrite.New(remotewrite.Options{URL: "http://" + address + "/api/v1/write", Every: time.Millisecond}, http.DefaultClient, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan struct{})
	go func() { w.Run(ctx); close(ended) }()
	at := time.Now()
	_ = w.Append(ctx, []measure.Sample{{Labels: measure.Series("orders_total", "route", "订单"), At: at, Value: 7}})
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for w.Stats().Sent == 0 && ctx.Err() == nil {
		<-tick.C
	}
	client, err := api.NewClient(api.Config{Address: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	v, _, _, err := v1.NewAPI(client).Query(ctx, `orders_total{route="订单"}`, at)
	if err != nil || !strings.Contains(v.String(), "=> 7 @") {
		t.Errorf("Prometheus has %v, %v; %+v", v, err, w.Stats())
	}
	cancel()
	<-ended
}
