package http1

import (
	"context"
	"crypto/tls"
	"io"
	"time"

	"holdfast/internal/continuity"
)

// Request is a parsed request head with its body still to be read. It and
// everything it refers to is valid until the handler returns.
type Request struct {
	Method string
	Target string // origin form: path and query as on the wire
	Host   string
	Header []continuity.Field // in wire order; hop-by-hop fields, Host, Content-Length and Expect removed
	Length int64              // -1: chunked
	Body   io.Reader          // never nil; reads decoded bytes, io.EOF at the end. It may be Trailered.
	Remote string             // client address, host:port
	Peer   string             // the address that connected, where Remote is who it speaks for; set by whoever knows

	Scheme string               // http or https, as the client connected
	TLS    *tls.ConnectionState // nil: not encrypted

	TakesTrailers bool   // the sender said that it takes trailers (TE: trailers)
	Upgrade       string // "websocket" where the sender asks to leave HTTP for that; see Switcher

	// Waiter is how the handler waits for others. Every request of a Server has
	// one; nil stands for an ordinary goroutine.
	Waiter continuity.Waiter

	// Memory, if set, is what the response to a request that is sent is made in.
	Memory *Memory

	// Interim, if set, is told of each 103 (Early Hints) that comes before the
	// response to a request that is sent. The header is valid during the call.
	Interim func(status int, header []continuity.Field)
}

// Trailered is a body that fields may follow. They are known once it was read to
// io.EOF; those that a trailer must not carry are left out.
type Trailered interface {
	Trailers() []continuity.Field
}

// Path returns Target without its query.
func (r *Request) Path() string {
	for i := 0; i < len(r.Target); i++ {
		if r.Target[i] == '?' {
			return r.Target[:i]
		}
	}
	return r.Target
}

// Get returns the first value of a field, by name without regard to case, or "".
func (r *Request) Get(name string) string { return Get(r.Header, name) }

// Response is a response head with its body still to be read.
type Response struct {
	Status int
	Header []continuity.Field // hop-by-hop fields and Content-Length removed
	// Length is -1 for chunked or until close. Of an answer to HEAD, and of a 304,
	// it is what the head stated (-1: nothing); the body is empty.
	Length int64
	Body   io.ReadCloser // must be closed; reading to io.EOF returns the connection to the pool
}

// Exchange is one request and the way to answer it. Exactly one of Respond and
// Stream may be called, once; only after an error with Started still false may
// the handler answer in another way. A Stream whose head and body fit into one
// write fails like that when the body ends early.
type Exchange interface {
	Context() context.Context // done when the client's connection is gone or the server stops hard
	Request() *Request
	// Respond writes head and body in one write.
	Respond(status int, header []continuity.Field, body []byte) error
	// Stream writes the head and copies the body; length -1 is sent chunked. An
	// error of body after the head cuts the connection.
	Stream(status int, header []continuity.Field, length int64, body io.Reader) error
	// Started reports whether any byte of the response was handed to the kernel.
	Started() bool
}

// Informer is an Exchange that can send an interim response before the final
// one. A client that can't take it is sent nothing.
type Informer interface {
	Inform(status int, header []continuity.Field) error
}

// Spender is an Exchange whose answer has left, as far as it ever will, when
// Respond or Stream return: nothing of it, nor of the request, is read any more.
// A handler that has kept no string of the request either says so by Spend before
// it returns, and the memory of the head is used again. Any other Exchange may go
// on reading both, as HTTP/2 does.
type Spender interface{ Spend() }

// Switcher is an Exchange that can leave HTTP: Switch answers 101 and returns
// the connection, which ends with the handler. It stands in place of Respond.
type Switcher interface {
	Switch(header []continuity.Field) (Tunnel, error)
}

// Tunnel is a connection that has left HTTP. One goroutine may read while
// another writes.
type Tunnel interface {
	io.ReadWriteCloser
	CloseWrite() error // the other direction goes on
	SetReadDeadline(t time.Time) error
}

// Leavable is a response's body that nobody may want to its end.
type Leavable interface {
	// WatchFor has the end of ctx end the body too, from now on. A body whose
	// attempt was made with a context of its own goes by that.
	WatchFor(ctx context.Context)
}

// Handler answers one exchange.
type Handler func(Exchange)
