package public

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// Bounds of what strangers can take.
const (
	mostConns   = 512
	mostBody    = 1 << 20 // of what a provider says
	mostForm    = 4 << 10
	readTime    = 15 * time.Second
	answerTime  = 20 * time.Second // from a request's head on
	idleTime    = 15 * time.Second // few may hold connections that others need
	mostHead    = 16 << 10
	stopsWithin = 10 * time.Second
)

// Acks has notifications acknowledged; *notify.Acks does it.
type Acks interface {
	// Look shows what a token is for; CodeNotFound where it is for nothing.
	Look(ctx context.Context, token string) (notify.Shown, error)
	// Acknowledge acknowledges it; by is who they say they are.
	Acknowledge(ctx context.Context, token, by string) (notify.Shown, error)
}

// Inbound is a channel that its provider speaks to.
type Inbound struct {
	Receiver notify.Receiver
	Take     func(ctx context.Context, events []notify.Event) error
}

// Options are what a server needs.
type Options struct {
	Listen string
	URL    string // by which it is reached from outside
	Cert   string // files; empty: another server before it speaks TLS
	Key    string

	Acks    Acks
	Inbound func(channel string) (Inbound, bool)
	Log     *slog.Logger
}

// Server is the listener for the world outside.
type Server struct {
	o        Options
	origin   string
	http     *http.Server
	listener net.Listener
	pages    *limiter // per address
	hooks    *limiter
}

// New makes a server that does not listen yet.
func New(o Options) (*Server, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" {
		return nil, continuity.E(continuity.CodeConfig, errors.New("public: the url is none"))
	}
	s := &Server{o: o, origin: u.Scheme + "://" + u.Host, pages: newLimiter(1, 20), hooks: newLimiter(20, 200)}
	s.http = &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: readTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: mostHead, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug), // strangers cause it at will
	}
	return s, nil
}

// Start listens; failed is called when it ends by itself.
func (s *Server) Start(ctx context.Context, failed func(error)) error {
	var certs []tls.Certificate
	if s.o.Cert != "" {
		cert, err := tls.LoadX509KeyPair(s.o.Cert, s.o.Key)
		if err != nil {
			return continuity.E(continuity.CodeConfig, err, "unreadable", s.o.Cert, "cause", err.Error())
		}
		certs = append(certs, cert)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.o.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return continuity.E(continuity.CodeAddress, err, "address", s.o.Listen, "control", true)
	}
	if err != nil {
		return err
	}
	l = netutil.LimitListener(newFairly(l), mostConns)
	if certs != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: certs, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	s.listener = l
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
	return nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stop lets requests end and closes what is left.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopsWithin)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}

// handler is what is served.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /a/{token}", s.limited(s.pages, s.show))
	mux.Handle("POST /a/{token}", s.limited(s.pages, s.acknowledge))
	mux.Handle("GET /in/{channel}", s.limited(s.hooks, s.in))
	mux.Handle("POST /in/{channel}", s.limited(s.hooks, s.in))
	mux.Handle("/", s.limited(s.pages, func(w http.ResponseWriter, r *http.Request) { s.page(w, r, http.StatusNotFound, view{Gone: true}) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if s.o.Cert != "" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		mux.ServeHTTP(w, r)
	})
}

// limited turns away who asks too often.
func (s *Server) limited(l *limiter, do http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.allow(from(r), time.Now()) {
			w.Header().Set("Retry-After", "10")
			s.page(w, r, http.StatusTooManyRequests, view{Busy: true})
			return
		}
		do(w, r)
	})
}
