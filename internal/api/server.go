package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
	"holdfast/internal/problem"
)

// Overview shows the relay as a whole.
type Overview interface {
	Status(ctx context.Context) (Status, error)
	// Ready returns nil once requests are served.
	Ready() error
}

// Records finds records and takes acts on them. Acts are durable when they
// return.
type Records interface {
	// Find returns the receipts that begin with prefix, at most limit.
	Find(ctx context.Context, prefix string, limit int) ([]continuity.Receipt, error)
	List(ctx context.Context, q Query) (Page[Record], error)
	Record(ctx context.Context, r continuity.Receipt) (Record, error)
	// Body returns the request's body and content type. Unless raw, what is never
	// shown is masked.
	Body(ctx context.Context, r continuity.Receipt, raw bool) ([]byte, string, error)
	Act(ctx context.Context, r continuity.Receipt, a ActRequest) (ActResult, error)
}

// Query selects records of a list.
type Query struct {
	Route  string
	States []continuity.State // empty: pending ones
	Key    string
	Cursor string
	Limit  int
}

// Control changes what the relay does.
type Control interface {
	Switches(route string) ([]Switch, error)
	Switch(s SwitchRequest) ([]Switch, error)
	Reload(ctx context.Context) (ReloadResult, error)
	// Replace has the program in the relay's file take its place, if it can.
	Replace(ctx context.Context) error
	Reconcile(ctx context.Context, q ReconcileQuery) (Reconciliation, error)
	Report(ctx context.Context, route string) (Report, error)
}

// Options is what a server needs.
type Options struct {
	Overview Overview
	Records  Records
	Control  Control
	Keys     Keys
	Privacy  Privacy
	// Admitting is nil where nothing is let in or turned away.
	Admitting Admitting
	// Following is nil where no control node is listened to.
	Following Following
	// Speaking is nil where no control node has routes say anything.
	Speaking Speaking
	// Explaining is nil where nothing is explained.
	Explaining Explaining
	Metrics    http.Handler
	Token      endpoint.Token
	Logger     *slog.Logger
	Version    string // of the program, for the OpenAPI document
}

// The bounds of what a request may carry.
const (
	maxBody     = 64 << 10
	maxEditBody = 24 << 20 // an edited body in base64
	maxPage     = 1000

	maxStatement = 256 << 20 // a settlement file
	defaultPage  = 100
	requestTime  = time.Minute

	// Reconciling reads the journal and a database.
	reconcileTime = 15 * time.Minute
)

type server struct {
	Options
	mux *http.ServeMux
}

// New returns the admin API's handler.
func New(o Options) http.Handler {
	s := &server{Options: o, mux: http.NewServeMux()}
	s.open("GET /healthz", s.health)
	s.open("GET /readyz", s.ready)
	if o.Metrics != nil {
		s.open("GET /metrics", o.Metrics.ServeHTTP)
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, continuity.E(continuity.CodeNotFound, nil))
	})
	s.open("GET /api/v1/openapi.json", s.openapi)
	s.read("GET /api/v1/status", s.status)
	s.read("GET /api/v1/routes", s.routes)
	s.read("GET /api/v1/counters", s.counters)
	s.read("GET /api/v1/drain", s.drain)
	s.read("GET /api/v1/backlog", s.list)
	s.read("GET /api/v1/records", s.list)
	s.read("GET /api/v1/records/{receipt}", s.record)
	s.route("GET /api/v1/records/{receipt}/body", maxBody, s.body)
	s.route("POST /api/v1/records/{receipt}/acts", maxEditBody, s.act)
	s.read("GET /api/v1/switches", s.switches)
	s.read("GET /api/v1/admission", s.admission)
	s.route("POST /api/v1/admission", maxBody, s.admit)
	s.route("POST /api/v1/switches", maxBody, s.putSwitch)
	s.route("POST /api/v1/health", maxBody, s.follow)
	s.route("POST /api/v1/words", maxBody, s.words)
	s.route("POST /api/v1/explain", maxEditBody, s.explain)
	s.route("POST /api/v1/reload", maxBody, s.reload)
	s.slow("POST /api/v1/replace", maxBody, 2*time.Minute, s.replace)
	s.slow("POST /api/v1/reconcile", maxBody, reconcileTime, s.reconcile)
	s.slow("POST /api/v1/settlement", maxStatement, reconcileTime, s.settlement)
	s.slow("POST /api/v1/restore", maxBody, reconcileTime, s.restore)
	s.read("GET /api/v1/report", s.report)
	s.slow("POST /api/v1/privacy/find", maxBody, privacyTime, s.findPrivate)
	s.slow("POST /api/v1/privacy/erase", maxBody, privacyTime, s.erasePrivate)
	s.slow("POST /api/v1/keys/rotate", maxBody, rotateTime, s.rotateKeys)
	return s
}

// ServeHTTP refuses what a web page in somebody's browser could send (a name
// that was rebound to loopback, or another origin) before anything else.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !namesLoopback(r.Host) || r.Header.Get("Origin") != "" {
		s.fail(w, r, continuity.E(continuity.CodeForbidden, errors.New("foreign Host or Origin")))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// namesLoopback reports whether a Host field is this machine's own.
func namesLoopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.IsLoopback()
}

func fromLoopback(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// open serves without a token, to loopback only.
func (s *server) open(pattern string, h http.HandlerFunc) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if !fromLoopback(r) && !s.Token.Matches(r) {
			s.fail(w, r, continuity.E(continuity.CodeForbidden, nil))
			return
		}
		h(w, r)
	})
}

type answer func(r *http.Request) (any, error)

func (s *server) read(pattern string, a answer) { s.route(pattern, maxBody, a) }

// route serves JSON to those who bear the token.
func (s *server) route(pattern string, body int64, a answer) { s.slow(pattern, body, requestTime, a) }

func (s *server) slow(pattern string, body int64, most time.Duration, a answer) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if !s.Token.Matches(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="holdfast"`)
			s.fail(w, r, continuity.E(continuity.CodeForbidden, nil))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), most)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, body)
		v, err := a(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if raw, ok := v.(rawBody); ok {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Disposition", "attachment")
			w.Header().Set("Holdfast-Content-Type", raw.contentType)
			_, _ = w.Write(raw.bytes) // #nosec G705 -- an attachment of no type, never sniffed
			return
		}
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			s.Logger.Warn("admin answer not written", "path", pattern, "error", err)
		}
	})
}

type rawBody struct {
	bytes       []byte
	contentType string
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	doc := problem.Of(err, catalogue.Accept(r.Header.Get("Accept-Language")))
	if doc.Status >= 500 {
		s.Logger.Error("admin request failed", "method", r.Method, "code", doc.Code, "error", err)
	}
	w.Header().Set("Content-Type", problem.ContentType)
	w.WriteHeader(doc.Status)
	_, _ = w.Write(doc.JSON()) // #nosec G705 -- JSON, and never sniffed
}

// decode reads one JSON value and refuses fields that it doesn't know.
func decode(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return continuity.E(continuity.CodeInvalid, err, problem.DetailID, "api.invalid.json", "cause", plainJSONError(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return continuity.E(continuity.CodeInvalid, err, problem.DetailID, "api.invalid.trailing")
	}
	return nil
}

func plainJSONError(err error) string {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "more than " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "ok\n")
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.Overview.Ready(); err != nil {
		s.fail(w, r, err)
		return
	}
	s.health(w, r)
}
