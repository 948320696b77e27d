package controlapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Caller is who asks, and what they may do.
type Caller = access.Principal

// Options is what a server needs. An area whose interface is nil is not served.
type Options struct {
	// Authenticate says who sends a request; CodeForbidden where it isn't known.
	Authenticate func(*http.Request) (Caller, error)
	// Still says the same from time to time while a stream goes on, which is no use
	// of a session; default: Authenticate.
	Still func(*http.Request) (Caller, error)
	// Answers remembers what was answered to POSTs with an Idempotency-Key.
	Answers Answers
	// Ready returns nil while requests are served as they should be.
	Ready   func() error
	Metrics http.Handler // nil: none
	Names   []string     // host names by which the node is asked, beside this machine's own
	Version string       // of the program
	Logger  *slog.Logger
	Now     func() time.Time // default: time.Now

	Events Events
	Plans  Plans
	Checks Checks
	State  State
	Access Access // users, sessions, tokens
	People People
	Groups Groups
	OnCall OnCall
	// Notices of providers.
	Notices   Notices
	Calendars Calendars

	Measures   Measures
	Prometheus http.Handler // answers below /api/v1/ as a Prometheus does
	Warnings   Warnings
	Signals    Signals
	Channels   Channels

	Notifications Notifications
	Previews      Previews
	Incidents     Incidents
	Windows       Windows
	Courses       Courses
	Exercises     Exercises
	Updates       Updates
	Losses        Losses
	Evidence      Evidence
	Runs          Runs
	Backups       Backups
	Restores      Restores
	Upgrades      Upgrades
}

// The bounds of what a request may carry and take.
const (
	maxBody     = 1 << 20
	requestTime = time.Minute
)

type server struct {
	Options
	mux   *http.ServeMux
	huma  huma.API
	docs  documents
	pulse time.Duration // of streams
	turns turns

	verifying sync.Mutex // one reads the whole chain at a time
}

// New returns the API's handler.
func New(o Options) (http.Handler, error) {
	if o.Authenticate == nil || o.Ready == nil || o.Logger == nil {
		return nil, errors.New("controlapi: Authenticate, Ready and Logger are needed")
	}
	if o.Still == nil {
		o.Still = o.Authenticate
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &server{Options: o, mux: http.NewServeMux(), pulse: heartbeat}
	s.huma = humago.New(s.mux, humaConfig(o.Version))

	// Open to all who reach the port.
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.mux.HandleFunc("GET /api/v1/openapi.json", s.openapi)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.turnAway(w, r, continuity.E(continuity.CodeNotFound, nil))
	})
	if o.Metrics != nil {
		s.mux.HandleFunc("GET /metrics", s.metrics)
	}
	if o.Checks != nil {
		registerChecks(s)
	}
	if o.Events != nil {
		registerEvents(s)
		registerStream(s)
	}
	if o.Calendars != nil {
		registerCalendars(s)
	}
	if o.Notices != nil {
		registerNotices(s)
	}
	if o.Plans != nil {
		registerPlans(s)
	}
	if o.State != nil {
		registerState(s)
	}
	if o.Access != nil {
		registerSessions(s)
		registerUsers(s)
		registerTokens(s)
	}
	if o.People != nil {
		registerPeople(s)
	}
	if o.Groups != nil {
		registerGroups(s)
	}
	if o.OnCall != nil {
		registerOnCall(s)
	}
	if o.Measures != nil {
		registerMeasures(s)
	}
	if o.Prometheus != nil {
		s.mux.Handle(prometheusPath+"/", s.prometheus())
	}
	if o.Warnings != nil {
		registerWarnings(s)
	}
	if o.Channels != nil {
		registerChannels(s)
	}
	if o.Runs != nil {
		registerRuns(s)
	}
	if o.Backups != nil {
		registerBackups(s)
	}
	if o.Restores != nil {
		registerRestores(s)
	}
	if o.Upgrades != nil {
		registerUpgrades(s)
	}
	if o.Notifications != nil {
		registerNotifications(s)
	}
	if o.Previews != nil {
		registerPreviews(s)
	}
	if o.Updates != nil {
		registerUpdates(s)
	}
	if o.Losses != nil {
		registerLosses(s)
	}
	if o.Evidence != nil {
		registerEvidence(s)
	}
	if o.Incidents != nil {
		registerIncidents(s)
	}
	if o.Windows != nil {
		registerWindows(s)
		registerSeries(s)
		s.mux.HandleFunc("GET "+feedPath, s.feed) // programs that show calendars send no headers
	}
	if o.Courses != nil {
		registerCourses(s)
	}
	if o.Exercises != nil {
		registerExercises(s)
	}
	if o.Signals != nil {
		registerSignals(s)
		s.mux.HandleFunc("POST /api/v1/in/webhook/{id}", s.signed) // who sends it says its signature
	}
	return s, nil
}

// ServeHTTP refuses what a web page of another origin, or a name that was rebound
// to this machine, could have sent, before anything else.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	deadlines(w, requestTime)
	if !s.known(r.Host) || !sameOrigin(r) {
		s.turnAway(w, r, continuity.E(continuity.CodeForbidden, errors.New("foreign Host or Origin"), "foreign", true))
		return
	}
	s.mux.ServeHTTP(w, r)
}

// known reports whether a Host field names this node: by an address, which can't
// be rebound, as localhost, or by a configured name.
func (s *server) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if _, err := netip.ParseAddr(name); err == nil || name == "localhost" {
		return true
	}
	return slices.ContainsFunc(s.Names, func(known string) bool { return strings.EqualFold(known, name) })
}

func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.Ready(); err != nil {
		s.fail(w, r, err)
		return
	}
	s.health(w, r)
}

// metrics are given to callers who may read measures, wherever they are: to a node
// behind a proxy of its machine all others would be of this machine, too.
func (s *server) metrics(w http.ResponseWriter, r *http.Request) {
	if _, err := s.admit(r, access.MeasuresRead); err != nil {
		s.fail(w, r, err)
		return
	}
	s.Metrics.ServeHTTP(w, r)
}

// admit says who sends a request, if they may do what it asks.
func (s *server) admit(r *http.Request, scope access.Scope) (Caller, error) {
	caller, err := s.Authenticate(r)
	return caller, may(caller, err, scope)
}

// may refuses who lacks a scope.
func may(caller Caller, err error, scope access.Scope) error {
	if err == nil && scope != "" && !caller.Scopes.Has(scope) {
		return continuity.E(continuity.CodeScope, nil, "scope", string(scope), "name", caller.Name)
	}
	return err
}

type contextKey int

const (
	callerKey contextKey = iota
	langKey
	conditionKey
	fromKey
)

// actorOf is who sends the request of ctx.
func actorOf(ctx context.Context) continuity.Actor { return callerOf(ctx).Actor }

// callerOf is who sends the request of ctx, with what they may do.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey).(Caller)
	return c
}

// fromOf is the address that the request of ctx comes from.
func fromOf(ctx context.Context) netip.Addr {
	from, _ := ctx.Value(fromKey).(netip.Addr)
	return from
}

// langOf is the language that the caller of ctx reads.
func langOf(ctx context.Context) catalogue.Lang {
	if lang, ok := ctx.Value(langKey).(catalogue.Lang); ok {
		return lang
	}
	return catalogue.En
}
