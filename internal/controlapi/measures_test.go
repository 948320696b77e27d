package controlapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
)

// desk has five measures, of which one can't be read. It answers the query "slow"
// once it is let go on.
type desk struct {
	goOn  chan struct{}
	asked []string
}

func (d *desk) Named(string) (all []NamedMeasure) {
	for i := range 5 {
		all = append(all, NamedMeasure{Service: "shop", Name: fmt.Sprint("m", i), Query: fmt.Sprint(i)})
	}
	return all
}

func (d *desk) Query(_ context.Context, expr string, at time.Time) ([]MeasuredRow, error) {
	if expr == "slow" {
		<-d.goOn
		return nil, nil
	}
	d.asked = append(d.asked, expr)
	if expr == "1" {
		return nil, errors.New("unreadable")
	}
	return []MeasuredRow{{Labels: map[string]string{}, Points: []MeasuredPoint{{At: at, Value: new(7.0)}}}}, nil
}

func (d *desk) Range(context.Context, string, time.Time, time.Time, time.Duration) ([]MeasuredRow, error) {
	return nil, nil
}

// newMeasures is the API with nothing but measures; who asks is their own token.
func newMeasures(t *testing.T, d *desk) *api {
	t.Helper()
	h, err := New(Options{
		Authenticate: func(r *http.Request) (Caller, error) {
			name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			return Caller{Actor: continuity.Actor{Kind: "user", ID: name, Via: r.Header.Get("Via")}, Scopes: access.Viewer.Scopes()}, nil
		},
		Version: "1.0", Ready: func() error { return nil }, Logger: slog.New(slog.DiscardHandler), Measures: d,
		Prometheus: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = d.Query(r.Context(), r.FormValue("query"), time.Now())
			_, _ = w.Write([]byte(`{"status":"success"}`))
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &api{server: h.(*server)}
}

// TestMeasuresArePaged reads the values of the page alone.
func TestMeasuresArePaged(t *testing.T) {
	d := &desk{}
	a := newMeasures(t, d)
	var got []string
	for cursor := ""; ; {
		var page Page[NamedMeasure]
		if err := json.NewDecoder(a.ask(t, http.MethodGet, "/api/v1/measures?limit=2&cursor="+url.QueryEscape(cursor), "").Body).Decode(&page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Items {
			got = append(got, fmt.Sprint(m.Name, " ", m.Value != nil))
		}
		got = append(got, fmt.Sprint(len(d.asked)))
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if all := strings.Join(got, ", "); all != "m0 true, m1 false, 2, m2 true, m3 true, 4, m4 true, 5" {
		t.Error(all)
	}
}

// TestQueriesOfOneCaller lets one have two queries running at a time, by whatever
// way: a third waits its turn, not for long, and others don't wait for them.
func TestQueriesOfOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{goOn: make(chan struct{})}
		a := newMeasures(t, d)
		ask := func(who, path string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/api/v1/"+path, http.NoBody)
			r.Header.Set("Authorization", "Bearer "+who)
			r.Header.Set("Via", path)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			return w
		}
		late := make(chan *httptest.ResponseRecorder, 3)
		for _, path := range []string{"measures/query?query=slow", "prometheus/api/v1/query?query=slow"} {
			go func() { late <- ask("ann", path) }()
		}
		synctest.Wait()
		for _, path := range []string{"measures", "measures/query?query=1%2B1", "prometheus/api/v1/query?query=1"} {
			began := time.Now()
			w := ask("ann", path)
			if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "5" || time.Since(began) != 5*time.Second {
				t.Errorf("%s: %d after %s, %v", path, w.Code, time.Since(began), w.Header())
			}
			want := `"code":"client-limit"`
			if strings.HasPrefix(path, "prometheus") {
				want = `{"status":"error","errorType":"unavailable",`
			}
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %s", path, w.Body)
			}
			if w := ask("bob", path); w.Code == http.StatusTooManyRequests {
				t.Errorf("bob waits for ann: %s", w.Body)
			}
		}
		go func() { late <- ask("ann", "measures/query?query=2") }()
		synctest.Wait()
		close(d.goOn)
		for range 3 {
			if w := <-late; w.Code != http.StatusOK {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if len(a.turns.of) != 0 {
			t.Errorf("%d callers are remembered", len(a.turns.of))
		}
	})
}
