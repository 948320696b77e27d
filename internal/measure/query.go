package measure

import (
	"context"
	"errors"
	"math"
	"os"
	"time"

	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"holdfast/internal/continuity"
)

// What a query may take.
const (
	queriesAtOnce = 4 // of people; an Evaluator's run beside them
	queryTime     = 20 * time.Second
	querySamples  = 5_000_000 // in memory, 16 bytes each
	maxPoints     = 11_000    // of one row of a range
)

var staleNaN = math.Float64frombits(value.StaleNaN)

func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		MaxSamples:           querySamples,
		Timeout:              queryTime,
		LookbackDelta:        5 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		Parser:               Parser,
		// Without one, the engine panics at a subquery that names no step.
		NoStepSubqueryIntervalFn: func(int64) int64 { return usualStep.Milliseconds() },
	})
}

// Value is what a query found for one series at one time.
type Value struct {
	Labels Labels
	At     time.Time
	Value  float64
}

// Row is what a query found for one series over time.
type Row struct {
	Labels Labels
	Points []Point
}

// Point is one value of a row.
type Point struct {
	At    time.Time
	Value float64
}

// Reader asks a DB. It has places of its own: who asks by another reader neither
// waits for its queries nor holds them up.
type Reader struct {
	db     *DB
	places chan struct{}
}

func newReader(d *DB, places int) *Reader { return &Reader{d, make(chan struct{}, places)} }

// ForRules returns a reader for an Evaluator.
func (d *DB) ForRules() *Reader { return newReader(d, rulesAtOnce) }

// Query evaluates an expression of PromQL at one time. A scalar is one value
// without labels; native histograms are left out.
func (r *Reader) Query(ctx context.Context, expr string, at time.Time) ([]Value, error) {
	var out []Value
	err := r.View(ctx, func(ctx context.Context, from storage.Queryable, engine *promql.Engine) error {
		q, err := engine.NewInstantQuery(ctx, from, nil, expr, at)
		if err != nil {
			return Problem(err)
		}
		defer q.Close()
		res := q.Exec(ctx)
		if res.Err != nil {
			return Problem(res.Err)
		}
		switch v := res.Value.(type) {
		case promql.Scalar:
			out = []Value{{At: time.UnixMilli(v.T), Value: v.V}}
		case promql.Vector:
			for _, s := range v {
				if s.H == nil {
					out = append(out, Value{Labels: s.Metric, At: time.UnixMilli(s.T), Value: s.F})
				}
			}
		default:
			return wrong(errors.New("neither a scalar nor an instant vector"))
		}
		return nil
	})
	return out, err
}

// Range evaluates an expression of PromQL over a range of time, in steps.
func (r *Reader) Range(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Row, error) {
	if err := CheckRange(from, to, step); err != nil {
		return nil, err
	}
	var out []Row
	err := r.View(ctx, func(ctx context.Context, src storage.Queryable, engine *promql.Engine) error {
		q, err := engine.NewRangeQuery(ctx, src, nil, expr, from, to, step)
		if err != nil {
			return Problem(err)
		}
		defer q.Close()
		m, err := q.Exec(ctx).Matrix()
		if err != nil {
			return Problem(err)
		}
		for _, s := range m {
			row := Row{Labels: s.Metric}
			for _, p := range s.Floats {
				row.Points = append(row.Points, Point{time.UnixMilli(p.T), p.F})
			}
			if len(row.Points) > 0 {
				out = append(out, row)
			}
		}
		return nil
	})
	return out, err
}

// CheckRange returns an error for a range that goes backwards, has no step or
// too many.
func CheckRange(from, to time.Time, step time.Duration) error {
	switch {
	case to.Before(from):
		return wrong(errors.New("end timestamp must not be before start time"))
	case step < time.Millisecond:
		return wrong(errors.New("zero or negative query resolution step widths are not accepted"))
	case to.Sub(from)/step > maxPoints:
		return wrong(errors.New("exceeded maximum resolution of 11,000 points per timeseries"))
	}
	return nil
}

// View lends the store and the engine for reading. What is read from them may
// be used only until f returns. A reader has only some views at a time.
func (r *Reader) View(ctx context.Context, f func(context.Context, storage.Queryable, *promql.Engine) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	select {
	case r.places <- struct{}{}:
		defer func() { <-r.places }()
	case <-ctx.Done():
		return Problem(ctx.Err())
	}
	r.db.mu.RLock()
	defer r.db.mu.RUnlock()
	if r.db.db == nil {
		return continuity.E(continuity.CodeState, os.ErrClosed)
	}
	return f(ctx, r.db.db, r.db.engine)
}

// Problem gives an error of a query its code.
func Problem(err error) error {
	var known *continuity.Error
	var timeout promql.ErrQueryTimeout
	var canceled promql.ErrQueryCanceled
	var stored promql.ErrStorage
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &timeout), errors.As(err, &canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return continuity.E(continuity.CodeTimeout, err, "query", true)
	case errors.As(err, &stored):
		return continuity.E(continuity.CodeInternal, err)
	}
	return wrong(err)
}

// wrong shows what is wrong with a query in the words of PromQL.
func wrong(err error) error {
	return continuity.E(continuity.CodeInvalid, err, "detail_id", "controlapi.invalid.promql", "said", err.Error())
}
