package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
)

const secret = "a-token-of-more-than-thirty-two-characters"

// relay is a relay with two records whose receipts begin alike.
type relay struct {
	notReady error
	acts     []api.ActRequest
	switches []api.SwitchRequest
	query    api.Query
}

var (
	first  = continuity.Receipt{1, 2, 3, 4}
	second = continuity.Receipt{1, 2, 3, 5, 6, 7}
)

func (f *relay) Status(context.Context) (api.Status, error) {
	return api.Status{State: api.StateReady, Routes: []api.Route{{ID: "orders"}, {ID: "returns"}}}, nil
}
func (f *relay) Ready() error { return f.notReady }
func (f *relay) Find(_ context.Context, prefix string, _ int) ([]continuity.Receipt, error) {
	var found []continuity.Receipt
	for _, r := range []continuity.Receipt{first, second} {
		if strings.HasPrefix(r.String(), prefix) {
			found = append(found, r)
		}
	}
	return found, nil
}
func (f *relay) List(_ context.Context, q api.Query) (api.Page[api.Record], error) {
	f.query = q
	return api.Page[api.Record]{Items: []api.Record{{Receipt: first.String()}}, Next: "n"}, nil
}
func (f *relay) Record(_ context.Context, r continuity.Receipt) (api.Record, error) {
	return api.Record{Receipt: r.String(), State: "dead", Version: 3}, nil
}
func (f *relay) Body(context.Context, continuity.Receipt, bool) ([]byte, string, error) {
	return []byte(`{"name":"Wang"}`), "application/json", nil
}
func (f *relay) Act(_ context.Context, r continuity.Receipt, a api.ActRequest) (api.ActResult, error) {
	f.acts = append(f.acts, a)
	if a.Version != 3 {
		return api.ActResult{}, continuity.E(continuity.CodeVersion, nil)
	}
	return api.ActResult{Record: api.Record{Receipt: r.String(), State: "queued"}}, nil
}
func (f *relay) Switches(string) ([]api.Switch, error) { return nil, nil }
func (f *relay) Switch(s api.SwitchRequest) ([]api.Switch, error) {
	f.switches = append(f.switches, s)
	return []api.Switch{{Route: s.Route, Owner: "operator:" + s.Person}}, nil
}
func (f *relay) Reload(context.Context) (api.ReloadResult, error) {
	return api.ReloadResult{Applied: false, Problems: []api.Problem{{File: "relay.yaml", Line: 3, Column: 7}}}, nil
}
func (f *relay) Replace(context.Context) error { return nil }
func (f *relay) Reconcile(context.Context, api.ReconcileQuery) (api.Reconciliation, error) {
	return api.Reconciliation{}, errors.New("dsn with password=hunter2")
}
func (f *relay) Report(context.Context, string) (api.Report, error) { return api.Report{}, nil }

func start(t *testing.T) (*relay, *httptest.Server, *bytes.Buffer) {
	t.Helper()
	f, logs := &relay{}, &bytes.Buffer{}
	handler := api.New(api.Options{
		Overview: f, Records: f, Control: f, Token: endpoint.NewToken(secret),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }),
		Logger:  slog.New(slog.NewJSONHandler(logs, nil)),
	})
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return f, srv, logs
}

func TestWhoMayAsk(t *testing.T) {
	_, srv, logs := start(t)
	good := "Bearer " + secret
	for name, tc := range map[string]struct {
		path, auth, host, origin string
		want                     int
	}{
		"token":              {path: "/api/v1/status", auth: good, want: 200},
		"scheme's case":      {path: "/api/v1/status", auth: "bearer " + secret, want: 200},
		"none":               {path: "/api/v1/status", want: 401},
		"empty":              {path: "/api/v1/status", auth: "Bearer ", want: 401},
		"wrong":              {path: "/api/v1/status", auth: good + "x", want: 401},
		"basic":              {path: "/api/v1/status", auth: "Basic " + secret, want: 401},
		"in the URL":         {path: "/api/v1/status?token=" + secret + "&access_token=" + secret, want: 401},
		"body without":       {path: "/api/v1/records/" + first.String() + "/body", want: 401},
		"unknown path":       {path: "/api/v1/nothing", auth: good, want: 404},
		"rebound name":       {path: "/api/v1/status", auth: good, host: "evil.example", want: 401},
		"rebound metrics":    {path: "/metrics", host: "evil.example:8080", want: 401},
		"loopback lookalike": {path: "/metrics", host: "127.0.0.1.evil.example", want: 401},
		"localhost":          {path: "/metrics", host: "localhost:1", want: 200},
		"IPv6":               {path: "/metrics", host: "[::1]:9", want: 200},
		"a page's request":   {path: "/api/v1/status", auth: good, origin: "http://127.0.0.1", want: 401},
		"metrics":            {path: "/metrics", want: 200},
		"healthz":            {path: "/healthz", want: 200},
		"readyz":             {path: "/readyz", want: 200},
	} {
		t.Run(name, func(t *testing.T) {
			req, _ := http.NewRequest(http.MethodGet, srv.URL+tc.path, nil)
			if tc.auth != "" {
				req.Header.Set("Authorization", tc.auth)
			}
			if tc.origin != "" {
				req.Header.Set("Origin", tc.origin)
			}
			if tc.host != "" {
				req.Host = tc.host
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != tc.want {
				t.Errorf("got %d %s, want %d", resp.StatusCode, body, tc.want)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a CORS field was sent")
			}
			if strings.Contains(string(body), secret) {
				t.Error("the answer shows the token")
			}
		})
	}
	if strings.Contains(logs.String(), secret) {
		t.Errorf("the log shows the token: %s", logs)
	}
}

func TestNotReady(t *testing.T) {
	f, srv, _ := start(t)
	f.notReady = continuity.E(continuity.CodeLatched, nil)
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200} {
		resp, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func client(srv *httptest.Server) *api.Client {
	return api.NewClient(srv.URL, secret, "li.wei", catalogue.En)
}

func TestReceiptsMayBeShortened(t *testing.T) {
	_, srv, _ := start(t)
	ctx, c := context.Background(), client(srv)
	for name, tc := range map[string]struct {
		receipt string
		want    string
		code    continuity.Code
	}{
		"whole":     {first.String(), first.String(), ""},
		"unique":    {second.String()[:8], second.String(), ""},
		"ambiguous": {first.String()[:4], "", continuity.CodeInvalid},
		"too short": {"0", "", continuity.CodeInvalid},
		"unknown":   {"zzzzz", "", continuity.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			rec, err := c.Record(ctx, tc.receipt)
			if continuity.CodeOf(err) != tc.code || rec.Receipt != tc.want {
				t.Errorf("got %q, %v", rec.Receipt, err)
			}
			var e *continuity.Error
			if name == "ambiguous" && errors.As(err, &e) && !strings.Contains(e.Args["list"].(string), second.String()) {
				t.Errorf("the candidates are missing: %v", e.Args)
			}
		})
	}
}

func TestReadingABodyIsLogged(t *testing.T) {
	_, srv, logs := start(t)
	body, contentType, err := client(srv).Body(context.Background(), first.String(), false)
	if err != nil || string(body) != `{"name":"Wang"}` || contentType != "application/json" {
		t.Fatal(string(body), contentType, err)
	}
	line := logs.String()
	if !strings.Contains(line, `"person":"li.wei"`) || !strings.Contains(line, first.Short()) {
		t.Errorf("the log lacks person or receipt: %s", line)
	}
	if strings.Contains(line, "Wang") || strings.Contains(line, first.String()) {
		t.Errorf("the log shows too much: %s", line)
	}
	nobody := api.NewClient(srv.URL, secret, "", catalogue.En)
	if _, _, err := nobody.Body(context.Background(), first.String(), false); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("an unnamed person read a body: %v", err)
	}
}

func TestActsNeedPersonAndReason(t *testing.T) {
	f, srv, _ := start(t)
	ctx, c := context.Background(), client(srv)
	whole := api.ActRequest{Verb: continuity.VerbRetry, Version: 3, Person: "li.wei", Why: "shop is back"}
	for name, tc := range map[string]struct {
		change func(*api.ActRequest)
		code   continuity.Code
	}{
		"whole":       {func(*api.ActRequest) {}, ""},
		"no person":   {func(a *api.ActRequest) { a.Person = " " }, continuity.CodeInvalid},
		"no reason":   {func(a *api.ActRequest) { a.Why = "" }, continuity.CodeInvalid},
		"long reason": {func(a *api.ActRequest) { a.Why = strings.Repeat("止", 1001) }, continuity.CodeInvalid},
		"control":     {func(a *api.ActRequest) { a.Person = "li\x1b[2Jwei" }, continuity.CodeInvalid},
		"old version": {func(a *api.ActRequest) { a.Version = 2 }, continuity.CodeVersion},
	} {
		t.Run(name, func(t *testing.T) {
			a := whole
			tc.change(&a)
			before := len(f.acts)
			_, err := c.Act(ctx, first.String(), a)
			if continuity.CodeOf(err) != tc.code {
				t.Errorf("got %v, want %q", err, tc.code)
			}
			if reached := len(f.acts) > before; reached != (tc.code != continuity.CodeInvalid) {
				t.Errorf("reached the ledger: %v", reached)
			}
		})
	}
	if _, err := c.Switch(ctx, api.SwitchRequest{Route: "orders", Intake: "hold", Person: "li.wei"}); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("a switch without reason: %v", err)
	}
	got, err := c.Switch(ctx, api.SwitchRequest{Route: "orders", Intake: "hold", Person: "li.wei", Why: "window"})
	if diff := cmp.Diff([]api.Switch{{Route: "orders", Owner: "operator:li.wei"}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestBadInputIsRefused(t *testing.T) {
	f, srv, _ := start(t)
	post := func(path, body string) int {
		req, _ := http.NewRequest(http.MethodPost, srv.URL+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	acts := "/api/v1/records/" + first.String() + "/acts"
	for name, got := range map[string]int{
		"unknown field": post(acts, `{"verb":"retry","person":"a","why":"b","wiht":1}`),
		"two values":    post(acts, `{"verb":"retry","person":"a","why":"b"}{}`),
		"no JSON":       post(acts, `x`),
		"too large":     post("/api/v1/switches", `{"why":"`+strings.Repeat("x", 70<<10)+`"}`),
	} {
		if got != 400 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if len(f.acts)+len(f.switches) != 0 {
		t.Error("bad input was acted on")
	}
	ctx, c := context.Background(), client(srv)
	if _, err := c.List(ctx, api.Query{Limit: 100000}); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("limit: %v", err)
	}
	want := api.Query{Route: "orders", Key: "A-1", Cursor: "c", Limit: 5, States: []continuity.State{continuity.Dead, continuity.Parked}}
	page, err := c.List(ctx, want)
	if diff := cmp.Diff(want, f.query); err != nil || diff != "" || page.Next != "n" {
		t.Error(err, diff, page)
	}
}

func TestCausesStayInTheLog(t *testing.T) {
	_, srv, logs := start(t)
	_, err := client(srv).Reconcile(context.Background(), api.ReconcileQuery{Route: "orders"})
	if continuity.CodeOf(err) != continuity.CodeInternal || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(logs.String(), "admin request failed") {
		t.Error("the failure is not in the log")
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "admin.token")
	made, err := endpoint.ReadOrCreateToken(path)
	if err != nil || len(made) < 32 {
		t.Fatal(made, err)
	}
	info, _ := os.Stat(path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	again, err := endpoint.ReadOrCreateToken(path)
	if err != nil || again != made {
		t.Errorf("a second start made another token: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := endpoint.ReadOrCreateToken(path); err == nil || strings.Contains(err.Error(), made) {
		t.Errorf("a readable token file: %v", err)
	}
}

func TestClientWithoutRelay(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	c := client(srv)
	if _, err := c.Status(context.Background()); continuity.CodeOf(err) != continuity.CodeUnreachable {
		t.Errorf("another server: %v", err)
	}
	srv.Close()
	if _, err := c.Status(context.Background()); continuity.CodeOf(err) != continuity.CodeUnreachable {
		t.Errorf("no server: %v", err)
	}
}
