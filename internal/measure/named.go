package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"holdfast/internal/continuity"
)

// Measure is a number that a plan gives a name to. Where it has several
// expressions it is the least of them.
type Measure struct {
	Name  string
	Exprs []string // PromQL
}

// Querier evaluates PromQL.
type Querier interface {
	Query(ctx context.Context, expr string, at time.Time) ([]Value, error)
}

// NewMeasure reads a measure as it stands in a plan: PromQL, or one of
//
//	p95 of SERIES            the 95th percentile of a histogram
//	rate of SERIES           how much a counter grows in a second
//	increase of SERIES       how much a counter grows
//	share of SERIES in SERIES   the growth of one counter over that of another
//	average of SERIES        of a gauge, over time and series
//	highest of SERIES, lowest of SERIES
//	age of SERIES            seconds since the time that a gauge holds
//
// each of them but the last over five minutes, or over what "over 1h" at the
// end says. SERIES is a name, with labels if need be: m{route="orders"}.
func NewMeasure(name, text string) (Measure, error) {
	expr, err := translate(strings.TrimSpace(text))
	if err != nil {
		return Measure{}, err
	}
	parsed, err := Parser.ParseExpr(expr)
	if err != nil {
		return Measure{}, invalid("%s", err)
	}
	if t := parsed.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return Measure{}, invalid("%s is a %s, not a number at one time", text, parser.DocumentedType(t))
	}
	return Measure{Name: name, Exprs: []string{expr}}, nil
}

func invalid(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return continuity.E(continuity.CodeInvalid, err, "detail", err.Error())
}

// sugar is never PromQL: there no name follows a name. The duration is cut off
// first, so that "over" in a label's value is left alone.
var (
	sugar    = regexp.MustCompile(`^(p\d{1,2}(?:\.\d+)?|rate|increase|share|average|highest|lowest|age)\s+of\s+(.+)$`)
	overTime = regexp.MustCompile(`^(.*[\w}])\s+over\s+(\w+)$`)
	inWhole  = regexp.MustCompile(`^(.*[\w}])\s+in\s+([a-zA-Z_:{].*)$`)
)

func translate(text string) (string, error) {
	m := sugar.FindStringSubmatch(text)
	if m == nil {
		return text, nil
	}
	word, rest, over := m[1], strings.TrimSpace(m[2]), "5m"
	if o := overTime.FindStringSubmatch(rest); o != nil {
		if _, err := model.ParseDuration(o[2]); err != nil {
			return "", invalid("%q is no duration such as 5m, 1h or 3d", o[2])
		}
		rest, over = o[1], o[2]
		if word == "age" {
			return "", invalid("an age is of now: it takes no \"over\"")
		}
	}
	part, whole := rest, ""
	if word == "share" {
		w := inWhole.FindStringSubmatch(rest)
		if w == nil {
			return "", invalid("a share is of one series in another: share of errors_total in requests_total")
		}
		part, whole = w[1], w[2]
		if err := selects(whole); err != nil {
			return "", err
		}
	}
	if err := selects(part); err != nil {
		return "", err
	}
	switch word {
	case "rate", "increase":
		return "sum(" + word + "(" + part + "[" + over + "]))", nil
	case "share":
		return share(part, whole, over), nil
	case "average":
		return "avg(avg_over_time(" + part + "[" + over + "]))", nil
	case "highest":
		return "max(max_over_time(" + part + "[" + over + "]))", nil
	case "lowest":
		return "min(min_over_time(" + part + "[" + over + "]))", nil
	case "age":
		return "time() - max(" + part + ")", nil
	}
	percent := strings.TrimPrefix(word, "p")
	return "histogram_quantile(" + percent + "/100, sum by (le) (rate(" + ofHistogram(part, "_bucket") + "[" + over + "])))", nil
}

// share is the growth of a part over that of the whole. A part that was never
// counted yet is none; a whole that doesn't grow, or isn't known, has no shares.
func share(part, whole, over string) string {
	all := "sum(rate(" + whole + "[" + over + "]))"
	return "(sum(rate(" + part + "[" + over + "])) or 0 * " + all + ") / " + all
}

// ofHistogram adds the ending of one of a histogram's series to its name.
func ofHistogram(series, ending string) string {
	name, matchers, _ := strings.Cut(series, "{")
	if matchers != "" {
		matchers = "{" + matchers
	}
	return strings.TrimSpace(name) + ending + matchers
}

func selects(series string) error {
	if _, err := Parser.ParseMetricSelector(series); err != nil {
		return invalid("%q is no series such as m or m{route=\"orders\"}: %s", series, err)
	}
	return nil
}

// errUnknown says that a measure has no value.
var errUnknown = errors.New("no data")

// read returns the values of a measure, one for each series it finds, or
// errUnknown where there is none. NaN is no value: a share of nothing, a
// quantile of nothing.
func (m Measure) read(ctx context.Context, from Querier, at time.Time) ([]float64, error) {
	var least []float64
	for i, expr := range m.Exprs {
		found, err := from.Query(ctx, expr, at)
		if err != nil {
			return nil, err
		}
		var values []float64
		for _, v := range found {
			if !math.IsNaN(v.Value) {
				values = append(values, v.Value)
			}
		}
		switch {
		case len(values) == 0:
			return nil, errUnknown
		case i == 0:
			least = values
		default:
			for j := range least {
				least[j] = min(least[j], values[min(j, len(values)-1)])
			}
		}
	}
	if len(least) == 0 {
		return nil, errUnknown
	}
	return least, nil
}
