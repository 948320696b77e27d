package relay_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/http1"
	"holdfast/internal/nethttp"
)

// wire is a way by which requests come to the engine. What a test says is always
// written as HTTP/1.1; a wire that is something else translates it.
type wire struct {
	name    string
	loops   int  // of the lean server
	sealed  bool // TLS
	second  bool // HTTP/2
	foreign bool // a server of net/http's, as programs have that embed the relay
}

var wires = []wire{
	{name: "HTTP/1.1 on poll loops"},
	{name: "HTTP/1.1, a goroutine for each connection", loops: -1},
	{name: "HTTP/1.1 over TLS", sealed: true},
	{name: "HTTP/2 over TLS", sealed: true, second: true},
	{name: "HTTP/2 without TLS", second: true},
	{name: "a server of net/http's", foreign: true},
}

// now is the wire of this run of the tests.
var now = wires[0]

func (w wire) scheme() string {
	if w.sealed {
		return "https"
	}
	return "http"
}

// front is what serves a house's clients.
type front struct {
	wire
	address string
	sealing *tls.Config
	http2   *http.Transport // as clients of HTTP/2 have it
	bridges sync.WaitGroup
}

// certificate is made once; making one takes long.
var certificate = sync.OnceValue(func() []tls.Certificate {
	donor := httptest.NewUnstartedServer(nil)
	donor.StartTLS()
	defer donor.Close()
	return donor.TLS.Certificates
})

// serve has a server answer by handler.
func (w wire) serve(t *testing.T, handler http1.Handler) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{wire: w, address: l.Addr().String(), sealing: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}
	if w.sealed {
		l = tls.NewListener(l, &tls.Config{Certificates: certificate(), NextProtos: []string{"h2", "http/1.1"}})
	}
	var server interface {
		Serve(net.Listener) error
		Close() error
	}
	if w.foreign {
		server = &http.Server{Handler: nethttp.Handler(nethttp.Options{Handler: handler}), ReadHeaderTimeout: time.Minute}
	} else {
		complete := nethttp.New(nethttp.Options{Handler: handler})
		t.Cleanup(func() { complete.Close() })
		server = &http1.Server{Handler: handler, Loops: w.loops, HTTP2: complete.Take}
	}
	served := make(chan struct{})
	go func() { server.Serve(l); close(served) }()
	t.Cleanup(func() { server.Close(); <-served })
	if w.second {
		f.http2 = &http.Transport{Protocols: new(http.Protocols), DisableCompression: true, ExpectContinueTimeout: time.Minute}
		f.http2.Protocols.SetHTTP2(w.sealed)
		f.http2.Protocols.SetUnencryptedHTTP2(!w.sealed)
		f.http2.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		t.Cleanup(func() { f.http2.CloseIdleConnections(); f.bridges.Wait() })
	}
	return f
}

// dial opens a connection that HTTP/1.1 can be written on.
func (f *front) dial(t *testing.T) net.Conn {
	t.Helper()
	if f.second {
		return f.bridge(t)
	}
	c, err := net.Dial("tcp", f.address)
	if err != nil {
		t.Fatal(err)
	}
	if f.sealed {
		sealed := tls.Client(c, f.sealing)
		if err := sealed.Handshake(); err != nil {
			t.Fatal(err)
		}
		c = sealed
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// bridge returns a connection of HTTP/1.1 whose requests go on over HTTP/2, each
// as a stream of one connection.
func (f *front) bridge(t *testing.T) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	f.bridges.Go(func() { f.carry(far) })
	return near
}

// carry takes one request to the relay and its answer back.
func (f *front) carry(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil {
		return
	}
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got100Continue: func() { io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") }})
	var watching sync.WaitGroup
	defer watching.Wait()
	watch := sync.OnceFunc(func() {
		watching.Go(func() {
			if _, err := r.Peek(1); err != nil {
				leave() // as a browser whose tab was closed; or this exchange is over
			}
		})
	})
	out := &http.Request{
		Method: req.Method, URL: req.URL, Host: req.Host, Header: forwarded(req.Header), ContentLength: req.ContentLength, Trailer: req.Trailer,
		Body: &watched{req.Body, watch}, Proto: "HTTP/2.0", ProtoMajor: 2,
	}
	if req.Body == http.NoBody {
		out.Body = nil
		watch()
	}
	out.URL.Scheme, out.URL.Host = f.scheme(), f.address
	res, err := f.http2.RoundTrip(out.WithContext(ctx))
	if err != nil {
		reset(c) // no answer is no end
		return
	}
	defer res.Body.Close()
	res.Proto, res.ProtoMajor, res.ProtoMinor = "HTTP/1.1", 1, 1
	if res.ContentLength < 0 && req.Method != http.MethodHead {
		res.TransferEncoding = []string{"chunked"}
	}
	if res.StatusCode == http.StatusNoContent {
		io.WriteString(c, "HTTP/1.1 204 No Content\r\n") // Write would state a length
		res.Header.Write(c)
		io.WriteString(c, "\r\n")
	} else if res.Write(c) != nil {
		reset(c)
		return
	}
	c.(*net.TCPConn).CloseWrite()
	c.SetReadDeadline(time.Unix(1, 0)) // ends the watch
	watching.Wait()
	c.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, c) // closing now might take the answer along
}

// forwarded leaves out what is for this connection only.
func forwarded(h http.Header) http.Header {
	out := h.Clone()
	for _, name := range append(strings.Split(out.Get("Connection"), ","), "Connection", "Keep-Alive", "Proxy-Connection", "Transfer-Encoding", "Upgrade", "Trailer") {
		out.Del(strings.TrimSpace(name))
	}
	return out
}

// watched is a body; when it has come, whoever sent it is watched.
type watched struct {
	io.ReadCloser
	end func()
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		w.end()
	}
	return n, err
}

func (w *watched) Close() error { return nil } // net/http's would read what has not come
