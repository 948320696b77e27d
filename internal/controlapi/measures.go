package controlapi

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// Measures are the node's own measures.
type Measures interface {
	// Named lists the measures that plans give names to, without their values, by
	// service and name.
	Named(service string) []NamedMeasure
	Query(ctx context.Context, expr string, at time.Time) ([]MeasuredRow, error)
	Range(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]MeasuredRow, error)
}

// NamedMeasure is a measure of a plan.
type NamedMeasure struct {
	Service string   `json:"service"`
	Name    string   `json:"name"`
	Query   string   `json:"query"`           // PromQL
	Value   *float64 `json:"value,omitempty"` // the largest; none: nothing is known
}

// MeasuredRow is one series of an answer.
type MeasuredRow struct {
	Labels map[string]string `json:"labels" nullable:"false"`
	Points []MeasuredPoint   `json:"points" nullable:"false"`
}

// MeasuredPoint is one value; none where it is no finite number.
type MeasuredPoint struct {
	At    time.Time `json:"at"`
	Value *float64  `json:"value"`
}

func registerMeasures(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/measures", ID: "listMeasures", Scope: access.MeasuresRead, Asks: true}, s.listMeasures)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/measures/query", ID: "queryMeasures", Scope: access.MeasuresRead, Asks: true}, s.queryMeasures)
}

func (s *server) listMeasures(ctx context.Context, in *struct {
	Service string `query:"service"`
	Paging
}) (*list[NamedMeasure], error) {
	// A space comes before all that a service's id may have.
	page, next := pageOf(s.Measures.Named(in.Service), func(m NamedMeasure) string { return m.Service + " " + m.Name }, in.Paging)
	now := s.Now()
	for i := range page {
		m := &page[i]
		rows, err := s.Measures.Query(ctx, m.Query, now)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil { // nothing is known of it
			continue
		}
		for _, row := range rows {
			for _, p := range row.Points {
				if p.Value != nil && (m.Value == nil || *p.Value > *m.Value) {
					m.Value = p.Value
				}
			}
		}
	}
	return listOf(page, next), nil
}

func (s *server) queryMeasures(ctx context.Context, in *struct {
	Query string    `query:"query" required:"true" maxLength:"10000"`
	At    time.Time `query:"at"`
	From  time.Time `query:"from"`
	To    time.Time `query:"to"`
	Step  int       `query:"step" minimum:"1" maximum:"86400" default:"60"`
}) (*list[MeasuredRow], error) {
	now := s.Now()
	var rows []MeasuredRow
	var err error
	switch {
	case !in.From.IsZero() && !in.At.IsZero():
		return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.at-or-range")
	case !in.From.IsZero():
		if in.To.IsZero() {
			in.To = now
		}
		rows, err = s.Measures.Range(ctx, in.Query, in.From, in.To, time.Duration(in.Step)*time.Second)
	default:
		if in.At.IsZero() {
			in.At = now
		}
		rows, err = s.Measures.Query(ctx, in.Query, in.At)
	}
	return listOf(rows, ""), err
}

// prometheusPath is where clients of Prometheus ask.
const prometheusPath = "/api/v1/prometheus"

// prometheus answers as a Prometheus does, to callers who may read measures. Its
// clients send a token as such, or as the password of any name.
func (s *server) prometheus() http.Handler {
	under := http.StripPrefix(prometheusPath, s.Prometheus)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := r
		if _, password, ok := r.BasicAuth(); ok {
			asked = r.Clone(r.Context())
			asked.Header.Set("Authorization", "Bearer "+strings.TrimSpace(password))
		}
		caller, err := s.admit(asked, access.MeasuresRead)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		leave, err := s.turns.take(ctx, caller)
		if err != nil { // in the words of a Prometheus, which are English
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", retryAfter)
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"status":"error","errorType":"unavailable","error":"as many queries of this caller are running as may"}`+"\n")
			return
		}
		defer leave()
		r = r.WithContext(ctx)
		r.Header.Del("Authorization")
		under.ServeHTTP(w, r)
	})
}
