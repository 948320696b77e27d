package promapi_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"holdfast/internal/measure"
	"holdfast/internal/measure/promapi"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// serve answers from a store with ten minutes of two series.
func serve(t *testing.T) string {
	t.Helper()
	db, err := measure.Open(measure.Options{Dir: t.TempDir(), Now: func() time.Time { return noon.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 11 {
		at := noon.Add(time.Duration(i) * time.Minute)
		if err := db.Append(t.Context(), []measure.Sample{
			{Labels: measure.Series("orders_total", "route", "a"), At: at, Value: float64(60 * i)},
			{Labels: measure.Series("orders_total", "route", "b"), At: at, Value: float64(30 * i)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	now := func() time.Time { return noon.Add(10 * time.Minute) }
	srv := httptest.NewServer(promapi.New(db, "abc", now))
	t.Cleanup(func() {
		srv.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv.URL
}

func TestOfficialClient(t *testing.T) {
	address := serve(t)
	client, err := api.NewClient(api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	prom, ctx, end := v1.NewAPI(client), t.Context(), noon.Add(10*time.Minute)

	check := func(what, got, want string, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", what, got, err, want)
		}
	}
	v, _, _, err := prom.Query(ctx, `rate(orders_total{route="a"}[5m])`, end)
	check("query", v.String(), `{route="a"} => 1 @[1795176600]`, err)
	v, _, _, err = prom.Query(ctx, `1/0`, end, v1.WithTimeout(time.Second))
	check("scalar", v.String(), `scalar: +Inf @[1795176600]`, err)
	v, _, _, err = prom.QueryRange(ctx, `sum(orders_total)`, v1.Range{Start: noon, End: noon.Add(2 * time.Minute), Step: time.Minute})
	check("range", v.String(), "{} =>\n0 @[1795176000]\n90 @[1795176060]\n180 @[1795176120]", err)
	series, _, _, err := prom.Series(ctx, []string{`orders_total{route="b"}`}, noon, end)
	check("series", encode(t, series), `[{"__name__":"orders_total","route":"b"}]`, err)
	series, warnings, _, err := prom.Series(ctx, []string{`orders_total`}, noon, end, v1.WithLimit(1))
	check("series, one of two", encode(t, []any{len(series), warnings}), `[1,["results truncated due to limit"]]`, err)
	names, _, _, err := prom.LabelNames(ctx, nil, noon, end)
	check("labels", encode(t, names), `["__name__","route"]`, err)
	values, _, _, err := prom.LabelValues(ctx, "route", []string{`orders_total`, `none`}, time.Time{}, time.Time{})
	check("values", encode(t, values), `["a","b"]`, err)
	values, _, _, err = prom.LabelValues(ctx, "route", []string{`orders_total`}, end.Add(3*time.Hour), end.Add(4*time.Hour))
	check("values of another time", encode(t, values), `[]`, err)
	meta, err := prom.Metadata(ctx, "", "")
	check("metadata", encode(t, meta), `{}`, err)
	build, err := prom.Buildinfo(ctx)
	check("buildinfo", build.Revision, "abc", err)
	rules, err := prom.Rules(ctx, nil)
	check("rules", encode(t, rules.Groups), `[]`, err)

	_, _, _, err = prom.Query(ctx, `rate(orders_total)`, end)
	if e, ok := err.(*v1.Error); !ok || e.Type != v1.ErrBadData || !strings.Contains(e.Msg, "expected type range vector") {
		t.Errorf("bad query: %v", err)
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestQuestionsThatAreNone(t *testing.T) {
	address := serve(t)
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		"query":                                         {400, "bad_data"},
		"query?query=a&time=yesterday":                  {400, "bad_data"},
		"query?query=a&timeout=x":                       {400, "bad_data"},
		"query_range?query=a&start=1&step=1":            {400, "bad_data"},
		"query_range?query=a&start=2&end=1&step=1":      {400, "bad_data"},
		"query_range?query=a&start=1&end=2&step=0":      {400, "bad_data"},
		"query_range?query=a&start=0&end=100000&step=1": {400, "bad_data"},
		"series":                                  {400, "bad_data"},
		"series?match[]=" + url.QueryEscape("{"):  {400, "bad_data"},
		"labels?limit=-1":                         {400, "bad_data"},
		"admin/tsdb/snapshot":                     {404, "not_found"},
		"query?query=1":                           {200, ""},
		"query?query=a&time=2026-11-20T12:00:00Z": {200, ""},
		"format_query?query=" + url.QueryEscape("sum by(a)(b)"):       {200, ""},
		"query_range?query=a&start=1795176000&end=1795176060&step=1m": {200, ""},
	} {
		res, err := http.Get(address + "/api/v1/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		var answer struct{ Status, ErrorType, Error string }
		if err != nil || json.Unmarshal(body, &answer) != nil || res.StatusCode != want.status || answer.ErrorType != want.kind ||
			(want.kind != "") != (answer.Error != "") || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}

// TestPromtool asks as Prometheus' own program does, where it is installed.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("promtool is in Debian's package prometheus: make needs")
	}
	address := serve(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"instant", "--time=2026-11-20T12:10:00Z", address, "sum(orders_total)"}, "{} => 900 @[1795176600]"},
		{[]string{"range", "--start=1795176000", "--end=1795176060", "--step=1m", address, "sum(orders_total)"}, "90 @[1795176060]"},
		{[]string{"series", "--match=orders_total", address}, `{__name__="orders_total", route="b"}`},
		{[]string{"labels", address, "route"}, "a\nb"},
	} {
		out, err := exec.Command(tool, append([]string{"query"}, c.args...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("promtool query %v: %s, %v", c.args, out, err)
		}
	}
}
