package relay

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Transport sends a client's requests by the routes of the configuration: a
// route matches the URL's host and path, and knows its upstream. A request that
// no route matches gets 404. Answers that the relay makes itself bear the field
// Holdfast-State; of a request that was kept it is "held", and Location names
// its receipt.
func (r *Relay) Transport() http.RoundTripper { return transport{r.handler} }

type transport struct{ handler http.Handler }

// within is what a request from within the program is said to come from.
const within = "127.0.0.1:0"

// RoundTrip implements http.RoundTripper. The handler goes on in a goroutine of
// its own after the head has come, as long as the body is read.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	in := req.Clone(ctx)
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), within
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.ContentLength == 0 && in.Body != http.NoBody {
		in.ContentLength = -1 // a client's zero says that it is not known
	}
	in.TransferEncoding, in.Close = nil, false
	body, out := io.Pipe()
	w := &answer{header: http.Header{}, out: out, begun: make(chan struct{})}
	go func() {
		defer in.Body.Close()
		defer func() {
			err := error(nil)
			if v := recover(); v != nil {
				err = io.ErrUnexpectedEOF // the answer broke off, which the handler says so
			}
			w.begin(http.StatusOK)
			_ = out.CloseWithError(err) // never fails
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case <-w.begun:
	case <-ctx.Done():
		cancel()
		return nil, context.Cause(ctx)
	}
	return w.response(req, &reading{body, cancel}), nil
}

// answer is the ResponseWriter of a request from within.
type answer struct {
	header http.Header
	out    *io.PipeWriter
	once   sync.Once
	begun  chan struct{}
	status int
	sent   http.Header
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) {
	if status >= 200 { // interim responses have nobody to go to
		w.begin(status)
	}
}

func (w *answer) begin(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.begun)
	})
}

func (w *answer) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.out.Write(p)
}

// Flush implements http.Flusher: what is written is read at once.
func (w *answer) Flush() {}

func (w *answer) response(req *http.Request, body io.ReadCloser) *http.Response {
	resp := &http.Response{
		Status: fmt.Sprint(w.status, " ", http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: body, ContentLength: -1, Request: req,
	}
	return resp
}

// reading is a response's body; closing it ends the request.
type reading struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (r *reading) Close() error {
	err := r.ReadCloser.Close()
	r.cancel()
	return err
}
