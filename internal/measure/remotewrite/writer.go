package remotewrite

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/util/compression"

	"holdfast/internal/measure"
)

// Options say where samples go.
type Options struct {
	URL     string
	Header  http.Header       // credentials, for instance
	Labels  map[string]string // added to every series that has none of the name
	Waiting int               // samples in memory at most; 100,000
	Batch   int               // samples in a request at most; 2,000
	Every   time.Duration     // how long samples are collected; 5 s
	Timeout time.Duration     // of a request; 30 s
}

// Stats says how a writer is.
type Stats struct {
	Waiting       int
	Sent, Dropped uint64 // samples since New
}

// Writer sends samples on.
type Writer struct {
	opts   Options
	client *http.Client
	log    *slog.Logger
	queue  *queue
	sent   atomic.Uint64
}

// New makes a writer. The client decides whom it may speak to; it should not
// follow redirects.
func New(o Options, client *http.Client, log *slog.Logger) *Writer {
	for v, fallback := range map[*int]int{&o.Waiting: 100_000, &o.Batch: 2_000} {
		if *v <= 0 {
			*v = fallback
		}
	}
	for v, fallback := range map[*time.Duration]time.Duration{&o.Every: 5 * time.Second, &o.Timeout: 30 * time.Second} {
		if *v <= 0 {
			*v = fallback
		}
	}
	return &Writer{opts: o, client: client, log: log, queue: newQueue(o.Waiting)}
}

// Append takes samples to be sent. It never waits.
func (w *Writer) Append(_ context.Context, samples []measure.Sample) error {
	w.queue.put(samples)
	return nil
}

// Stats returns how the writer is.
func (w *Writer) Stats() Stats {
	waiting, dropped := w.queue.state()
	return Stats{Waiting: waiting, Sent: w.sent.Load(), Dropped: dropped}
}

// The times between tries.
const (
	firstPause   = time.Second
	longestPause = time.Minute
	longestAsked = 5 * time.Minute // that Retry-After may ask for
)

// Run sends until the context ends.
func (w *Writer) Run(ctx context.Context) {
	pause := firstPause
	for {
		if waiting, _ := w.queue.state(); waiting == 0 {
			select {
			case <-ctx.Done():
				return
			case <-w.queue.more:
			}
			if !sleep(ctx, w.opts.Every) {
				return
			}
			continue
		}
		batch := w.queue.take(w.opts.Batch)
		again, asked, err := w.send(ctx, batch)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			w.sent.Add(uint64(len(batch)))
			w.queue.done(true)
			pause = firstPause
			if waiting, _ := w.queue.state(); waiting < w.opts.Batch && waiting > 0 && !sleep(ctx, w.opts.Every) {
				return
			}
			continue
		case !again:
			w.log.Warn("samples are refused", "samples", len(batch), "err", err)
			w.queue.done(false)
			continue
		}
		w.log.Warn("samples can't be sent on", "err", err)
		wait := max(asked, pause/2+rand.N(pause/2)) // #nosec G404 -- only spreads the tries
		pause = min(2*pause, longestPause)
		if !sleep(ctx, wait) {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// send makes one request. It says whether another try may help, and how long the
// receiver asks to wait for it.
func (w *Writer) send(ctx context.Context, samples []measure.Sample) (again bool, asked time.Duration, err error) {
	body, err := w.encode(samples)
	if err != nil {
		return false, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.opts.URL, bytes.NewReader(body))
	if err != nil {
		return false, 0, err
	}
	for name, values := range w.opts.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	req.Header.Set("User-Agent", "holdfast")
	res, err := w.client.Do(req)
	if err != nil {
		return true, 0, err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection serves again
	if res.StatusCode/100 == 2 {
		return false, 0, nil
	}
	if seconds, e := strconv.Atoi(res.Header.Get("Retry-After")); e == nil && seconds > 0 {
		asked = min(time.Duration(min(seconds, 3600))*time.Second, longestAsked)
	}
	again = res.StatusCode/100 == 5 || res.StatusCode == http.StatusTooManyRequests
	return again, asked, fmt.Errorf("answered %d", res.StatusCode)
}

// encode packs samples, those of a series together.
func (w *Writer) encode(samples []measure.Sample) ([]byte, error) {
	var req prompb.WriteRequest
	place := map[string]int{}
	for _, s := range samples {
		key := string(s.Labels.Bytes(nil))
		i, known := place[key]
		if !known {
			i = len(req.Timeseries)
			place[key] = i
			req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Labels: w.labels(s.Labels)})
		}
		one := prompb.Sample{Value: s.Value, Timestamp: s.At.UnixMilli()}
		req.Timeseries[i].Samples = append(req.Timeseries[i].Samples, one)
	}
	raw, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	return compression.Encode(compression.Snappy, raw, nil)
}

func (w *Writer) labels(l measure.Labels) []prompb.Label {
	b := labels.NewBuilder(l)
	for name, value := range w.opts.Labels {
		if l.Get(name) == "" {
			b.Set(name, value)
		}
	}
	var out []prompb.Label
	b.Labels().Range(func(l labels.Label) { out = append(out, prompb.Label{Name: l.Name, Value: l.Value}) })
	return out
}
