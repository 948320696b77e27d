package http

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/watch/probe"
)

// maxHead bounds the head of an answer.
const maxHead = 64 << 10

// keepWithin is how often an address has to be looked at for its connection to
// be kept: servers end idle ones after a minute, many earlier.
const keepWithin = 45 * time.Second

// errAsk says that this address is to be asked by the client of the standard
// library: it sends on to another path, or speaks nothing but HTTP/2.
var errAsk = errors.New("watch: not by this wire")

// wire is a connection in use. One that waits has neither buffers nor
// goroutines, which is what lets ten thousand wait.
type wire struct {
	conn  *probe.Conn
	left  int64 // of what may be read
	limit int64
	read  bool // anything came
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, &http.MaxBytesError{Limit: w.limit}
	}
	n, err := w.conn.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	w.read = w.read || n > 0
	return n, err
}

func (w *wire) allow(n int64) { w.left, w.limit = n, n }

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4<<10) }}

// exchange asks once, over a connection that waited or a new one.
func (p *web) exchange(ctx context.Context, fresh bool) (probe.Outcome, error) {
	text, err := p.text()
	if err != nil {
		return probe.NoSecret(err), nil
	}
	if waiting, ok := p.tools.Kept.Take(p.to); ok {
		if fresh { // the new one takes its place
			_ = waiting.Conn.Close()
		} else {
			w := &wire{conn: probe.Again(ctx, waiting)}
			o, err := p.over(ctx, w, text)
			// A server may end what waits at any time; only what it has not begun
			// to answer is asked again, and only what may be asked twice.
			if err == nil || w.read || ctx.Err() != nil || !p.safe || errors.Is(err, errAsk) {
				return o, err
			}
		}
	}
	_, address, _ := strings.Cut(p.to, "://")
	conn, err := p.tools.Dial(ctx, "tcp", address, false)
	if err != nil {
		return probe.Error(ctx, err), nil
	}
	if p.secure {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return probe.Error(ctx, err), nil
		}
		config := p.tools.TLS(host)
		config.NextProtos = []string{"http/1.1"}
		if err := conn.Encrypt(ctx, config); err != nil {
			_ = conn.Close()
			var alert tls.AlertError
			if errors.As(err, &alert) && alert == 120 { // no_application_protocol
				return probe.Outcome{}, errAsk
			}
			return probe.Error(ctx, err), nil
		}
	}
	return p.over(ctx, &wire{conn: conn}, text)
}

// over asks over a connection, and keeps or closes it. An error is one of the
// connection, which the outcome tells, too.
func (p *web) over(ctx context.Context, w *wire, text []byte) (o probe.Outcome, err error) {
	keep := false
	defer func() {
		if keep && w.conn.Release() {
			p.tools.Kept.Put(p.to, probe.Waiting{Conn: w.conn.Conn, State: w.conn.State})
		} else {
			_ = w.conn.Close()
		}
	}()
	trace := httptrace.ContextClientTrace(ctx)
	if _, err := w.conn.Write(text); err != nil {
		return probe.Error(ctx, err), err
	}
	if trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	from := readers.Get().(*bufio.Reader)
	from.Reset(w)
	defer func() {
		from.Reset(nil)
		readers.Put(from)
	}()
	w.allow(maxHead)
	response, err := p.head(from)
	if err != nil {
		return probe.Error(ctx, err), err
	}
	if trace != nil && trace.GotFirstResponseByte != nil {
		trace.GotFirstResponseByte()
	}
	if sendsOn(response) && !p.expected(response.StatusCode) {
		return probe.Outcome{}, errAsk
	}
	w.allow(probe.MaxRead + maxHead) // the framing of chunks is not counted below
	body := response.Body
	response.Body = http.MaxBytesReader(nil, body, probe.MaxRead)
	o = p.judge(response)
	o.CertExpires = probe.Expiry(w.conn.State)
	if p.keeps && !response.Close {
		var end [1]byte
		n, err := body.Read(end[:])
		keep = n == 0 && errors.Is(err, io.EOF) && from.Buffered() == 0
	}
	return o, nil
}

// bare is what an answer to HEAD is read with: it has no body, whatever it says.
var bare = &http.Request{Method: http.MethodHead}

// head reads the head of the final answer.
func (p *web) head(from *bufio.Reader) (*http.Response, error) {
	var request *http.Request // all others are read alike
	if p.method == http.MethodHead {
		request = bare
	}
	for {
		response, err := http.ReadResponse(from, request)
		if err != nil {
			return nil, err
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, nil
		}
	}
}

func (p *web) expected(status int) bool {
	return slices.ContainsFunc(p.expect.Status, func(r probe.StatusRange) bool { return r.First <= status && status <= r.Last })
}

func sendsOn(r *http.Response) bool {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return r.Header.Get("Location") != ""
	}
	return false
}

// text is the request as it is sent; what bears no secret is made once.
func (p *web) text() ([]byte, error) {
	if p.plain != nil {
		return p.plain, nil
	}
	request, err := p.make(context.Background())
	if err != nil {
		return nil, err
	}
	return written(request)
}

func written(request *http.Request) ([]byte, error) {
	var text bytes.Buffer
	if err := request.Write(&text); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// addressOf is where a URL leads.
func addressOf(target *url.URL) string {
	port := target.Port()
	if port == "" {
		port = "80"
		if target.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(target.Hostname(), port)
}
