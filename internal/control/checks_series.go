package control

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/watch"
)

// checkSeries makes measures of results:
//
//	holdfast_check_up{service,check,node}                    1, also where it is degraded, or 0
//	holdfast_check_seconds{service,check,node}               how long the look took
//	holdfast_check_cert_expiry_seconds{service,check,node}   when the certificate ends, in Unix time
//	holdfast_check_value{service,check,node,name}            what else the look found
//
// A look that learnt nothing ends the series, so that no query finds the last
// good value in its place.
type checkSeries struct {
	to  appended
	log *slog.Logger

	mu   sync.Mutex
	rows map[seriesKey]*checkRow
	out  []measure.Sample
}

type seriesKey struct{ check, node string }

type checkRow struct {
	up, seconds, expiry measure.Labels
	values              map[string]measure.Labels
	alive               bool
	expires             bool
}

func newCheckSeries(to appended, log *slog.Logger) *checkSeries {
	return &checkSeries{to: to, log: log, rows: map[seriesKey]*checkRow{}}
}

func labelsOf(name string, key seriesKey, more ...string) measure.Labels {
	service, check, _ := strings.Cut(key.check, "/")
	return measure.Series(name, append([]string{"service", service, "check", check, "node", key.node}, more...)...)
}

func (s *checkSeries) row(key seriesKey) *checkRow {
	r := s.rows[key]
	if r == nil {
		r = &checkRow{up: labelsOf("holdfast_check_up", key), seconds: labelsOf("holdfast_check_seconds", key)}
		s.rows[key] = r
	}
	return r
}

// add writes results.
func (s *checkSeries) add(ctx context.Context, results []continuity.CheckResult) {
	if len(results) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = s.out[:0]
	now := time.Now()
	for i := range results {
		r := results[i]
		if r.At.After(now) {
			r.At = now
		}
		key := seriesKey{r.Check, r.Node}
		row := s.row(key)
		if r.State == continuity.CheckUnknown {
			s.end(row, r.At)
			continue
		}
		row.alive = true
		up := 1.0
		if r.State == continuity.CheckDown {
			up = 0
		}
		s.out = append(s.out, measure.Sample{Labels: row.up, At: r.At, Value: up}, measure.Sample{Labels: row.seconds, At: r.At, Value: r.Took.Seconds()})
		if !r.CertExpires.IsZero() {
			if row.expiry.IsEmpty() {
				row.expiry = labelsOf("holdfast_check_cert_expiry_seconds", key)
			}
			row.expires = true
			s.out = append(s.out, measure.Sample{Labels: row.expiry, At: r.At, Value: float64(r.CertExpires.Unix())})
		}
		for name, value := range r.Values {
			l, known := row.values[name]
			if !known {
				if row.values == nil {
					row.values = map[string]measure.Labels{}
				}
				l = labelsOf("holdfast_check_value", key, "name", name)
				row.values[name] = l
			}
			s.out = append(s.out, measure.Sample{Labels: l, At: r.At, Value: value})
		}
	}
	s.write(ctx)
}

// end writes that a row's series have ended, once.
func (s *checkSeries) end(row *checkRow, at time.Time) {
	if !row.alive {
		return
	}
	row.alive = false
	s.out = append(s.out, measure.Gone(row.up, at), measure.Gone(row.seconds, at))
	if row.expires {
		s.out = append(s.out, measure.Gone(row.expiry, at))
	}
	for _, l := range row.values {
		s.out = append(s.out, measure.Gone(l, at))
	}
}

// keep ends the series of checks that are no longer looked at by a node.
func (s *checkSeries) keep(ctx context.Context, judged []watch.Judged) {
	wanted := map[seriesKey]bool{}
	for _, j := range judged {
		for _, node := range j.Nodes {
			wanted[seriesKey{j.ID, node}] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = s.out[:0]
	for key, row := range s.rows {
		if !wanted[key] {
			s.end(row, time.Now())
			delete(s.rows, key)
		}
	}
	s.write(ctx)
}

func (s *checkSeries) write(ctx context.Context) {
	if len(s.out) == 0 || s.to == nil {
		return
	}
	if err := s.to.Append(ctx, s.out); err != nil {
		s.log.Warn("figures of checks were not kept", "code", continuity.CodeOf(err))
	}
}
