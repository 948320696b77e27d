package controlapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// FieldError says what is wrong with one part of a request.
type FieldError struct {
	In      string `json:"in" enum:"body,path,query,header,file"`
	Pointer string `json:"pointer,omitempty"` // into the body: a JSON pointer
	Name    string `json:"name,omitempty"`    // of a parameter or a file
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Detail  string `json:"detail"`
}

// String is the place and what is wrong there.
func (f FieldError) String() string {
	place := f.Name + f.Pointer
	if f.Line > 0 {
		place += fmt.Sprintf(":%d:%d", f.Line, f.Column)
	}
	if place == "" {
		return f.Detail
	}
	return place + ": " + f.Detail
}

// failure is a problem document (RFC 9457) with what is wrong with each part of
// the request.
type failure struct {
	problem.Document

	Errors []FieldError `json:"errors,omitempty"`
}

func (f *failure) Error() string { return string(f.Code) }

// GetStatus and ContentType let huma send it.
func (f *failure) GetStatus() int            { return f.Status }
func (f *failure) ContentType(string) string { return problem.ContentType }

// rejected is an error with what is wrong with each part of the request.
type rejected struct {
	error

	fields []FieldError
}

func (r rejected) Unwrap() error { return r.error }

// withFields adds to an error what is wrong with each part of the request.
func withFields(err error, fields []FieldError) error { return rejected{err, fields} }

// GetHeaders says when to come again; huma sends it along.
func (f *failure) GetHeaders() http.Header {
	h := http.Header{}
	if seconds, ok := f.Args["seconds"]; ok && f.Status == http.StatusTooManyRequests {
		h.Set("Retry-After", fmt.Sprint(seconds))
	}
	return h
}

func failureOf(err error, lang catalogue.Lang) *failure {
	f := &failure{Document: problem.Of(err, lang)}
	var r rejected
	if errors.As(err, &r) {
		f.Errors = r.fields
	}
	return f
}

// humaErrors makes what huma finds wrong with a request a problem document, too.
// huma has these hooks as variables of its own; nobody else here uses it.
var _ = func() struct{} {
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		return malformed(catalogue.En, status, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
		return malformed(langOf(ctx.Context()), status, errs)
	}
	return struct{}{}
}()

// malformed describes a request that is not as the OpenAPI document says.
func malformed(lang catalogue.Lang, status int, errs []error) *failure {
	err := continuity.E(continuity.CodeInvalid, errors.Join(errs...))
	switch {
	case status == http.StatusRequestEntityTooLarge:
		err = continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.large")
	case status == http.StatusRequestTimeout:
		err = continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.slow")
	case status == http.StatusUnsupportedMediaType, status == http.StatusNotAcceptable:
		err = continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.media")
	case status >= http.StatusInternalServerError:
		return failureOf(continuity.E(continuity.CodeInternal, nil), lang)
	case len(errs) == 0:
		err = continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.body")
	}
	f := failureOf(err, lang)
	if status != 0 {
		f.Status = status
	}
	for _, e := range errs {
		var detail *huma.ErrorDetail
		if errors.As(e, &detail) {
			f.Errors = append(f.Errors, fieldError(lang, detail))
		}
	}
	if len(errs) > 0 && len(f.Errors) == 0 && err.Args == nil {
		f.Title = problem.Text(continuity.CodeInvalid, map[string]any{problem.DetailID: "controlapi.invalid.json"}, lang)
	}
	return f
}

// fieldError turns huma's place, "body.items[3].name", into a pointer or a
// parameter's name.
func fieldError(lang catalogue.Lang, d *huma.ErrorDetail) FieldError {
	in, rest, _ := strings.Cut(d.Location, ".")
	f := FieldError{In: in, Detail: wording(lang, d.Message)}
	switch in {
	case "path", "query", "header":
		f.Name = rest
	default:
		f.In = "body"
		if rest != "" {
			f.Pointer = "/" + strings.NewReplacer("~", "~0", "/", "~1", ".", "/", "[", "/", "]", "").Replace(rest)
		}
	}
	return f
}

// report logs what is the node's own fault.
func (s *server) report(ctx context.Context, what string, err error, f *failure) {
	if f.Status >= http.StatusInternalServerError && !errors.Is(err, context.Canceled) {
		s.Logger.ErrorContext(ctx, "control request failed", "operation", what, "code", f.Code, "error", err)
	}
}

// fail answers where huma is not asked.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := failureOf(err, catalogue.Accept(r.Header.Get("Accept-Language")))
	s.report(r.Context(), r.Method+" "+r.URL.Path, err, f)
	if f.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="holdfast"`)
	}
	maps.Copy(w.Header(), f.GetHeaders())
	w.Header().Set("Content-Type", problem.ContentType)
	w.WriteHeader(f.Status)
	_, _ = w.Write(f.bytes()) // #nosec G705 -- JSON, and never sniffed
}
