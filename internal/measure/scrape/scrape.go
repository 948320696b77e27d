package scrape

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"holdfast/internal/measure"
)

// Target is where figures are read.
type Target struct {
	Job, Instance string
	URL           string
	Header        http.Header   // credentials, for instance
	Every         time.Duration // 15 s
	Timeout       time.Duration // 10 s, and never more than Every
	MaxBytes      int64         // unpacked; 16 MiB
	MaxSamples    int           // 50,000
}

func (t *Target) fill() {
	if t.Every <= 0 {
		t.Every = 15 * time.Second
	}
	if t.Timeout <= 0 {
		t.Timeout = 10 * time.Second
	}
	t.Timeout = min(t.Timeout, t.Every)
	if t.MaxBytes <= 0 {
		t.MaxBytes = 16 << 20
	}
	if t.MaxSamples <= 0 {
		t.MaxSamples = 50_000
	}
}

// Appender takes what is read.
type Appender interface {
	Append(context.Context, []measure.Sample) error
}

// Scraper reads one target.
type Scraper struct {
	target Target
	client *http.Client
	into   Appender
	log    *slog.Logger
	last   map[string]measure.Labels // series of the last reading
}

// New makes a scraper of a target.
func New(target Target, client *http.Client, into Appender, log *slog.Logger) *Scraper {
	target.fill()
	return &Scraper{target: target, client: client, into: into, log: log}
}

// Once reads the target. The error says why it could not be read; that it
// couldn't is in the series up.
func (s *Scraper) Once(ctx context.Context) error {
	begun := time.Now()
	samples, failed := s.read(ctx, begun)
	took := time.Since(begun).Seconds()
	read := map[string]measure.Labels{}
	for _, sample := range samples {
		read[string(sample.Labels.Bytes(nil))] = sample.Labels
	}
	for key, l := range s.last {
		if _, still := read[key]; !still {
			samples = append(samples, measure.Gone(l, begun))
		}
	}
	s.last = read
	up := 1.0
	if failed != nil {
		up = 0
	}
	for name, v := range map[string]float64{"up": up, "scrape_duration_seconds": took, "scrape_samples_scraped": float64(len(read))} {
		l := measure.Series(name, "job", s.target.Job, "instance", s.target.Instance)
		samples = append(samples, measure.Sample{Labels: l, At: begun, Value: v})
	}
	// Also when the reading was stopped: what is known is written.
	return errors.Join(failed, s.into.Append(context.WithoutCancel(ctx), samples))
}

func (s *Scraper) read(ctx context.Context, at time.Time) ([]measure.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, s.target.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.target.URL, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range s.target.Header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.6,*/*;q=0.1")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, s.target.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > s.target.MaxBytes {
		return nil, fmt.Errorf("more than %d bytes", s.target.MaxBytes)
	}
	return s.parse(body, res.Header.Get("Content-Type"), at)
}

// errNotFigures says nothing of the answer, which may repeat the token it was asked with.
var errNotFigures = errors.New("what it answered can't be read as figures")

func (s *Scraper) parse(body []byte, contentType string, at time.Time) ([]measure.Sample, error) {
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != "application/openmetrics-text" {
		contentType = "text/plain"
	}
	parser, _ := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{FallbackContentType: "text/plain"})
	if parser == nil {
		return nil, errNotFigures
	}
	var samples []measure.Sample
	builder := labels.NewBuilder(labels.EmptyLabels())
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, errNotFigures // the parser's own words repeat what was read
		}
		if entry != textparse.EntrySeries {
			continue
		}
		if len(samples) == s.target.MaxSamples {
			return nil, fmt.Errorf("more than %d samples", s.target.MaxSamples)
		}
		_, _, v := parser.Series()
		var l labels.Labels
		parser.Labels(&l)
		builder.Reset(l)
		for name, value := range map[string]string{"job": s.target.Job, "instance": s.target.Instance} {
			if own := l.Get(name); own != "" {
				builder.Set("exported_"+name, own)
			}
			builder.Set(name, value)
		}
		samples = append(samples, measure.Sample{Labels: builder.Labels(), At: at, Value: v})
	}
}

// Run reads the target every so often until the context ends. Targets don't all
// start in the same moment.
func (s *Scraper) Run(ctx context.Context) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.target.URL))
	wait := time.Duration(h.Sum64() % uint64(s.target.Every)) //nolint:gosec // Every is positive
	first := time.NewTimer(wait)
	defer first.Stop()
	select {
	case <-ctx.Done():
		return
	case <-first.C:
	}
	tick := time.NewTicker(s.target.Every)
	defer tick.Stop()
	failing := false
	for {
		err := s.Once(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			s.log.Warn("reading figures", "job", s.target.Job, "instance", s.target.Instance, "failing", failing, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// RunAll reads targets until the context ends.
func RunAll(ctx context.Context, scrapers []*Scraper) {
	var all sync.WaitGroup
	for _, s := range scrapers {
		all.Go(func() { s.Run(ctx) })
	}
	all.Wait()
}
