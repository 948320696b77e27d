package nethttp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// exchange implements http1.Exchange over net/http.
type exchange struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request // as it is read
	origin   *http.Request // as it came: its trailers appear there
	control  *http.ResponseController
	request  http1.Request
	body     body
	answered bool
	started  bool
	cut      bool // the answer broke off
}

func (x *exchange) Context() context.Context { return x.r.Context() }
func (x *exchange) Request() *http1.Request  { return &x.request }
func (x *exchange) Started() bool            { return x.started }

func newExchange(s *Server, w http.ResponseWriter, r *http.Request) *exchange {
	return &exchange{s: s, w: w, r: r, origin: r, control: http.NewResponseController(w)}
}

// serve answers one request of net/http's.
func (x *exchange) serve() {
	if wrong := x.translate(); wrong != nil {
		x.s.log.Debug("request refused", "remote", x.r.RemoteAddr, "status", wrong.Status, "reason", wrong.Reason)
		_ = x.Respond(wrong.Status, nil, nil) // a client that left can't be told
		return
	}
	x.handle()
	if x.Context().Err() != nil {
		// A deadline that is set once the stream has been reset keeps it until then.
		_ = x.control.SetWriteDeadline(time.Time{}) // it is gone, or has none
		_ = x.control.SetReadDeadline(time.Time{})
	}
	if x.cut {
		panic(http.ErrAbortHandler) // resets the stream, and nothing else
	}
}

// handle calls the handler and sees to it that there is an answer.
func (x *exchange) handle() {
	defer func() {
		if v := recover(); v != nil {
			x.s.log.Error("handler panicked", "panic", v, "stack", string(debug.Stack()))
			x.fail()
		}
	}()
	x.s.handler(x)
	if !x.answered {
		if x.Context().Err() != nil {
			x.cut = true // nobody is there to be answered
			return
		}
		x.s.log.Error("handler gave no answer", "method", x.request.Method)
		x.fail()
	}
}

func (x *exchange) fail() {
	if x.started {
		x.cut = true
		return
	}
	x.answered = false
	_ = x.Respond(http.StatusInternalServerError, nil, nil)
}

// translate makes the lean path's request of net/http's.
func (x *exchange) translate() *http1.ProtocolError {
	r := x.r
	x.request = http1.Request{
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Remote: r.RemoteAddr, Scheme: "http",
		Upgrade: x.request.Upgrade,
		Header:  make([]continuity.Field, 0, len(r.Header)+4),
	}
	if state, ok := r.Context().Value(connKey{}).(*tls.ConnectionState); ok {
		x.request.Scheme, x.request.TLS = "https", state
	}
	names := make([]string, 0, len(r.Header))
	for name := range r.Header {
		names = append(names, name)
	}
	slices.Sort(names) // a map has no order; one that never changes is best
	for _, name := range names {
		for _, value := range r.Header[name] {
			x.request.Header = append(x.request.Header, continuity.Field{Name: name, Value: value})
		}
	}
	x.body = body{x: x, in: r.Body, limit: x.s.limits.Body, left: -1}
	x.request.Body = &x.body
	stated, wrong := http1.Check(&x.request, &x.s.limits)
	if wrong != nil {
		return wrong
	}
	switch {
	case r.ContentLength > 0:
		x.request.Length = r.ContentLength
	case r.ContentLength < 0:
		x.request.Length = -1
	default:
		x.body.err = io.EOF // as stated, or as the stream has ended; net/http resets it if more comes
	}
	if stated >= 0 && stated != x.request.Length {
		return errLength
	}
	x.body.left = x.request.Length
	return nil
}

// head prepares the answer's head.
func (x *exchange) head(status int, header []continuity.Field, length int64) error {
	if x.answered {
		return http1.ErrAnswered
	}
	if status < 200 || status > 999 {
		return http1.ErrHeader
	}
	out := x.w.Header()
	clear(out)
	for _, f := range header {
		passes, valid := http1.Passes(f)
		if !valid {
			clear(out)
			return http1.ErrHeader
		}
		if passes {
			// net/http may write them when the handler has returned, and their memory
			// is the handler's to use again then.
			name := http.CanonicalHeaderKey(strings.Clone(f.Name))
			out[name] = append(out[name], strings.Clone(f.Value))
		}
	}
	if _, ok := out["Content-Type"]; !ok {
		out["Content-Type"] = nil // or net/http would guess
	}
	switch {
	case status == http.StatusNoContent:
	case status == http.StatusNotModified && length <= 0, x.request.Method == http.MethodHead && length < 0:
	case length >= 0:
		out["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	return nil
}

func bodyless(method string, status int) bool {
	return method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
}

// begin hands the head over; from now on there is no way back.
func (x *exchange) begin(status int) {
	x.answered, x.started = true, true
	x.w.WriteHeader(status)
}

// Respond implements http1.Exchange.
func (x *exchange) Respond(status int, header []continuity.Field, body []byte) error {
	if err := x.head(status, header, int64(len(body))); err != nil {
		return err
	}
	x.begin(status)
	if bodyless(x.request.Method, status) {
		return x.Context().Err()
	}
	_, err := x.write(body)
	return err
}

// write sends a piece of the body within the time that it is given.
func (x *exchange) write(p []byte) (int, error) {
	// A writer that is no connection has no deadline.
	if err := x.control.SetWriteDeadline(time.Now().Add(x.s.limits.Write)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := x.w.Write(p)
	if err != nil {
		x.cut = true
	}
	return n, err
}

const (
	maxTogether = 16 << 10 // a body up to this size must be whole before its head leaves
	pieceSize   = 32 << 10
)

// Stream implements http1.Exchange.
func (x *exchange) Stream(status int, header []continuity.Field, length int64, source io.Reader) error {
	if err := x.head(status, header, length); err != nil {
		return err
	}
	if bodyless(x.request.Method, status) {
		x.begin(status)
		return x.Context().Err()
	}
	if length >= 0 && length <= maxTogether {
		buf := make([]byte, length)
		if _, err := io.ReadFull(source, buf); err != nil {
			clear(x.w.Header())
			return short(err)
		}
		x.begin(status)
		_, err := x.write(buf)
		return err
	}
	x.begin(status)
	if err := x.copy(length, source); err != nil {
		x.cut = true
		return err
	}
	return nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return http1.ErrShort
	}
	return err
}

// copy sends the body as it comes, and its trailers.
func (x *exchange) copy(length int64, source io.Reader) error {
	if err := x.control.Flush(); err != nil {
		return err
	}
	buf := make([]byte, pieceSize)
	for left := length; left != 0; {
		piece := buf
		if left > 0 {
			piece = buf[:min(int64(len(buf)), left)]
		}
		n, err := source.Read(piece)
		if n > 0 {
			if _, err := x.write(piece[:n]); err != nil {
				return err
			}
			if left > 0 {
				left -= int64(n)
			}
			if err := x.control.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF && left <= 0 {
			break
		}
		if err != nil {
			return short(err)
		}
	}
	x.trail(source)
	return nil
}

func (x *exchange) trail(source io.Reader) {
	t, ok := source.(http1.Trailered)
	if !ok {
		return
	}
	for _, f := range t.Trailers() {
		if http1.MayTrail(f.Name) && http1.ValidValue(f.Value) {
			name := http.TrailerPrefix + http.CanonicalHeaderKey(f.Name)
			x.w.Header()[name] = append(x.w.Header()[name], strings.Clone(f.Value))
		}
	}
}

// Inform implements http1.Informer.
func (x *exchange) Inform(status int, header []continuity.Field) error {
	if x.answered {
		return nil
	}
	if status != http.StatusEarlyHints {
		return http1.ErrHeader
	}
	out := x.w.Header()
	defer clear(out)
	for _, f := range header {
		passes, valid := http1.Passes(f)
		if !valid {
			return http1.ErrHeader
		}
		if passes {
			out.Add(f.Name, f.Value)
		}
	}
	// Over HTTP/2 net/http may read them still when this has returned, if the client
	// has left: a copy of its own, which it makes only of a head with a length. It
	// leaves that out.
	out["Content-Length"] = nil
	x.w.WriteHeader(status)
	return nil
}
