package promapi

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
)

// maxNames bounds lists of series, labels and values.
const maxNames = 50_000

// look lends a querier for the time that a question names, and how many things
// it may return.
func (a *api) look(r *http.Request, f func(context.Context, storage.Querier, *storage.SelectHints) (any, []string, error)) (any, error) {
	from, err := moment(r.Form.Get("start"), time.UnixMilli(0))
	if err != nil {
		return nil, err
	}
	to, err := moment(r.Form.Get("end"), time.UnixMilli(math.MaxInt64/1000))
	if err != nil {
		return nil, err
	}
	limit := maxNames
	if text := r.Form.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, bad(errors.New("limit must be non-negative"))
		}
		if n > 0 {
			limit = min(n, maxNames)
		}
	}
	var out found
	err = a.from.View(r.Context(), func(ctx context.Context, src storage.Queryable, _ *promql.Engine) error {
		q, err := src.Querier(from.UnixMilli(), to.UnixMilli())
		if err != nil {
			return err
		}
		defer func() { _ = q.Close() }()
		out.data, out.warnings, err = f(ctx, q, &storage.SelectHints{Start: from.UnixMilli(), End: to.UnixMilli(), Limit: limit, Func: "series"})
		return err
	})
	return out, err
}

var truncated = []string{"results truncated due to limit"}

func (a *api) series(r *http.Request) (any, error) {
	sets, err := matcherSets(r, true)
	if err != nil {
		return nil, err
	}
	return a.look(r, func(ctx context.Context, q storage.Querier, hints *storage.SelectHints) (any, []string, error) {
		var all []storage.SeriesSet
		for _, matchers := range sets {
			all = append(all, q.Select(ctx, true, hints, matchers...))
		}
		out := []labels.Labels{}
		merged := storage.NewMergeSeriesSet(all, 0, storage.ChainedSeriesMerge)
		for merged.Next() {
			if len(out) == hints.Limit {
				return out, truncated, nil
			}
			out = append(out, merged.At().Labels())
		}
		return out, nil, merged.Err()
	})
}

func (a *api) labels(r *http.Request) (any, error) {
	return a.names(r, func(ctx context.Context, q storage.Querier, m []*labels.Matcher) ([]string, error) {
		names, _, err := q.LabelNames(ctx, nil, m...)
		return names, err
	})
}

func (a *api) values(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if name == "" {
		return nil, bad(errors.New("a label has a name"))
	}
	return a.names(r, func(ctx context.Context, q storage.Querier, m []*labels.Matcher) ([]string, error) {
		values, _, err := q.LabelValues(ctx, name, nil, m...)
		return values, err
	})
}

// names puts together what is found for each selector, or for all series if
// there is none.
func (a *api) names(r *http.Request, f func(context.Context, storage.Querier, []*labels.Matcher) ([]string, error)) (any, error) {
	sets, err := matcherSets(r, false)
	if err != nil {
		return nil, err
	}
	if len(sets) == 0 {
		sets = [][]*labels.Matcher{nil}
	}
	return a.look(r, func(ctx context.Context, q storage.Querier, hints *storage.SelectHints) (any, []string, error) {
		seen := map[string]bool{}
		for _, matchers := range sets {
			names, err := f(ctx, q, matchers)
			if err != nil {
				return nil, nil, err
			}
			for _, name := range names {
				seen[name] = true
			}
		}
		out := slices.AppendSeq(make([]string, 0, len(seen)), maps.Keys(seen))
		slices.Sort(out)
		if len(out) > hints.Limit {
			return out[:hints.Limit], truncated, nil
		}
		return out, nil, nil
	})
}
