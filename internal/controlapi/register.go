package controlapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// operation is one thing that the API does.
type operation struct {
	Method string
	Path   string // "/api/v1/plans/{service}"
	ID     string // of the OpenAPI operation; its text is "controlapi.op." and this
	Scope  access.Scope
	Anyone bool // who is known, whatever their scopes: the area says what they may
	Open   bool // also who is not known
	Status int  // of the answer; 0: 200, or 204 where there is no body

	// Edit says that it changes one object: If-Match must name the version that
	// the caller saw, or If-None-Match: * that there was none. versionOf tells it.
	Edit bool
	// Private says that the answer holds a secret, which is never written down: a
	// repeat by Idempotency-Key is told that it was done, and no more.
	Private bool
	// Bearer says that a session's cookie doesn't do, as where a GET changes something:
	// pages of others can make a browser send one.
	Bearer bool
	// Asks says that measures are queried, of which a caller has some at a time.
	Asks bool
	// Stream says that the answer goes on as long as the caller reads.
	Stream bool

	Body  int64         // most bytes of a body; 0: 1 MiB
	Time  time.Duration // that it may take; 0: a minute
	Media string        // of an answer that is not JSON
}

func humaConfig(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "controlapi.openapi.title", Version: version, Description: "controlapi.openapi.about"},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", schemaNames()),
				SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {Type: "http", Scheme: "bearer"}},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// schemaNames names types in the API's description, where each name stands for one:
// a type whose name another one has already bears its package's before its own.
func schemaNames() func(reflect.Type, string) string {
	named := map[string]reflect.Type{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		name := huma.DefaultSchemaNamer(t, hint)
		if t.PkgPath() == "" {
			return name
		}
		room := path.Base(t.PkgPath())
		for other := named[name]; other != nil && other != t; other = named[name] {
			name = strings.ToUpper(room[:1]) + room[1:] + name
		}
		named[name] = t
		return name
	}
}

// register serves an operation. A mistake in its declaration is the program's own
// and found by the first test: it panics.
func register[I, O any](s *server, op operation, do func(context.Context, *I) (*O, error)) {
	if (op.Scope == "") != (op.Anyone || op.Open) || op.ID == "" || !strings.HasPrefix(op.Path, "/api/v1/") {
		panic(fmt.Sprintf("controlapi: %s %s needs a scope, an id and a path under /api/v1", op.Method, op.Path))
	}
	if op.Body == 0 {
		op.Body = maxBody
	}
	if op.Time == 0 {
		op.Time = requestTime
	}
	h := huma.Operation{
		Method: op.Method, Path: op.Path, OperationID: op.ID, DefaultStatus: op.Status,
		Summary:  "controlapi.op." + op.ID,
		Tags:     []string{strings.Split(strings.TrimPrefix(op.Path, "/api/v1/"), "/")[0]},
		Security: security(op),
		// huma refuses a body of exactly as many bytes, too.
		MaxBodyBytes: op.Body + 1, BodyReadTimeout: op.Time,
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) { s.guard(op, ctx, next) }},
	}
	if op.Edit {
		h.Parameters = append(h.Parameters, header("If-Match", "controlapi.header.if-match"), header("If-None-Match", "controlapi.header.if-none-match"))
	}
	if op.Method == http.MethodPost {
		h.Parameters = append(h.Parameters, header("Idempotency-Key", "controlapi.header.idempotency-key"))
	}
	if op.Media != "" {
		h.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{op.Media: {}}}}
	}
	huma.Register(s.huma, h, func(ctx context.Context, in *I) (*O, error) {
		out, err := do(ctx, in)
		if err != nil {
			f := failureOf(err, langOf(ctx))
			if op.Edit && f.Code == continuity.CodeVersion {
				f.Status = http.StatusPreconditionFailed
			}
			s.report(ctx, op.ID, err, f)
			return nil, f
		}
		return out, nil
	})
}

func security(op operation) []map[string][]string {
	switch {
	case op.Open:
		return []map[string][]string{{}}
	case op.Anyone:
		return []map[string][]string{{"bearer": {}}}
	}
	return []map[string][]string{{"bearer": {string(op.Scope)}}}
}

func header(name, text string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: text, Schema: &huma.Schema{Type: "string"}}
}

// guard is what happens before an operation's input is read.
func (s *server) guard(op operation, hctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hctx)
	lang := catalogue.Accept(r.Header.Get("Accept-Language"))
	ctx := context.WithValue(hctx.Context(), langKey, lang)
	var caller Caller
	if !op.Open {
		var err error
		if op.Stream && again(r) {
			caller, err = s.Still(r)
			err = may(caller, err, op.Scope)
		} else {
			caller, err = s.admit(r, op.Scope)
		}
		if err == nil && op.Bearer && r.Header.Get("Authorization") == "" {
			err = continuity.E(continuity.CodeForbidden, errors.New("a cookie where a token is needed"), "control", true)
		}
		if err != nil {
			s.turnAway(w, r, err)
			return
		}
	}
	ctx = context.WithValue(ctx, callerKey, caller)
	ctx = context.WithValue(ctx, fromKey, access.From(r))
	if op.Edit {
		version, err := condition(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		ctx = context.WithValue(ctx, conditionKey, version)
	}
	if !op.Stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, op.Time)
		defer cancel()
		deadlines(w, op.Time)
	}
	if op.Asks {
		leave, err := s.turns.take(ctx, caller)
		if err != nil {
			w.Header().Set("Retry-After", retryAfter)
			s.fail(w, r, err)
			return
		}
		defer leave()
	}
	hctx = huma.WithContext(hctx, ctx)
	if key := r.Header.Get("Idempotency-Key"); key != "" && op.Method == http.MethodPost && s.Answers != nil && !op.Open {
		s.once(op, key, caller, hctx, next)
		return
	}
	next(hctx)
}

// again reports whether a stream goes on where another one broke off. Browsers ask
// so by themselves, with nobody there: it is no use of a session.
func again(r *http.Request) bool {
	return r.Header.Get("Last-Event-ID") != "" || r.URL.Query().Get("after") != ""
}

// condition reads which version an edit starts from.
func condition(r *http.Request) (int64, error) {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case match == "" && none == "":
		return 0, continuity.E(continuity.CodeCondition, nil)
	case match == "" && none == "*":
		return continuity.VersionNew, nil
	case match == "*" && none == "":
		return continuity.VersionAny, nil
	}
	text, ok := strings.CutPrefix(match, `"`)
	text, closed := strings.CutSuffix(text, `"`)
	version, err := strconv.ParseInt(text, 10, 64)
	if !ok || !closed || err != nil || version <= 0 || none != "" {
		return 0, continuity.E(continuity.CodeInvalid, errors.New("a condition that is none"), problem.DetailID, "controlapi.invalid.condition")
	}
	return version, nil
}

// versionOf is the version that the edit of ctx starts from: one that was seen,
// continuity.VersionNew or continuity.VersionAny.
func versionOf(ctx context.Context) int64 {
	v, _ := ctx.Value(conditionKey).(int64)
	return v
}

// Paging is the input of lists.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"512"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty"` // the cursor of the next page; none: this is the last one
}

// list is the answer of lists.
type list[T any] struct{ Body Page[T] }

// listOf makes the answer of a list, which is [] and not null where nothing is.
func listOf[T any](items []T, next string) *list[T] {
	if items == nil {
		items = []T{}
	}
	return &list[T]{Page[T]{items, next}}
}

// pageOf is a page of a list that is known whole, in the order of the keys that
// tell its items apart; the cursor is the last one's.
func pageOf[T any](all []T, key func(T) string, in Paging) (page []T, next string) {
	from := sort.Search(len(all), func(i int) bool { return key(all[i]) > in.Cursor })
	page = all[from:min(from+in.Limit, len(all))]
	if from+len(page) < len(all) {
		next = key(page[len(page)-1])
	}
	return page, next
}

// object is the answer that shows one object in one version.
type object[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

// objectOf makes it; version is the store's.
func objectOf[T any](v T, version int64) *object[T] {
	return &object[T]{ETag: `"` + strconv.FormatInt(version, 10) + `"`, Body: v}
}

// plain is an answer without a version.
type plain[T any] struct{ Body T }

// nothing is the answer of what has no more to say than that it was done: 204.
type nothing struct{}

func (f *failure) bytes() []byte {
	b, err := json.Marshal(f)
	if err != nil { // an argument that JSON can't say
		f.Args = nil
		b, _ = json.Marshal(f)
	}
	return b
}
