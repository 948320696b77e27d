package measure_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/measure"
)

// script answers each query with the next of its values; nil is no data.
type script struct{ values [][]float64 }

func (s *script) Query(_ context.Context, _ string, at time.Time) ([]measure.Value, error) {
	next := s.values[0]
	s.values = s.values[1:]
	if len(next) == 1 && next[0] == fails {
		return nil, errors.New("disk gone")
	}
	var out []measure.Value
	for _, v := range next {
		out = append(out, measure.Value{At: at, Value: v})
	}
	return out, nil
}

const fails = -12345

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func named(t *testing.T, text string) measure.Measure {
	t.Helper()
	m, err := measure.NewMeasure("m", text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestThresholdsHaveHysteresisAndKnowWhatTheyDontKnow(t *testing.T) {
	clear := 5.0
	nan := measureNaN()
	for name, c := range map[string]struct {
		rule   measure.Rule
		values [][]float64 // one a minute
		want   string      // first letter of each status, upper case while a warning stands
	}{
		"over at once":           {measure.Rule{Limit: 10}, [][]float64{{10}, {11}, {10}, {9.1}, {9}, {11}}, "kBBBkB"},
		"over for two minutes":   {measure.Rule{Limit: 10, For: 2 * time.Minute}, [][]float64{{11}, {11}, {9}, {11}, {11}, {11}, {8}, {8}, {8}}, "ppkppBBBk"},
		"under":                  {measure.Rule{Limit: 10, Under: true}, [][]float64{{10}, {9}, {10.5}, {11}}, "kBBk"},
		"under zero":             {measure.Rule{Limit: -10, Under: true}, [][]float64{{-10}, {-11}, {-9.5}, {-9}}, "kBBk"},
		"own bound of the end":   {measure.Rule{Limit: 10, Clear: &clear}, [][]float64{{11}, {6}, {5}}, "BBk"},
		"nothing known":          {measure.Rule{Limit: 10}, [][]float64{nil, {1}, nil, {nan}, {fails}, {1}}, "ukuuuk"},
		"a warning without data": {measure.Rule{Limit: 10}, [][]float64{{11}, nil, {9.5}, nil, {1}}, "BUBUk"},
		"no data is not for":     {measure.Rule{Limit: 10, For: 2 * time.Minute}, [][]float64{{11}, nil, {11}, {11}, {11}}, "puppB"},
		"the worst of several":   {measure.Rule{Limit: 10}, [][]float64{{1, 11, 2}, {1, 2}}, "Bk"},
		"NaN beside a value":     {measure.Rule{Limit: 10}, [][]float64{{nan, 11}}, "B"},
	} {
		t.Run(name, func(t *testing.T) {
			n := len(c.values)
			c.rule.ID, c.rule.Measure = "r", named(t, "m")
			source := &script{c.values}
			e := measure.NewEvaluator(source, quiet(), nil)
			set(t, e, c.rule)
			var got strings.Builder
			for i := range n {
				// Every evaluation is the first after a restart.
				at := noon.Add(time.Duration(i) * time.Minute)
				e = measure.NewEvaluator(source, quiet(), e.States(at))
				set(t, e, c.rule)
				e.Evaluate(t.Context(), at)
				s := e.States(at)["r"]
				letter := string(s.Status)[:1]
				if s.Open {
					letter = strings.ToUpper(letter)
				}
				got.WriteString(letter)
			}
			if got.String() != c.want {
				t.Errorf("got %s, want %s", got.String(), c.want)
			}
		})
	}
}

func set(t *testing.T, e *measure.Evaluator, rules ...measure.Rule) {
	t.Helper()
	if err := e.Set(rules, none); err != nil {
		t.Fatal(err)
	}
}

func none(string) bool { return false }

func measureNaN() float64 { zero := 0.0; return zero / zero }

func TestRulesThatCannotWorkAreRefused(t *testing.T) {
	clear := 11.0
	m := named(t, "m")
	for name, rules := range map[string][]measure.Rule{
		"no id":                 {{Measure: m}},
		"no measure":            {{ID: "a"}},
		"no number":             {{ID: "a", Measure: m, Limit: measureNaN()}},
		"ends before it begins": {{ID: "a", Measure: m, Limit: 10, Clear: &clear}},
		"less than no time":     {{ID: "a", Measure: m, For: -1}},
		"two of the same name":  {{ID: "a", Measure: m}, {ID: "a", Measure: m}},
	} {
		e := measure.NewEvaluator(nil, quiet(), nil)
		if err := e.Set(append(rules, measure.Rule{ID: "b", Measure: m}), none); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%s: %v, want invalid", name, err)
		}
		if _, holds := e.States(time.Now())["b"]; !holds {
			t.Errorf("%s: another rule does not hold", name)
		}
	}
}

// TestWhatMayComeBackIsRemembered has rules go, of which one stands in a plan that
// can't be read for the moment.
func TestWhatMayComeBackIsRemembered(t *testing.T) {
	a, b := measure.Rule{ID: "a", Measure: named(t, "m")}, measure.Rule{ID: "b", Measure: named(t, "m")}
	e := measure.NewEvaluator(nil, quiet(), map[string]measure.State{"a": {Open: true}, "b": {Open: true}})
	if err := e.Set(nil, func(id string) bool { return id == "a" }); err != nil {
		t.Fatal(err)
	}
	set(t, e, a, b)
	if s := e.States(time.Now()); !s["a"].Open || s["b"].Open {
		t.Error(s)
	}
}

func TestMeasuresInWords(t *testing.T) {
	for text, want := range map[string]string{
		`rate of orders_total{route="a over b"} over 1h`: `sum(rate(orders_total{route="a over b"}[1h]))`,
		`increase of orders_total`:                       `sum(increase(orders_total[5m]))`,
		`p99.9 of s{route="orders"}`:                     `histogram_quantile(99.9/100, sum by (le) (rate(s_bucket{route="orders"}[5m])))`,
		`share of a{code="5"} in a over 1m`:              `(sum(rate(a{code="5"}[1m])) or 0 * sum(rate(a[1m]))) / sum(rate(a[1m]))`,
		`average of load`:                                `avg(avg_over_time(load[5m]))`,
		`highest of load over 1d`:                        `max(max_over_time(load[1d]))`,
		`lowest of free`:                                 `min(min_over_time(free[5m]))`,
		`age of backup_time`:                             `time() - max(backup_time)`,
		`quantile(0.95, load)`:                           `quantile(0.95, load)`,
	} {
		if got := named(t, text).Exprs[0]; got != want {
			t.Errorf("%s:\n%s, want\n%s", text, got, want)
		}
	}
	for _, bad := range []string{``, `rate of`, `p95 of 5`, `rate of a over much`, `share of a`, `age of a over 5m`, `rate(a)`, `a[5m]`, `"text"`, `p95 of a[5m]`, `share of a in 5`} {
		if m, err := measure.NewMeasure("m", bad); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%q: %v, %v; want invalid", bad, m, err)
		}
	}
}

func TestMeasuresMeasure(t *testing.T) {
	db := open(t, measure.Options{})
	for i := range 31 {
		at, n := noon.Add(time.Duration(i)*10*time.Second), float64(i)
		add(t, db, at, 10*n, "requests_total", "code", "200")
		add(t, db, at, 8*n, "s_bucket", "le", "0.1")
		add(t, db, at, 10*n, "s_bucket", "le", "0.5")
		add(t, db, at, 10*n, "s_bucket", "le", "+Inf")
		add(t, db, at, float64(noon.Unix()), "backup_time")
	}
	end := noon.Add(5 * time.Minute)
	for text, want := range map[string]string{
		`rate of requests_total`:                                        `{}=1`,
		`share of requests_total{code=~"5.."} in requests_total`:        `{}=0`, // none was counted yet
		`share of requests_total{code="200"} in requests_total over 1m`: `{}=1`,
		`share of nothing_total{code="200"} in nothing_total`:           ``,
		`p95 of s`:           `{}=0.4`,
		`age of backup_time`: `{}=300`,
	} {
		if got := query(t, db, named(t, text).Exprs[0], end); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
