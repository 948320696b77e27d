package controlapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// api is the API over a real database, with a thing to read, to edit and to make.
type api struct {
	*server

	store  *store.Store
	now    time.Time
	made   atomic.Int64
	block  chan struct{} // not nil: making waits until it is closed
	begun  chan struct{} // closed then
	router routers.Router
	failAs continuity.Code // what making ends with; empty: it succeeds
}

type thing struct {
	Name string `json:"name" minLength:"2"`
	Size int    `json:"size,omitempty" minimum:"1"`
}

// feed adds waiting to the store, as a node does.
type feed struct{ *store.Store }

func (f feed) After(ctx context.Context, seq int64, most int) ([]continuity.AuditEvent, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := f.EventsSince(ctx, seq, most)
		if len(page) > 0 || err != nil {
			return page, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	var err error
	if a.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.store.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := New(Options{
		Authenticate: func(r *http.Request) (Caller, error) {
			name, role, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), "/")
			if !ok {
				return Caller{}, continuity.E(continuity.CodeForbidden, nil, "control", true)
			}
			return Caller{Actor: continuity.Actor{Kind: "user", ID: name, Via: "api"}, Name: name, Scopes: access.Role(role).Scopes()}, nil
		},
		Version: "1.0", Answers: a.store, Ready: func() error { return nil }, Logger: slog.New(slog.DiscardHandler),
		Events: feed{a.store}, Names: []string{"holdfast.example"}, Now: func() time.Time { return a.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	a.server = h.(*server)
	register(a.server, operation{Method: http.MethodPut, Path: "/api/v1/things/{id}", ID: "test.put", Scope: access.PlansWrite, Edit: true}, a.putThing)
	register(a.server, operation{Method: http.MethodPost, Path: "/api/v1/things", ID: "test.make", Scope: access.PlansWrite, Status: http.StatusCreated}, a.makeThing)
	register(a.server, operation{Method: http.MethodPost, Path: "/api/v1/secrets", ID: "test.secret", Scope: access.PlansWrite, Private: true}, a.makeThing)
	return a
}

func (a *api) putThing(ctx context.Context, in *struct {
	ID   string `path:"id"`
	Body thing
}) (*object[thing], error) {
	body, err := json.Marshal(in.Body)
	if err != nil {
		return nil, err
	}
	changed, err := a.store.Apply(ctx, actorOf(ctx), []continuity.Change{{Kind: "thing", ID: in.ID, Version: versionOf(ctx), Body: body, Action: "thing.put"}})
	if err != nil {
		return nil, err
	}
	return objectOf(in.Body, changed[0].Version), nil
}

func (a *api) makeThing(_ context.Context, in *struct{ Body thing }) (*plain[thing], error) {
	n := a.made.Add(1)
	if a.block != nil {
		close(a.begun)
		<-a.block
	}
	if a.failAs != "" {
		return nil, continuity.E(a.failAs, errors.New("as the test wants"))
	}
	return &plain[thing]{thing{Name: fmt.Sprint(in.Body.Name, n), Size: in.Body.Size}}, nil
}

// ask sends a request as ann the operator, and holds the answer to the OpenAPI
// document.
func (a *api) ask(t *testing.T, method, path, body string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer ann/operator")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	a.holdToDocument(t, r, w)
	return w.Result()
}

func (a *api) holdToDocument(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	if a.router == nil {
		text, err := a.document(catalogue.En)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		if a.router, err = legacy.NewRouter(doc); err != nil {
			t.Fatal(err)
		}
	}
	route, params, err := a.router.FindRoute(r)
	if err != nil {
		return // no operation: the caller looks at the answer
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: the answer is not as the OpenAPI document says: %v", r.Method, r.URL, err)
	}
}

func textOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func failureIn(t *testing.T, r *http.Response) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal([]byte(textOf(t, r)), &f); err != nil || r.Header.Get("Content-Type") != "application/problem+json" || f.Status != r.StatusCode {
		t.Fatal(r.Header, f, err)
	}
	return f
}

func TestNothingWithoutAScope(t *testing.T) {
	a := newAPI(t)
	for name, c := range map[string]struct {
		bearer string
		status int
		code   continuity.Code
	}{
		"nobody":       {"", http.StatusUnauthorized, continuity.CodeForbidden},
		"a viewer":     {"Bearer eve/viewer", http.StatusForbidden, continuity.CodeScope},
		"no such role": {"Bearer eve/root", http.StatusForbidden, continuity.CodeScope},
	} {
		t.Run(name, func(t *testing.T) {
			r := a.ask(t, http.MethodPost, "/api/v1/things", `{"name":"anvil"}`, "Authorization", c.bearer)
			if f := failureIn(t, r); r.StatusCode != c.status || f.Code != c.code || a.made.Load() != 0 {
				t.Error(r.StatusCode, f, a.made.Load())
			}
		})
	}
	defer func() {
		if recover() == nil {
			t.Error("an operation without a scope was registered")
		}
	}()
	register(a.server, operation{Method: http.MethodGet, Path: "/api/v1/open", ID: "test.open"}, a.eventsHead)
}

func TestForeignPagesAreRefused(t *testing.T) {
	a := newAPI(t)
	for name, c := range map[string]struct {
		host, origin string
		status       int
	}{
		"an address":     {"10.1.2.3:9800", "", http.StatusOK},
		"localhost":      {"localhost:9800", "", http.StatusOK},
		"its name":       {"Holdfast.Example", "", http.StatusOK},
		"its own page":   {"holdfast.example:1", "https://holdfast.example:1", http.StatusOK},
		"a rebound name": {"evil.example", "", http.StatusUnauthorized},
		"another page":   {"127.0.0.1:9800", "https://evil.example", http.StatusUnauthorized},
		"no page":        {"127.0.0.1:9800", "null", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
			r.Host = c.host
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Error(w.Code, w.Body)
			}
		})
	}
}

func TestEditsNameTheirVersion(t *testing.T) {
	a := newAPI(t)
	put := func(status int, headers ...string) *http.Response {
		t.Helper()
		r := a.ask(t, http.MethodPut, "/api/v1/things/a", `{"name":"anvil"}`, headers...)
		if r.StatusCode != status {
			t.Fatal(r.StatusCode, textOf(t, r))
		}
		return r
	}
	if f := failureIn(t, put(http.StatusPreconditionRequired)); f.Code != continuity.CodeCondition {
		t.Error(f)
	}
	first := put(http.StatusOK, "If-None-Match", "*").Header.Get("ETag")
	put(http.StatusPreconditionFailed, "If-None-Match", "*")
	second := put(http.StatusOK, "If-Match", first).Header.Get("ETag")
	if f := failureIn(t, put(http.StatusPreconditionFailed, "If-Match", first)); f.Code != continuity.CodeVersion {
		t.Error(f)
	}
	if second == first || second != `"2"` {
		t.Error(first, second)
	}
	put(http.StatusOK, "If-Match", "*")
	for _, bad := range []string{"3", `W/"3"`, `"x"`, `"0"`, `"1", "2"`} {
		put(http.StatusBadRequest, "If-Match", bad)
	}
}

func TestRepeatsAreDoneOnce(t *testing.T) {
	a := newAPI(t)
	make := func(body, key string, headers ...string) *http.Response {
		return a.ask(t, http.MethodPost, "/api/v1/things", body, append([]string{"Idempotency-Key", key}, headers...)...)
	}
	first, again := make(`{"name":"anvil"}`, "k1"), make(`{"name":"anvil"}`, "k1")
	if a, b := textOf(t, first), textOf(t, again); a != b || again.StatusCode != http.StatusCreated || again.Header.Get("Idempotent-Replayed") != "true" || first.Header.Get("Idempotent-Replayed") != "" {
		t.Error(a, b, again.StatusCode, again.Header)
	}
	if r := make(`{"name":"hammer"}`, "k1"); r.StatusCode != http.StatusUnprocessableEntity || failureIn(t, r).Code != continuity.CodeMismatch {
		t.Error(r.StatusCode)
	}
	make(`{"name":"anvil"}`, "k1", "Authorization", "Bearer bob/operator") // his own key
	if n := a.made.Load(); n != 2 {
		t.Errorf("made %d times", n)
	}
	a.now = a.now.Add(KeepAnswers + time.Second)
	make(`{"name":"anvil"}`, "k1")
	if n := a.made.Load(); n != 3 {
		t.Errorf("made %d times after a day", n)
	}
	if r := make(`{"name":"x"}`, "k2"); r.StatusCode != http.StatusUnprocessableEntity {
		t.Error(r.StatusCode)
	}
	if r := make(`{"name":"xx"}`, "k2"); r.StatusCode != http.StatusCreated {
		t.Error("what did nothing keeps its key:", r.StatusCode)
	}
}

func TestRepeatsInFlightAndOfUnknownEnd(t *testing.T) {
	a := newAPI(t)
	a.block, a.begun = make(chan struct{}), make(chan struct{})
	send := func() *http.Response {
		return a.ask(t, http.MethodPost, "/api/v1/things", `{"name":"anvil"}`, "Idempotency-Key", "k")
	}
	send0 := make(chan *http.Response)
	go func() { send0 <- send() }()
	<-a.begun
	if f := failureIn(t, send()); f.Code != continuity.CodeInFlight || f.Status != http.StatusConflict {
		t.Error(f)
	}
	a.failAs = continuity.CodeDatabase // after which a commit may have happened
	close(a.block)
	if r := <-send0; r.StatusCode != http.StatusServiceUnavailable {
		t.Error(r.StatusCode)
	}
	a.failAs = ""
	a.now = a.now.Add(2 * time.Minute)
	if f := failureIn(t, send()); f.Code != continuity.CodeRepeated {
		t.Error(f)
	}
	if n := a.made.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
}

func TestSecretsAreNotKeptForRepeats(t *testing.T) {
	a := newAPI(t)
	send := func() *http.Response {
		return a.ask(t, http.MethodPost, "/api/v1/secrets", `{"name":"hush"}`, "Idempotency-Key", "k")
	}
	if r := send(); r.StatusCode != http.StatusOK {
		t.Fatal(r.StatusCode)
	}
	if f := failureIn(t, send()); f.Code != continuity.CodeRepeated || a.made.Load() != 1 {
		t.Error(f, a.made.Load())
	}
	known, _, err := a.store.BeginAnswer(t.Context(), continuity.APIAnswer{Caller: "user:ann", Key: "k", Begun: a.now}, a.now.Add(-time.Hour))
	if err != nil || known.Body != nil || !known.Withheld {
		t.Error(known, err)
	}
}

func TestFieldErrorsPointAndSpeak(t *testing.T) {
	a := newAPI(t)
	r := a.ask(t, http.MethodPost, "/api/v1/things", `{"name":"x","size":0,"colour":"red"}`, "Accept-Language", "zh-CN")
	f := failureIn(t, r)
	got := map[string]string{}
	for _, e := range f.Errors {
		got[e.In+e.Pointer] = e.Detail
	}
	want := map[string]string{"body/name": "至少需要 2 个字符。", "body/size": "不能小于 1。", "body/colour": "这里没有这个名称。"}
	for pointer, text := range want {
		if got[pointer] != text {
			t.Errorf("%s: %q, want %q", pointer, got[pointer], text)
		}
	}
	if f.Code != continuity.CodeInvalid || len(f.Errors) != 3 {
		t.Error(f)
	}
	for path, name := range map[string]string{"/api/v1/events?limit=9999": "limit", "/api/v1/events?after=yesterday": "after", "/api/v1/events?sort=up": "sort"} {
		f := failureIn(t, a.ask(t, http.MethodGet, path, ""))
		if len(f.Errors) != 1 || f.Errors[0].In != "query" || f.Errors[0].Name != name || strings.Contains(f.Errors[0].Detail, "controlapi.") {
			t.Error(path, f.Errors)
		}
	}
	for body, status := range map[string]int{`{"name":`: 0, `{"name":"` + strings.Repeat("x", maxBody) + `"}`: http.StatusRequestEntityTooLarge, `[]`: 0, "": 0} {
		r := a.ask(t, http.MethodPost, "/api/v1/things", body)
		if f := failureIn(t, r); f.Code != continuity.CodeInvalid || (status != 0 && f.Status != status) {
			t.Error(body[:min(len(body), 20)], f)
		}
	}
}

func TestEveryOperationHasAText(t *testing.T) {
	a := newAPI(t)
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		text, err := a.document(lang)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(t.Context()); err != nil {
			t.Errorf("%s: %v", lang, err)
		}
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				if strings.HasPrefix(op.OperationID, "test.") {
					continue
				}
				if strings.HasPrefix(op.Summary, "controlapi.") || op.Security == nil {
					t.Errorf("%s: %s %s has no text or no scope: %q", lang, method, path, op.Summary)
				}
			}
		}
	}
}

func TestEventsArePagedAndVerified(t *testing.T) {
	a := newAPI(t)
	for i := range 5 {
		_, err := a.store.Apply(t.Context(), continuity.Actor{Kind: "user", ID: "ann"},
			[]continuity.Change{{Kind: "user", ID: fmt.Sprint("u", i), Version: continuity.VersionNew, Body: json.RawMessage(`{"hash":"secret"}`), Action: "user.added"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var seen []int64
	cursor := ""
	for {
		r := a.ask(t, http.MethodGet, "/api/v1/events?limit=2&cursor="+cursor, "")
		text := textOf(t, r)
		var page Page[Event]
		if err := json.Unmarshal([]byte(text), &page); err != nil || r.StatusCode != http.StatusOK {
			t.Fatal(text, err)
		}
		if strings.Contains(text, "secret") {
			t.Error("an operator sees what is for exports:", text)
		}
		for _, e := range page.Items {
			seen = append(seen, e.Seq)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if fmt.Sprint(seen) != "[5 4 3 2 1]" {
		t.Error(seen)
	}
	if text := textOf(t, a.ask(t, http.MethodGet, "/api/v1/events/3", "", "Authorization", "Bearer root/admin")); !strings.Contains(text, "secret") {
		t.Error(text)
	}
	if r := a.ask(t, http.MethodGet, "/api/v1/events/6", ""); r.StatusCode != http.StatusNotFound {
		t.Error(r.StatusCode)
	}
	if text := textOf(t, a.ask(t, http.MethodGet, "/api/v1/events/verification", "")); !strings.Contains(text, `"events":5,"first_bad":0,"seq":5`) {
		t.Error(text)
	}
}

func TestPagesOfAWholeList(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	same := func(s string) string { return s }
	for limit, want := range map[int]string{1: "a|b|c|d|e", 2: "ab|cd|e", 5: "abcde", 9: "abcde"} {
		var pages []string
		for in := (Paging{Limit: limit}); ; {
			page, next := pageOf(all, same, in)
			pages = append(pages, strings.Join(page, ""))
			if in.Cursor = next; next == "" {
				break
			}
		}
		if got := strings.Join(pages, "|"); got != want {
			t.Errorf("%d a page: %s, not %s", limit, got, want)
		}
	}
	// What went meanwhile is missed by nobody, and what came before does not move the rest.
	if page, _ := pageOf([]string{"a", "aa", "c"}, same, Paging{Cursor: "b", Limit: 2}); strings.Join(page, "") != "c" {
		t.Error(page)
	}
	if page, next := pageOf(nil, same, Paging{Limit: 2}); len(page) != 0 || next != "" {
		t.Error(page, next)
	}
}

// slowChain takes its time to verify.
type slowChain struct {
	feed

	begun, end chan struct{}
}

func (c slowChain) VerifyEvents(ctx context.Context) (n, firstBad int64, err error) {
	close(c.begun)
	<-c.end
	return c.feed.VerifyEvents(ctx)
}

func TestOneCallerVerifiesAtATime(t *testing.T) {
	a := newAPI(t)
	chain := slowChain{feed{a.store}, make(chan struct{}), make(chan struct{})}
	a.Events = chain
	verify := func() *http.Response { return a.ask(t, http.MethodGet, "/api/v1/events/verification", "") }
	a.holdToDocument(t, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/healthz", nil), nil) // reads the document once
	first := make(chan *http.Response)
	go func() { first <- verify() }()
	<-chain.begun
	r := verify()
	if f := failureIn(t, r); f.Code != continuity.CodeBusy || f.Status != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "10" || !strings.Contains(f.Title, "10 s") {
		t.Error(f, r.Header)
	}
	close(chain.end)
	if r := <-first; r.StatusCode != http.StatusOK {
		t.Error(r.StatusCode)
	}
}

func TestMetricsAreForThoseWhoMayReadThem(t *testing.T) {
	a := newAPI(t)
	a.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	a.mux.HandleFunc("GET /metrics", a.metrics)
	for bearer, status := range map[string]int{"": http.StatusUnauthorized, "Bearer eve/viewer": http.StatusOK} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/metrics", nil)
		r.RemoteAddr = "127.0.0.1:40000"
		r.Header.Set("Authorization", bearer)
		w := httptest.NewRecorder()
		if a.ServeHTTP(w, r); w.Code != status {
			t.Errorf("%q: %d", bearer, w.Code)
		}
	}
}
