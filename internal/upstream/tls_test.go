package upstream_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

func writePEM(t *testing.T, name, kind string, raw []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHTTPS(t *testing.T) {
	var seen atomic.Int32
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.Proto+" "+string(body))
	}))
	back.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	back.EnableHTTP2 = true
	back.StartTLS()
	defer back.Close()
	own := back.TLS.Certificates[0] // serves as the client's too
	ca := writePEM(t, "ca.pem", "CERTIFICATE", own.Certificate[0])
	raw, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := writePEM(t, "key.pem", "PRIVATE KEY", raw)
	for name, c := range map[string]struct {
		tls  *continuity.UpstreamTLS
		want upstream.Class
	}{
		"good":              {&continuity.UpstreamTLS{CA: ca, Certificate: ca, Key: key}, upstream.Answered},
		"by another name":   {&continuity.UpstreamTLS{CA: ca, Certificate: ca, Key: key, Name: "example.com"}, upstream.Answered},
		"not its name":      {&continuity.UpstreamTLS{CA: ca, Certificate: ca, Key: key, Name: "shop.test"}, upstream.Clean},
		"unknown authority": {&continuity.UpstreamTLS{Certificate: ca, Key: key}, upstream.Clean},
		"no settings":       {nil, upstream.Clean},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := upstream.New(upstream.Options{URL: back.URL, Timeouts: timeouts, TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			for range 2 { // the second one on the same connection
				before := seen.Load()
				r := h.Send(context.Background(), order())
				if r.Class != c.want || upstream.Blameless(r.Err) {
					t.Fatalf("class %d, %v", r.Class, r.Err)
				}
				if r.Class == upstream.Clean {
					if seen.Load() != before {
						t.Error("it was sent")
					}
					continue
				}
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "HTTP/1.1 order" {
					t.Errorf("%q, %v", body, err)
				}
				r.Body.Close()
			}
		})
	}
	for name, o := range map[string]upstream.Options{
		"no such file":   {URL: back.URL, TLS: &continuity.UpstreamTLS{CA: "/none"}},
		"no certificate": {URL: back.URL, TLS: &continuity.UpstreamTLS{CA: key}},
		"no key":         {URL: back.URL, TLS: &continuity.UpstreamTLS{Certificate: ca, Key: "/none"}},
		"plain":          {URL: "http://shop", TLS: &continuity.UpstreamTLS{CA: ca}},
	} {
		if _, err := upstream.New(o); continuity.CodeOf(err) != continuity.CodeConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A connection that breaks in the middle of a record has written something, and
// an attempt that was cut off over TLS is as lost as any other.
func TestRule4_2_LostOverTLS(t *testing.T) {
	back := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer back.Close()
	ca := writePEM(t, "ca.pem", "CERTIFICATE", back.Certificate().Raw)
	address := strings.TrimPrefix(back.URL, "https://")
	for name, allowed := range map[string]int64{"none of the request": 0, "part of a record": 20, "all of it": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			h, err := upstream.New(upstream.Options{URL: back.URL, Timeouts: timeouts, TLS: &continuity.UpstreamTLS{CA: ca}, Dial: func(ctx context.Context) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
				return &brittle{Conn: c, left: allowed, handshake: 2}, err
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			want := upstream.Lost
			if allowed == 0 {
				want = upstream.Clean
			}
			if r := h.Send(context.Background(), order()); r.Class != want {
				t.Errorf("class %d, want %d: %v", r.Class, want, r.Err)
			}
		})
	}
}

// brittle breaks after some bytes beyond the handshake's writes.
type brittle struct {
	net.Conn
	handshake int
	left      int64
}

func (b *brittle) Write(p []byte) (int, error) {
	if b.handshake > 0 {
		b.handshake--
		return b.Conn.Write(p)
	}
	if int64(len(p)) > b.left {
		n, _ := b.Conn.Write(p[:b.left])
		b.left = 0
		return n, io.ErrClosedPipe
	}
	b.left -= int64(len(p))
	return b.Conn.Write(p)
}
