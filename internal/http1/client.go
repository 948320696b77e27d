package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"holdfast/internal/loop"
)

const (
	maxWhole   = 64 << 10 // a request body up to this size leaves with its head
	maxInterim = 16       // 1xx responses before the final one
)

// SentError says why a request got no response, and whether any byte of it was
// handed to the kernel: from then on the upstream may have processed it.
type SentError struct {
	Sent bool
	Err  error
}

func (e *SentError) Error() string {
	if e.Sent {
		return "request sent, no response: " + e.Err.Error()
	}
	return "request not sent: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *SentError) Unwrap() error { return e.Err }

// Timeout reports whether time ran out.
func (e *SentError) Timeout() bool {
	return isTimeout(e.Err) || errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, ErrBusy)
}

// BodyError says that the request could not be sent (on) because its own body
// could not be read; it is no fault of the upstream.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "http1: reading the request body: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// clientConn is one connection to the upstream.
type clientConn struct {
	wire
	pool     *Pool
	onLoop   *loop.Conn // what nc is if it belongs to a loop
	task     *loop.Task // that uses it; nil: an ordinary goroutine
	peeker   peeker
	head     head
	retires  time.Time     // when it may idle no longer
	patience time.Duration // what the upstream's Keep-Alive leaves; 0: unknown
}

// alive looks whether an idle connection can carry another request: its time is
// not over, it is open, and nothing came that nobody asked for.
func (cc *clientConn) alive() bool {
	if cc.onLoop != nil {
		return cc.aliveOnLoop()
	}
	if !time.Now().Before(cc.retires) {
		return false
	}
	readable, gone := cc.peeker.peek()
	return !readable && !gone
}

// RoundTrip sends a request and returns the response head with the body still
// to be read. Its errors are *SentError. Host may be empty: then the pool's
// address is named.
//
// A body that is short or of unknown length begins to be read before anything
// is sent, so that a client that fails to deliver it costs the upstream
// nothing. The time for an attempt starts with the first byte and anew with
// each further piece of a long body.
func (p *Pool) RoundTrip(ctx context.Context, r *Request) (*Response, error) {
	out := lend()
	defer giveBack(out)
	if err := p.appendHead(out, r); err != nil {
		return nil, &SentError{Err: err}
	}
	rest, err := appendBody(out, r)
	if err != nil {
		return nil, &SentError{Err: &BodyError{err}}
	}
	task, _ := r.Waiter.(*loop.Task)
	for fresh := false; ; fresh = true {
		cc, reused, err := p.acquire(ctx, task, fresh)
		if err != nil {
			return nil, &SentError{Err: err}
		}
		response, err := cc.attempt(ctx, r, out, rest)
		if err == nil {
			return response, nil
		}
		p.discard(cc)
		var sent *SentError
		if reused && errors.As(err, &sent) && !sent.Sent && !sent.Timeout() && ctx.Err() == nil {
			continue // dead before it took a byte: not an attempt
		}
		return nil, err
	}
}

// attempt makes the one attempt on a connection. On an error the caller
// discards the connection.
func (cc *clientConn) attempt(ctx context.Context, r *Request, out *[]byte, rest int64) (*Response, error) {
	var re *reply
	if r.Memory == nil {
		re = &reply{}
	} else {
		re = &r.Memory.reply
		*re = reply{words: re.words, lent: true}
	}
	re.cc = cc
	re.watch(ctx)
	err := re.trip(r, out, rest)
	if err == nil {
		return &re.Response, nil
	}
	if re.stop != nil {
		re.stop()
	}
	if re.ctx != nil {
		if cause := ctx.Err(); cause != nil {
			// The error met is only the deadline that the cancelling had set.
			err.Err = fmt.Errorf("%w (%v)", cause, err.Err)
		}
	}
	return nil, err
}

// watch has the end of the context end the attempt.
func (re *reply) watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	re.ctx = ctx
	cc := re.cc
	if cc.onLoop == nil {
		nc := cc.nc
		re.stop = context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
		return
	}
	cc.onLoop.Watch(ctx)
	if !cc.task.Owns(ctx) {
		re.stop = context.AfterFunc(ctx, cc.onLoop.Nudge)
	}
}

// allow gives the connection d from now; it reports the end of the context,
// whose own deadline the new one may have replaced.
func (re *reply) allow(d time.Duration) error {
	cc := re.cc
	if cc.onLoop != nil {
		cc.onLoop.ReadWithin(d)
		cc.onLoop.WriteWithin(d)
	} else {
		if cc.task != nil {
			cc.task.Block()
		}
		var until time.Time
		if d > 0 {
			until = time.Now().Add(d)
		}
		if err := cc.nc.SetDeadline(until); err != nil {
			return err
		}
	}
	if re.ctx != nil {
		return re.ctx.Err()
	}
	return nil
}

// trip writes the request and reads the response head.
func (re *reply) trip(r *Request, out *[]byte, rest int64) *SentError {
	cc := re.cc
	if err := re.allow(cc.pool.o.Attempt); err != nil {
		return &SentError{Err: err}
	}
	n, werr := cc.nc.Write(*out)
	if werr != nil && n == 0 {
		return &SentError{Err: werr}
	}
	whole := werr == nil
	var status int
	var err error
	switch {
	case rest == 0 || werr != nil:
		re.interim, re.upgrade = r.Interim, r.Upgrade
		// Also after a broken write: the upstream may have answered before it
		// stopped reading.
		status, err = re.readHead()
	case cc.onLoop != nil:
		status, whole, err = re.writeRestOnLoop(r, *out, rest)
	default: // interim responses could meet the client's body: they are dropped
		status, whole, err = re.writeRest(r, *out, rest)
	}
	if err != nil {
		if werr != nil {
			err = werr
		}
		return &SentError{Sent: true, Err: err}
	}
	re.begin(r.Method, status, whole)
	return nil
}

// writeRest writes what is left of a long body while another goroutine reads
// the response head. An answer that comes first ends the writing if it is no
// success; an early success goes on reading, so the writing goes on too, and
// the answer is delivered afterwards or when the upstream reads no further.
//
// The body is read here, in the caller's goroutine, so that nothing reads it
// when this has returned; an early answer may therefore wait for the piece that
// is being read.
func (re *reply) writeRest(r *Request, buf []byte, rest int64) (status int, whole bool, err error) {
	var (
		early    atomic.Bool
		answered = make(chan struct{})
		headErr  error
		nc       = re.cc.nc
	)
	go func() {
		defer close(answered)
		status, headErr = re.readHead()
		if headErr != nil || status >= 300 {
			early.Store(true)
			nc.SetWriteDeadline(time.Unix(1, 0)) // ends a write that is stuck
		}
	}()
	err = re.writePieces(r, buf, rest, &early)
	var body *BodyError
	if errors.As(err, &body) {
		nc.Close() // never let a cut body look like a whole one
	}
	<-answered
	switch {
	case body != nil:
		return 0, false, err
	case headErr == nil:
		return status, err == nil, nil
	case err == nil || errors.Is(err, errEarly) || isTimeout(err):
		return 0, false, headErr
	}
	return 0, false, err
}

var errEarly = errors.New("http1: answered before the whole request was sent")

func (re *reply) writePieces(r *Request, buf []byte, rest int64, early *atomic.Bool) error {
	for rest != 0 {
		// The client's time is not the upstream's: no deadline while it is waited for.
		if err := re.allow(0); err != nil {
			return err
		}
		if early.Load() {
			return errEarly
		}
		piece, left, err := nextPiece(buf[:0], r, rest)
		if err != nil {
			return &BodyError{err}
		}
		rest = left
		if err := re.allow(re.cc.pool.o.Attempt); err != nil {
			return err
		}
		if early.Load() {
			return errEarly
		}
		if _, err := re.cc.nc.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// appendHead checks the request and writes its head.
func (p *Pool) appendHead(out *[]byte, r *Request) error {
	host := r.Host
	if host == "" {
		host = p.o.Address
	}
	if !ValidName(r.Method) || r.Method == "CONNECT" || r.Target == "" || !all(r.Target, &targetChar) || !validHost(host) ||
		r.Upgrade != "" && !ValidName(r.Upgrade) {
		return ErrHeader
	}
	buf := append((*out)[:0], r.Method...)
	buf = append(buf, ' ')
	buf = append(buf, r.Target...)
	buf = append(buf, " HTTP/1.1\r\nHost: "...)
	buf = append(buf, host...)
	buf = append(buf, "\r\n"...)
	for i := range r.Header {
		f := &r.Header[i]
		switch kindOf(f.Name) {
		case fieldFraming, fieldConnection, fieldHost:
			continue
		}
		buf = append(buf, f.Name...)
		buf = append(buf, ": "...)
		buf = append(buf, f.Value...)
		buf = append(buf, "\r\n"...)
		if !ValidName(f.Name) || !ValidValue(f.Value) {
			return ErrHeader
		}
	}
	switch {
	case r.Length < 0:
		buf = append(buf, "Transfer-Encoding: chunked\r\n"...)
	case r.Length > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH":
		buf = append(buf, "Content-Length: "...)
		buf = strconv.AppendInt(buf, r.Length, 10)
		buf = append(buf, "\r\n"...)
	}
	switch {
	case r.Upgrade != "":
		buf = append(buf, "Connection: Upgrade\r\nUpgrade: "...)
		buf = append(buf, r.Upgrade...)
		buf = append(buf, "\r\n"...)
	case r.TakesTrailers:
		buf = append(buf, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	*out = append(buf, "\r\n"...)
	return nil
}

// appendBody adds the body, or the first piece of a long one, to the head. rest
// is how much follows, -1 for unknown.
func appendBody(out *[]byte, r *Request) (rest int64, err error) {
	if r.Length == 0 {
		return 0, nil
	}
	if r.Length > 0 && r.Length <= maxWhole {
		buf := *out
		if need := len(buf) + int(r.Length); need > cap(buf) {
			buf = append(make([]byte, 0, need), buf...)
		}
		n, err := io.ReadFull(r.Body, buf[len(buf):len(buf)+int(r.Length)])
		*out = buf[:len(buf)+n]
		return 0, noEOF(err)
	}
	if cap(*out)-len(*out) < writeSize/2 {
		*out = append(make([]byte, 0, len(*out)+writeSize), *out...)
	}
	piece, rest, err := nextPiece(*out, r, r.Length)
	*out = piece
	return rest, err
}

// nextPiece appends the next piece of a body to buf: what one read gives, in a
// chunk if the length is not known.
func nextPiece(buf []byte, r *Request, rest int64) ([]byte, int64, error) {
	if rest > 0 {
		n, err := r.Body.Read(buf[len(buf):min(int64(cap(buf)), int64(len(buf))+rest)])
		rest -= int64(n)
		if err != nil && rest > 0 {
			return nil, 0, noEOF(err)
		}
		return buf[:len(buf)+n], rest, nil
	}
	data := len(buf) + sizeRoom
	n, err := r.Body.Read(buf[data : cap(buf)-len("\r\n0\r\n\r\n")])
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	if n > 0 {
		buf = strconv.AppendInt(buf, int64(n), 16)
		buf = append(buf, "\r\n"...)
		buf = append(buf, buf[data:data+n]...)
		buf = append(buf, "\r\n"...)
	}
	if err == io.EOF {
		return appendTrailers(append(buf, "0\r\n"...), r.Body), 0, nil
	}
	return buf, -1, nil
}
