package promapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"holdfast/internal/continuity"
	"holdfast/internal/measure"
)

// Source is where the measures are.
type Source interface {
	View(context.Context, func(context.Context, storage.Queryable, *promql.Engine) error) error
}

// maxForm bounds a question; an expression is no book.
const maxForm = 1 << 20

type api struct {
	from    Source
	version string
	now     func() time.Time
}

// New makes the handler of everything below /api/v1/.
func New(from Source, version string, now func() time.Time) http.Handler {
	a := &api{from: from, version: version, now: now}
	mux := http.NewServeMux()
	both := func(path string, h func(*http.Request) (any, error)) {
		mux.Handle("GET /api/v1/"+path, answer(h))
		mux.Handle("POST /api/v1/"+path, answer(h))
	}
	both("query", a.query)
	both("query_range", a.queryRange)
	both("series", a.series)
	both("labels", a.labels)
	both("format_query", a.format)
	mux.Handle("GET /api/v1/label/{name}/values", answer(a.values))
	mux.Handle("GET /api/v1/metadata", answer(a.metadata))
	mux.Handle("GET /api/v1/status/buildinfo", answer(a.build))
	// Grafana asks for these wherever it finds a Prometheus; there are none.
	mux.Handle("GET /api/v1/rules", answer(func(*http.Request) (any, error) { return map[string]any{"groups": []any{}}, nil }))
	both("query_exemplars", func(*http.Request) (any, error) { return []any{}, nil })
	mux.Handle("/", answer(func(*http.Request) (any, error) { return nil, errNotFound }))
	return mux
}

var errNotFound = continuity.E(continuity.CodeNotFound, errors.New("no such question"))

func answer(h func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		var data any
		err := r.ParseForm()
		if err != nil {
			err = bad(err)
		} else {
			data, err = h(r)
		}
		w.Header().Set("Content-Type", "application/json")
		body := map[string]any{"status": "success", "data": data}
		if err != nil {
			kind, status := kindOf(err)
			w.WriteHeader(status)
			body = map[string]any{"status": "error", "errorType": kind, "error": cause(err)}
		} else if f, ok := data.(found); ok {
			body["data"] = f.data
			if len(f.warnings) > 0 {
				body["warnings"] = f.warnings
			}
		}
		_ = json.NewEncoder(w).Encode(body) // who asked has gone
	})
}

// found is data with what is to be said of it.
type found struct {
	data     any
	warnings []string
}

func bad(err error) error { return continuity.E(continuity.CodeInvalid, err) }

// cause is what clients of Prometheus show: the parser's own words, in English.
func cause(err error) string {
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return err.Error()
}

func kindOf(err error) (string, int) {
	var tooMany promql.ErrTooManySamples
	switch code := continuity.CodeOf(err); {
	case errors.As(err, &tooMany):
		return "execution", http.StatusUnprocessableEntity
	case code == continuity.CodeInvalid:
		return "bad_data", http.StatusBadRequest
	case code == continuity.CodeTimeout:
		return "timeout", http.StatusServiceUnavailable
	case code == continuity.CodeNotFound:
		return "not_found", http.StatusNotFound
	case code == continuity.CodeState:
		return "unavailable", http.StatusServiceUnavailable
	}
	return "internal", http.StatusInternalServerError
}

func (a *api) query(r *http.Request) (any, error) {
	at, err := moment(r.Form.Get("time"), a.now())
	if err != nil {
		return nil, err
	}
	return a.run(r, func(ctx context.Context, q storage.Queryable, engine *promql.Engine) (promql.Query, error) {
		return engine.NewInstantQuery(ctx, q, nil, r.Form.Get("query"), at)
	})
}

func (a *api) queryRange(r *http.Request) (any, error) {
	from, err := moment(r.Form.Get("start"), time.Time{})
	if err != nil {
		return nil, err
	}
	to, err := moment(r.Form.Get("end"), time.Time{})
	if err != nil {
		return nil, err
	}
	step, err := duration(r.Form.Get("step"))
	if err != nil {
		return nil, err
	}
	if from.IsZero() || to.IsZero() {
		return nil, bad(errors.New("start and end are needed"))
	}
	if err := measure.CheckRange(from, to, step); err != nil {
		return nil, err
	}
	return a.run(r, func(ctx context.Context, q storage.Queryable, engine *promql.Engine) (promql.Query, error) {
		return engine.NewRangeQuery(ctx, q, nil, r.Form.Get("query"), from, to, step)
	})
}

func (a *api) run(r *http.Request, prepare func(context.Context, storage.Queryable, *promql.Engine) (promql.Query, error)) (any, error) {
	ctx := r.Context()
	if text := r.Form.Get("timeout"); text != "" {
		limit, err := duration(text)
		if err != nil {
			return nil, err
		}
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	var out found
	err := a.from.View(ctx, func(ctx context.Context, src storage.Queryable, engine *promql.Engine) error {
		q, err := prepare(ctx, src, engine)
		if err != nil {
			return measure.Problem(err)
		}
		defer q.Close()
		res := q.Exec(ctx)
		if res.Err != nil {
			return measure.Problem(res.Err)
		}
		warnings, infos := res.Warnings.AsStrings(r.Form.Get("query"), 10, 10)
		// The values are the engine's until the query is closed: encode them now.
		data, err := json.Marshal(map[string]any{"resultType": res.Value.Type(), "result": res.Value})
		out = found{json.RawMessage(data), append(warnings, infos...)}
		return err
	})
	return out, err
}

func (a *api) format(r *http.Request) (any, error) {
	expr, err := measure.Parser.ParseExpr(r.Form.Get("query"))
	if err != nil {
		return nil, bad(err)
	}
	return expr.Pretty(0), nil
}

func (a *api) build(*http.Request) (any, error) {
	// Which questions a client may ask it concludes from the version.
	return map[string]string{
		"version": "3.0.0", "revision": a.version, "branch": "holdfast",
		"buildUser": "", "buildDate": "", "goVersion": runtime.Version(),
	}, nil
}

// metadata has nothing to tell: the store keeps values, not what they are for.
func (a *api) metadata(*http.Request) (any, error) { return map[string]any{}, nil }

func moment(text string, fallback time.Time) (time.Time, error) {
	if text == "" {
		return fallback, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(f) || math.Abs(f) > 1e11 {
			return time.Time{}, bad(errors.New("cannot parse \"" + text + "\" to a valid timestamp"))
		}
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, bad(errors.New("cannot parse \"" + text + "\" to a valid timestamp"))
	}
	return t, nil
}

func duration(text string) (time.Duration, error) {
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1e9 {
		return time.Duration(f * float64(time.Second)), nil
	}
	d, err := model.ParseDuration(text)
	if err != nil {
		return 0, bad(errors.New("cannot parse \"" + text + "\" to a valid duration"))
	}
	return time.Duration(d), nil
}

// matcherSets reads the selectors of match[].
func matcherSets(r *http.Request, needed bool) ([][]*labels.Matcher, error) {
	texts := r.Form["match[]"]
	if len(texts) == 0 && needed {
		return nil, bad(errors.New("no match[] parameter provided"))
	}
	sets, err := measure.Parser.ParseMetricSelectors(texts)
	if err != nil {
		return nil, bad(err)
	}
	return sets, nil
}
