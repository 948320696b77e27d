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
// good value in its place; one that no longer says a value ends that one.
type checkSeries struct {
	to  appended
	log *slog.Logger

	mu   sync.Mutex
	rows map[seriesKey]*checkRow
	told map[string]int // values that are remembered, by nodes
	out  []measure.Sample
}

// A node that goes astray takes nobody else's room among the measures: so many
// values of a check and of a node are remembered, each for so long after it was
// told last.
const (
	mostValues    = 100
	mostNodeTells = 100_000
	valueKept     = time.Hour
)

type seriesKey struct{ check, node string }

type checkRow struct {
	up, seconds, expiry measure.Labels
	values              map[string]checkValue // by names
	alive               bool
	expires             bool
}

type checkValue struct {
	labels measure.Labels
	at     time.Time // when it was told last
	alive  bool
}

func newCheckSeries(to appended, log *slog.Logger) *checkSeries {
	return &checkSeries{to: to, log: log, rows: map[seriesKey]*checkRow{}, told: map[string]int{}}
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
		s.values(key, row, r)
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
	for name, v := range row.values {
		s.silence(row, name, v, at)
	}
}

// values writes what a look found, and forgets what is no longer told.
func (s *checkSeries) values(key seriesKey, row *checkRow, r continuity.CheckResult) {
	for name, v := range row.values {
		if _, told := r.Values[name]; told {
			continue
		}
		s.silence(row, name, v, r.At)
		if r.At.Sub(v.at) > valueKept {
			delete(row.values, name)
			s.told[key.node]--
		}
	}
	for name, value := range r.Values {
		v, known := row.values[name]
		if !known {
			if len(row.values) >= mostValues || s.told[key.node] >= mostNodeTells {
				continue
			}
			if row.values == nil {
				row.values = map[string]checkValue{}
			}
			s.told[key.node]++
			v.labels = labelsOf("holdfast_check_value", key, "name", name)
		}
		v.at, v.alive = r.At, true
		row.values[name] = v
		s.out = append(s.out, measure.Sample{Labels: v.labels, At: r.At, Value: value})
	}
}

// silence writes that a value is no longer told, once.
func (s *checkSeries) silence(row *checkRow, name string, v checkValue, at time.Time) {
	if v.alive {
		s.out = append(s.out, measure.Gone(v.labels, at))
		v.alive = false
		row.values[name] = v
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
			s.told[key.node] -= len(row.values)
			if s.told[key.node] == 0 {
				delete(s.told, key.node)
			}
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
