package reconcile_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/reconcile"
)

// listed serves pages, by request URI, to those who bear the token.
func listed(t *testing.T, token string, pages map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.RequestURI()]
		switch {
		case token != "" && r.Header.Get("Authorization") != "Bearer "+token:
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		case strings.HasPrefix(page, "-> "):
			http.Redirect(w, r, page[3:], http.StatusFound)
		default:
			fmt.Fprint(w, page)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestRule9_1_ReconcilesWithAListOverHTTP(t *testing.T) {
	for name, test := range map[string]struct {
		first string
		how   continuity.Pages
		pages map[string]string
	}{
		"by address": {"/orders?limit=2", continuity.Pages{Items: "/data/orders", Next: "/links/next"}, map[string]string{
			"/orders?limit=2":        `{"data":{"orders":[{"no":"A-1","sum":12.50,"cur":"CNY"},{"no":"A-2","sum":"100","cur":"CNY"}]},"links":{"next":"/orders?limit=2&page=2"}}`,
			"/orders?limit=2&page=2": `{"data":{"orders":[{"no":"A-3","sum":31.00,"cur":"CNY"},{"no":4,"sum":5e0,"cur":"CNY"}]},"links":{"next":"?limit=2&page=3"}}`,
			"/orders?limit=2&page=3": `{"data":{"orders":[{"no":"passed","sum":1,"cur":"CNY"},{"sum":1}]},"links":{"next":null}}`,
		}},
		"by cursor": {"/orders?limit=2", continuity.Pages{Items: "/rows", Next: "/after", Cursor: "after"}, map[string]string{
			"/orders?limit=2":               `{"rows":[{"no":"A-1","sum":12.50,"cur":"CNY"},{"no":"A-2","sum":"100","cur":"CNY"}],"after":17}`,
			"/orders?after=17&limit=2":      `{"rows":[{"no":"A-3","sum":31.00,"cur":"CNY"},{"no":4,"sum":5e0,"cur":"CNY"}],"after":"a b&c"}`,
			"/orders?after=a+b%26c&limit=2": `{"rows":[{"no":"passed","sum":1,"cur":"CNY"},{"sum":1}],"after":""}`,
		}},
		"one page": {"/all", continuity.Pages{}, map[string]string{
			"/all": `[{"no":"A-1","sum":12.50,"cur":"CNY"},{"no":"A-2","sum":"100","cur":"CNY"},{"no":"A-3","sum":31.00,"cur":"CNY"},{"no":4,"sum":5e0,"cur":"CNY"},{"no":"passed","sum":1,"cur":"CNY"},{"sum":1}]`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			how := test.how
			how.Token, how.Key, how.Amount, how.Currency = "t0ken", "/no", "/sum", "/cur"
			cfg := continuity.Reconcile{Driver: "http", DSN: listed(t, "t0ken", test.pages) + test.first, Pages: &how, Amount: "/amount"}
			r := run(t, reconcile.Options{Config: cfg, Records: each(
				rec(1, "A-1", delivered, "12.5"), rec(2, "A-2", delivered, "100"), rec(3, "A-3", delivered, "30"), rec(4, "4", inDoubt, "5"), rec(5, "A-5", delivered, "5"),
			)})
			want := []string{
				"missing A-5 delivered ours=5 theirs= rows=0 records=1",
				"differing A-3 delivered ours=30 theirs=31 rows=1 records=1",
				"there 4 in-doubt ours=5 theirs= rows=1 records=0",
			}
			if diff := cmp.Diff(want, brief(r)); diff != "" || r.Upstream != 6 || r.Passed != 2 {
				t.Errorf("%s%+v", diff, r)
			}
			if diff := cmp.Diff([]reconcile.Sum{{Currency: "CNY", Amount: "148.50"}}, r.Sums); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A list that was not read to its end gives no report.
func TestAListOverHTTPIsWholeOrNoReport(t *testing.T) {
	const item = `{"no":"A-1"}`
	for name, test := range map[string]struct {
		pages map[string]string
		want  string
	}{
		"no second page":     {map[string]string{"/": `{"rows":[` + item + `],"next":"/2"}`}, "status 404"},
		"in a circle":        {map[string]string{"/": `{"rows":[],"next":"/2"}`, "/2": `{"rows":[],"next":"/"}`}, "read already"},
		"to another host":    {map[string]string{"/": `{"rows":[],"next":"http://elsewhere.example/"}`}, "another host"},
		"a redirect":         {map[string]string{"/": "-> /2", "/2": `{"rows":[]}`}, "status 302"},
		"not JSON":           {map[string]string{"/": `<html>`}, "not JSON"},
		"cut":                {map[string]string{"/": `{"rows":[` + item}, "not JSON"},
		"two values":         {map[string]string{"/": `{"rows":[]} {}`}, "more than one"},
		"no list":            {map[string]string{"/": `{"error":"busy"}`}, "no list at json:/rows"},
		"a list of no items": {map[string]string{"/": `{"rows":["A-1"]}`}, "no object"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := continuity.Reconcile{Driver: "http", DSN: listed(t, "", test.pages) + "/", Pages: &continuity.Pages{Items: "/rows", Key: "/no", Next: "/next"}}
			r, err := reconcile.Run(t.Context(), reconcile.Options{Config: cfg, Records: each(rec(1, "A-1", delivered, ""))})
			var e *continuity.Error
			if !errors.As(err, &e) || r != nil || e.Args["step"] != "pages" || !strings.Contains(fmt.Sprint(e.Args["text"]), test.want) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}
