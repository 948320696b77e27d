package nethttp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/nethttp"
)

// serve starts both servers, as the relay does, with TLS or without.
func serve(t *testing.T, secured bool, limits http1.Limits, handler http1.Handler) (address string, complete *nethttp.Server) {
	t.Helper()
	complete = nethttp.New(nethttp.Options{Handler: handler, Limits: limits})
	return listen(t, secured, &http1.Server{Handler: handler, Limits: limits, HTTP2: complete.Take}, complete), complete
}

func listen(t *testing.T, secured bool, lean *http1.Server, complete *nethttp.Server) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if secured {
		donor := httptest.NewUnstartedServer(nil) // has a certificate
		donor.StartTLS()
		donor.Close()
		l = tls.NewListener(l, &tls.Config{Certificates: donor.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}})
	}
	go lean.Serve(l)
	t.Cleanup(func() { lean.Close(); complete.Close() })
	return address
}

func client(t *testing.T, secured bool) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	if secured {
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		tr.Protocols.SetHTTP2(true)
	} else {
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func echo(x http1.Exchange) {
	r := x.Request()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		status := 400
		if wrong := (*http1.ProtocolError)(nil); errors.As(err, &wrong) {
			status = wrong.Status
		}
		x.Respond(status, nil, nil)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s host=%s length=%d scheme=%s tls=%v te=%v\n", r.Method, r.Target, r.Host, r.Length, r.Scheme, r.TLS != nil, r.TakesTrailers)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s=%s\n", f.Name, f.Value)
	}
	if t, ok := r.Body.(http1.Trailered); ok {
		for _, f := range t.Trailers() {
			fmt.Fprintf(&b, "trailer %s=%s\n", f.Name, f.Value)
		}
	}
	fmt.Fprintf(&b, "body=%d", len(body))
	x.Respond(200, []continuity.Field{{Name: "Connection", Value: "close"}, {Name: "X-Seen", Value: "1"}, {Name: "X-Seen", Value: "2"}}, []byte(b.String()))
}

func TestRule11_1_HTTP2(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %v", secured), func(t *testing.T) {
			address, _ := serve(t, secured, http1.Limits{}, echo)
			scheme := map[bool]string{false: "http", true: "https"}[secured]
			c := client(t, secured)
			for _, size := range []int{0, 1, 20_000, 300_000} {
				for _, sized := range []bool{true, false} {
					var body io.Reader = bytes.NewReader(make([]byte, size))
					length := size
					if !sized {
						body, length = struct{ io.Reader }{body}, -1
					}
					req, _ := http.NewRequest("POST", scheme+"://"+address+"/a%2Fb?q=1&r", body)
					req.Host = "shop.test"
					req.Header["X-Two"] = []string{"b", "a"}
					req.Header.Set("TE", "trailers")
					req.Trailer = http.Header{"X-Sum": {"abc"}, "X-Late": nil}
					resp, err := c.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if size == 0 && sized {
						length = 0
						req.Trailer = nil
					}
					want := []string{
						fmt.Sprintf("POST /a%%2Fb?q=1&r host=shop.test length=%d scheme=%s tls=%v te=true\n", length, scheme, secured), "X-Two=b\nX-Two=a\n", fmt.Sprintf("body=%d", size),
					}
					if req.Trailer != nil {
						want = append(want, "trailer X-Sum=abc\n")
					}
					for _, part := range want {
						if resp.ProtoMajor != 2 || !strings.Contains(string(got), part) {
							t.Errorf("HTTP/%d, size %d, sized %v: no %q in %s", resp.ProtoMajor, size, sized, part, got)
						}
					}
					if resp.Header.Get("Connection") != "" || len(resp.Header["X-Seen"]) != 2 || resp.Header.Get("Content-Type") != "" || resp.ContentLength != int64(len(got)) {
						t.Errorf("answer %v", resp.Header)
					}
				}
			}
		})
	}
}

type trailed struct {
	io.Reader
	fields []continuity.Field
}

func (t trailed) Trailers() []continuity.Field { return t.fields }

// Events, hints, trailers and answers that break off.
func TestRule11_1_HTTP2Streams(t *testing.T) {
	events, gone := make(chan string), make(chan struct{})
	address, _ := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		switch x.Request().Target {
		case "/events":
			pr, pw := io.Pipe()
			go func() {
				for e := range events {
					io.WriteString(pw, e)
				}
				<-x.Context().Done()
				pw.CloseWithError(x.Context().Err())
				close(gone)
			}()
			x.Stream(200, nil, -1, pr)
		case "/trailers":
			x.(http1.Informer).Inform(103, []continuity.Field{{Name: "Link", Value: "</a>"}})
			x.Stream(200, nil, -1, trailed{strings.NewReader("body"), []continuity.Field{{Name: "Grpc-Status", Value: "0"}, {Name: "Set-Cookie", Value: "a=b"}, {Name: "Content-Length", Value: "9"}}})
		case "/cut":
			if err := x.Stream(200, nil, -1, io.MultiReader(strings.NewReader("half"), errReader{})); err == nil || !x.Started() {
				t.Errorf("%v, started %v", err, x.Started())
			}
		case "/short":
			if err := x.Stream(200, nil, 100_000, strings.NewReader("half")); !errors.Is(err, http1.ErrShort) || !x.Started() {
				t.Errorf("%v, started %v", err, x.Started())
			}
		case "/again":
			if err := x.Stream(200, nil, 100, strings.NewReader("half")); !errors.Is(err, http1.ErrShort) || x.Started() {
				t.Errorf("%v, started %v", err, x.Started())
			}
			if err := x.Respond(200, []continuity.Field{{Name: "X", Value: "a\nb"}}, nil); !errors.Is(err, http1.ErrHeader) || x.Started() {
				t.Errorf("%v, started %v", err, x.Started())
			}
			x.Respond(202, nil, []byte("kept"))
			if err := x.Respond(200, nil, nil); !errors.Is(err, http1.ErrAnswered) {
				t.Error(err)
			}
		case "/panic":
			panic("at once")
		case "/silent":
		}
	})
	c := client(t, false)
	get := func(path string) (*http.Response, string, error) {
		resp, err := c.Get("http://" + address + path)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, string(body), err
	}
	resp, err := c.Get("http://" + address + "/events") // its head comes before the first event
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []string{"one", "two"} {
		events <- e
		got := make([]byte, len(e))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != e {
			t.Fatalf("%q, %v", got, err)
		}
	}
	close(events)
	resp.Body.Close()
	<-gone // the handler learns that its client left
	if resp, body, err := get("/trailers"); err != nil || body != "body" || resp.Trailer.Get("Grpc-Status") != "0" || len(resp.Trailer) != 1 {
		t.Errorf("%q, %v, %v", body, resp.Trailer, err)
	}
	for _, path := range []string{"/cut", "/short"} {
		if _, body, err := get(path); err == nil {
			t.Errorf("%s: %q looked whole", path, body)
		}
	}
	if resp, body, err := get("/again"); err != nil || resp.StatusCode != 202 || body != "kept" {
		t.Errorf("%v, %v", resp, err)
	}
	for _, path := range []string{"/panic", "/silent"} {
		if resp, _, err := get(path); err != nil || resp.StatusCode != 500 {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("lost") }

// raw is a client that sends frames as it likes.
type raw struct {
	*http2.Framer
	net.Conn
	t     *testing.T
	block bytes.Buffer
	enc   *hpack.Encoder
}

func dial(t *testing.T, address string) *raw {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	r := &raw{Framer: http2.NewFramer(c, c), Conn: c, t: t}
	r.enc = hpack.NewEncoder(&r.block)
	r.AllowIllegalWrites = true
	r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	io.WriteString(c, http2.ClientPreface)
	r.WriteSettings()
	return r
}

// headers are pairs; those of a plain request come before, if they are not
// among them.
func (r *raw) headers(pairs ...string) []byte {
	r.block.Reset()
	for _, p := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", "/"}, {":authority", "shop.test"}} {
		value := p[1]
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == p[0] {
				value = pairs[i+1]
			}
		}
		if value != "-" {
			r.enc.WriteField(hpack.HeaderField{Name: p[0], Value: value})
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i][0] != ':' {
			r.enc.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
		}
	}
	return bytes.Clone(r.block.Bytes())
}

// outcome is a status, or the code that stream or connection ended with.
func (r *raw) outcome(stream uint32) string {
	r.t.Helper()
	for {
		f, err := r.ReadFrame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return "late"
		}
		if err != nil {
			return "closed"
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			return f.ErrCode.String()
		}
	}
}

// What would be another request once it is written as HTTP/1.1, or what two
// parsers could read differently, is refused.
func TestRule11_2_NothingIsSmuggledByDowngrade(t *testing.T) {
	reached := make(chan string, 100)
	address, _ := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		body, err := io.ReadAll(x.Request().Body)
		if err != nil {
			x.Respond(400, nil, nil)
			return
		}
		reached <- fmt.Sprintf("%s %s %s %q", x.Request().Method, x.Request().Target, x.Request().Host, body)
		x.Respond(200, nil, nil)
	})
	refused := func(got string) bool { return got == "400" || got == "PROTOCOL_ERROR" || got == "501" || got == "417" }
	for name, pairs := range map[string][]string{
		"line end in a value":       {"x", "a\r\nEvil: 1"},
		"LF in a value":             {"x", "a\nb"},
		"NUL in a value":            {"x", "a\x00b"},
		"space before a value":      {"x", " a"},
		"line end in a name":        {"x\r\nevil", "1"},
		"space in a name":           {"x y", "1"},
		"colon in a name":           {"x:y", "1"},
		"upper case in a name":      {"X-Up", "1"},
		"transfer-encoding":         {"transfer-encoding", "chunked"},
		"connection":                {"connection", "x"},
		"keep-alive":                {"keep-alive", "5"},
		"proxy-connection":          {"proxy-connection", "close"},
		"upgrade":                   {"upgrade", "websocket"},
		"TE":                        {"te", "gzip"},
		"two hosts":                 {"host", "evil.test"},
		"line end in the path":      {":path", "/ HTTP/1.1\r\nHost: evil"},
		"space in the path":         {":path", "/a b"},
		"fragment":                  {":path", "/a#b"},
		"broken escape":             {":path", "/%zz"},
		"path without slash":        {":path", "evil"},
		"absolute path":             {":path", "http://evil/"},
		"empty path":                {":path", ""},
		"asterisk":                  {":path", "*"},
		"line end in the authority": {":authority", "a\r\nEvil: 1"},
		"user in the authority":     {":authority", "u@a"},
		"path in the authority":     {":authority", "a/b"},
		"no authority":              {":authority", "-"},
		"scheme":                    {":scheme", "ftp"},
		"line end in the method":    {":method", "GET / HTTP/1.1\r\n"},
		"CONNECT":                   {":method", "CONNECT", ":path", "-", ":scheme", "-"},
		"length, doubled":           {"content-length", "4", "content-length", "4"},
		"length, a list":            {"content-length", "4, 4"},
		"length, signed":            {"content-length", "+4"},
		"length, too long":          {"content-length", "5"},
		"length, too short":         {"content-length", "3"},
		"expectation":               {"expect", "200-ok"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, address)
			c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(pairs...), EndHeaders: true})
			c.WriteData(1, true, []byte("body"))
			if got := c.outcome(1); !refused(got) {
				t.Errorf("ended with %s", got)
			}
			if len(reached) > 0 {
				t.Errorf("the handler had %s", <-reached)
			}
		})
	}
	c := dial(t, address)
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers("content-length", "4", "host", "shop.test"), EndHeaders: true})
	c.WriteData(1, true, []byte("body"))
	if got := c.outcome(1); got != "200" || <-reached != `POST / shop.test "body"` {
		t.Errorf("a good one: %s", got)
	}
	// A length without a body.
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: c.headers("content-length", "4"), EndHeaders: true, EndStream: true})
	if got := c.outcome(3); !refused(got) {
		t.Errorf("a length without a body: %s", got)
	}
}

func TestRule11_2_FloodsAreBounded(t *testing.T) {
	limits := http1.Limits{Header: 8 << 10, Fields: 20, Body: 1000}
	entered, leave := make(chan struct{}, 10_000), make(chan struct{})
	address, _ := serve(t, false, limits, func(x http1.Exchange) {
		if x.Request().Target == "/wait" {
			entered <- struct{}{}
			<-leave
		}
		echo(x)
	})
	one := func(t *testing.T, pairs ...string) string {
		c := dial(t, address)
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(pairs...), EndHeaders: true, EndStream: true})
		return c.outcome(1)
	}
	t.Run("fields", func(t *testing.T) {
		var pairs []string
		for n := range 21 {
			pairs = append(pairs, fmt.Sprintf("x-%d", n), "1")
		}
		if got := one(t, pairs...); got != "431" {
			t.Error(got)
		}
	})
	t.Run("header list that unpacks large", func(t *testing.T) {
		var pairs []string
		for range 400 { // one byte each, after the first
			pairs = append(pairs, "x-bomb", strings.Repeat("b", 3000))
		}
		if got := one(t, pairs...); got != "431" && got != "closed" && got != "PROTOCOL_ERROR" {
			t.Error(got)
		}
	})
	t.Run("target", func(t *testing.T) {
		if got := one(t, ":path", "/"+strings.Repeat("a", 8<<10)); got != "414" && got != "431" {
			t.Error(got)
		}
	})
	t.Run("body", func(t *testing.T) {
		c := dial(t, address)
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(), EndHeaders: true})
		c.WriteData(1, true, make([]byte, 1001))
		if got := c.outcome(1); got != "413" {
			t.Error(got)
		}
	})
	t.Run("continuations without end", func(t *testing.T) {
		c := dial(t, address)
		c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers()})
		go func() {
			for range 1_000_000 {
				if c.WriteContinuation(1, false, []byte("\x00\x01x\x01y")) != nil {
					return
				}
			}
		}()
		if got := c.outcome(1); got == "late" {
			t.Error("all of them were taken")
		}
	})
	t.Run("rapid reset", func(t *testing.T) {
		c := dial(t, address)
		before := len(entered)
		go io.Copy(io.Discard, c.Conn)
		for n := range 5000 {
			id := uint32(2*n + 1)
			if c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.headers(":path", "/wait"), EndHeaders: true, EndStream: true}) != nil {
				break // hung up on
			}
			if c.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
				break
			}
		}
		if n := len(entered) - before; n > 1000 {
			t.Errorf("%d handlers at work", n)
		}
		close(leave)
	})
}

func TestRule11_2_SlowBodyOverHTTP2(t *testing.T) {
	address, _ := serve(t, false, http1.Limits{Wait: 50 * time.Millisecond, Rate: 1 << 20}, echo)
	c := dial(t, address)
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(), EndHeaders: true})
	c.WriteData(1, false, []byte("a"))
	if got := c.outcome(1); got != "408" {
		t.Error(got)
	}
}

// Running exchanges end well, and clients learn to send nothing more.
func TestShutdownSaysGoAway(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	address, s := serve(t, false, http1.Limits{}, func(x http1.Exchange) {
		close(entered)
		<-leave
		x.Respond(200, nil, []byte("done"))
	})
	c := dial(t, address)
	c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(), EndHeaders: true, EndStream: true})
	<-entered
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	if got := c.outcome(1); got != "NO_ERROR" {
		t.Errorf("no GOAWAY but %s", got)
	}
	close(leave)
	if got := c.outcome(1); got != "NO_ERROR" && got != "200" { // the second GOAWAY may come first
		t.Errorf("the exchange was answered with %s", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A setting that is named twice counts by its last value, in whatever pieces the
// frame comes.
func TestRepeatedSettings(t *testing.T) {
	address, _ := serve(t, false, http1.Limits{}, echo)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	var text bytes.Buffer
	text.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&text, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}, http2.Setting{ID: http2.SettingMaxFrameSize, Val: 20_000},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	r := &raw{t: t}
	r.enc = hpack.NewEncoder(&r.block)
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.headers(), EndHeaders: true, EndStream: true})
	for _, b := range text.Bytes() {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			if len(data.Data()) != 3 {
				t.Errorf("the first piece has %d bytes", len(data.Data()))
			}
			return
		}
	}
}
