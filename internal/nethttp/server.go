package nethttp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"holdfast/internal/http1"
)

// Options say how a Server works. Handler must be set.
type Options struct {
	Handler http1.Handler
	Logger  *slog.Logger
	Limits  http1.Limits // zero fields take http1's defaults
}

// Bounds of what one connection may cost.
const (
	maxStreams    = 128
	streamBuffer  = 256 << 10
	connBuffer    = 1 << 20
	silence       = 30 * time.Second // until a connection is asked whether it lives
	maxFrame      = 16 << 10
	headerTable   = 4 << 10
	longestWriter = 30 * time.Second
)

// Server answers the requests of connections that are handed to it.
type Server struct {
	handler http1.Handler
	log     *slog.Logger
	limits  http1.Limits
	http    http.Server
	conns   *handed
	ended   chan struct{}

	mu       sync.Mutex
	open     map[*framed]struct{}
	retiring bool
}

type connKey struct{}

// New makes a Server and starts it.
func New(o Options) *Server {
	s := &Server{handler: o.Handler, log: o.Logger, limits: o.Limits.WithDefaults(), conns: newHanded(), ended: make(chan struct{}), open: map[*framed]struct{}{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.http = http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { newExchange(s, w, r).serve() }),
		MaxHeaderBytes:    s.limits.Header,
		ReadHeaderTimeout: s.limits.Head,
		IdleTimeout:       s.limits.Idle,
		Protocols:         new(http.Protocols),
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: connBuffer,
			MaxReadFrameSize: maxFrame, MaxDecoderHeaderTableSize: headerTable, SendPingTimeout: silence, WriteByteTimeout: longestWriter,
		},
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if f, ok := nc.(*framed); ok && f.tls != nil {
				return context.WithValue(ctx, connKey{}, f.tls)
			}
			return ctx
		},
	}
	s.http.Protocols.SetHTTP2(true)
	s.http.Protocols.SetUnencryptedHTTP2(true)
	go func() {
		defer close(s.ended)
		if err := s.http.Serve(s.conns); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("server of HTTP/2 ended", "error", err)
		}
	}()
	return s
}

// Handler serves requests of a server of net/http's, of any version of HTTP. What
// its connection was to be kept or switched for is the server's business.
func Handler(o Options) http.Handler {
	s := &Server{handler: o.Handler, log: o.Logger, limits: o.Limits.WithDefaults()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := newExchange(s, w, r)
		if r.ProtoMajor == 1 {
			plain, upgrade := *r, ""
			if plain.Header, upgrade = withoutHops(r); hijackable(w) {
				x.request.Upgrade = upgrade
			}
			x.r = &plain
		}
		x.serve()
	})
}

// Take serves a connection from now on, and calls closed when it has closed it.
// Its handshake, if it has one, is done.
func (s *Server) Take(nc net.Conn, closed func()) {
	f := newFramed(s, nc, closed)
	s.enter(f)
	select {
	case s.conns.ch <- f:
	case <-s.conns.done:
		f.Close()
	}
}

// Shutdown takes no further connections, tells clients to send nothing more and
// lets running exchanges end. When ctx is done first it returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Retire()
	s.heedLateComers(ctx)
	err := s.http.Shutdown(ctx)
	if err == nil {
		<-s.ended
	}
	return err
}

// Close stops at once.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.ended
	return err
}

// handed is a listener of connections that others accepted.
type handed struct {
	ch   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newHanded() *handed { return &handed{ch: make(chan net.Conn), done: make(chan struct{})} }

func (h *handed) Accept() (net.Conn, error) {
	select {
	case nc := <-h.ch:
		return nc, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handed) Addr() net.Addr { return &net.TCPAddr{} }
