package listener_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/listener"
)

// open serves what a listener accepts; each answer says what the server knows of
// its client.
func open(t *testing.T, dir string, s continuity.Listener) string {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := listener.Wrap(plain, s, listener.Options{DataDir: dir, Logger: slog.New(slog.DiscardHandler), Trusts: func(a netip.Addr) bool {
		return a == netip.MustParseAddr("127.0.0.1")
	}})
	if err != nil {
		plain.Close()
		t.Fatal(err)
	}
	server := &http1.Server{Limits: http1.Limits{Head: 2 * time.Second}, Handler: func(x http1.Exchange) {
		r := x.Request()
		certificate := ""
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			certificate = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		x.Respond(200, nil, fmt.Appendf(nil, "%s %s %q", r.Remote, r.Scheme, certificate))
	}}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return plain.Addr().String()
}

const ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// say writes text and returns the body of what comes back.
func say(t *testing.T, c net.Conn, text string) string {
	t.Helper()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, text)
	all, _ := io.ReadAll(c)
	_, body, _ := strings.Cut(string(all), "\r\n\r\n")
	return body
}

func dial(t *testing.T, address, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// roots are what a client trusts that got the root from the relay.
func roots(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	text, err := listener.RootPEM(dir)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) || bytes.Contains(text, []byte("PRIVATE")) {
		t.Fatalf("not a root: %s", text)
	}
	return pool
}

func handshake(t *testing.T, address string, config *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c := tls.Client(dial(t, address, "127.0.0.1"), config)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return c, c.HandshakeContext(ctx)
}

func TestOwnAuthority(t *testing.T) {
	dir := t.TempDir()
	if _, err := listener.RootPEM(dir); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Errorf("a root before there is one: %v", err)
	}
	spec := continuity.Listener{TLS: &continuity.TLS{Internal: []string{"orders.internal", "10.0.0.5"}}}
	address := open(t, dir, spec)
	info, err := os.Stat(filepath.Join(dir, "authority.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	pool := roots(t, dir)
	for _, name := range []string{"orders.internal", "10.0.0.5"} {
		c, err := handshake(t, address, &tls.Config{RootCAs: pool, ServerName: name})
		if err != nil {
			t.Fatal(name, err)
		}
		if got := say(t, c, ask); !strings.Contains(got, ` https ""`) {
			t.Errorf("%q", got)
		}
	}
	if _, err := handshake(t, address, &tls.Config{RootCAs: pool, ServerName: "evil.test"}); err == nil {
		t.Error("a name that nobody configured was certified")
	}
	for name, config := range map[string]*tls.Config{
		"TLS 1.1":    {MaxVersion: tls.VersionTLS11},
		"weak suite": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
	} {
		config.RootCAs, config.ServerName, config.MinVersion = pool, "orders.internal", tls.VersionTLS10
		if _, err := handshake(t, address, config); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	// The root outlives a restart; with 1.3 demanded, 1.2 is not enough.
	spec.TLS.Modern = true
	address = open(t, dir, spec)
	if _, err := handshake(t, address, &tls.Config{RootCAs: pool, ServerName: "orders.internal"}); err != nil {
		t.Error(err)
	}
	if _, err := handshake(t, address, &tls.Config{RootCAs: pool, ServerName: "orders.internal", MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("TLS 1.2 was taken")
	}
}

// What the authority certified is made anew long before it ends.
func TestOwnAuthorityRenews(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, err := listener.OpenAuthority(dir)
		if err != nil {
			t.Fatal(err)
		}
		get := a.Issuer("orders.internal")
		first, _ := get(nil)
		time.Sleep(19 * 24 * time.Hour) // of the bubble
		if same, _ := get(nil); same != first {
			t.Error("renewed too early")
		}
		time.Sleep(2 * 24 * time.Hour)
		second, err := get(nil)
		if err != nil || second == first || time.Until(second.Leaf.NotAfter) < 29*24*time.Hour {
			t.Errorf("not renewed, %v", err)
		}
	})
}

// writePair certifies names and writes the pair; at is the files' time.
func writePair(t *testing.T, from, dir, name string, at time.Time) continuity.Pair {
	t.Helper()
	a, err := listener.OpenAuthority(from)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Issuer(name)(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	p := continuity.Pair{Certificate: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key")}
	for path, block := range map[string]*pem.Block{p.Certificate: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, p.Key: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestFilesBySNIAndAnew(t *testing.T) {
	dir := t.TempDir()
	began := time.Now().Add(-time.Hour)
	s := continuity.Listener{TLS: &continuity.TLS{Pairs: []continuity.Pair{
		writePair(t, dir, dir, "a.test", began), writePair(t, dir, dir, "b.test", began),
	}}}
	address := open(t, dir, s)
	shown := func(name string) *x509.Certificate {
		c, err := handshake(t, address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0]
	}
	for asked, want := range map[string]string{"a.test": "a.test", "b.test": "b.test", "other.test": "a.test"} {
		if got := shown(asked).Subject.CommonName; got != want {
			t.Errorf("%s: %s", asked, got)
		}
	}
	before := shown("b.test")
	// Only the key has come: the pair does not fit, the old one stays.
	cert, _ := os.ReadFile(s.TLS.Pairs[1].Certificate)
	writePair(t, dir, dir, "b.test", began.Add(time.Minute))
	fresh, _ := os.ReadFile(s.TLS.Pairs[1].Certificate)
	os.WriteFile(s.TLS.Pairs[1].Certificate, cert, 0o600)
	if !shown("b.test").Equal(before) {
		t.Error("half a pair was used")
	}
	os.WriteFile(s.TLS.Pairs[1].Certificate, fresh, 0o600)
	os.Chtimes(s.TLS.Pairs[1].Certificate, began, began.Add(2*time.Minute))
	if shown("b.test").Equal(before) {
		t.Error("the changed pair is not used")
	}
	for _, bad := range []*continuity.TLS{
		{Pairs: []continuity.Pair{{Certificate: "/none", Key: "/none"}}},
		{Internal: []string{"a"}, ClientCA: "/none"},
		{Internal: []string{"a"}, ClientCA: s.TLS.Pairs[0].Key},
		{ACME: &continuity.ACME{CA: "/none"}},
	} {
		if _, err := listener.Wrap(nil, continuity.Listener{TLS: bad}, listener.Options{DataDir: dir}); continuity.CodeOf(err) != continuity.CodeConfig {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	own, err := tls.LoadX509KeyPair(pair(writePair(t, dir, t.TempDir(), "client.a", time.Now())))
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := tls.LoadX509KeyPair(pair(writePair(t, other, t.TempDir(), "client.b", time.Now())))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := listener.RootPEM(dir)
	ca := filepath.Join(dir, "root.pem")
	os.WriteFile(ca, text, 0o600)
	for _, c := range []struct {
		mode  continuity.ClientCertificates
		ca    string
		shows *tls.Certificate
		want  string // empty: refused
	}{
		{continuity.ClientsAnonymous, "", &own, `""`},
		{continuity.ClientsAsked, "", nil, `""`},
		{continuity.ClientsAsked, "", &stranger, `"client.b"`}, // a route judges
		{continuity.ClientsRequired, "", nil, ""},
		{continuity.ClientsRequired, "", &own, `"client.a"`},
		{continuity.ClientsRequired, ca, &stranger, ""},
		{continuity.ClientsAsked, ca, &stranger, ""},
		{continuity.ClientsAsked, ca, nil, `""`},
	} {
		address := open(t, dir, continuity.Listener{TLS: &continuity.TLS{Internal: []string{"a.test"}, Clients: c.mode, ClientCA: c.ca}})
		config := &tls.Config{ServerName: "a.test", RootCAs: roots(t, dir), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c.shows == nil {
				return &tls.Certificate{}, nil
			}
			return c.shows, nil
		}}
		got := ""
		if conn, err := handshake(t, address, config); err == nil { // in TLS 1.3 the refusal comes later
			got = say(t, conn, ask)
		}
		if c.want == "" && got != "" || c.want != "" && !strings.HasSuffix(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func pair(p continuity.Pair) (string, string) { return p.Certificate, p.Key }

func TestProxyProtocol(t *testing.T) {
	address := open(t, t.TempDir(), continuity.Listener{Proxy: true})
	client, here := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 4711}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
	header := func(version byte, local bool) string {
		h := proxyproto.HeaderProxyFromAddrs(version, client, here)
		if local {
			h.Command = proxyproto.LOCAL
		}
		text, err := h.Format()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for name, c := range map[string]struct{ from, text, want string }{
		"v1":               {"127.0.0.1", header(1, false) + ask, "203.0.113.7:4711 "},
		"v2":               {"127.0.0.1", header(2, false) + ask, "203.0.113.7:4711 "},
		"local":            {"127.0.0.1", header(2, true) + ask, "127.0.0.1:"},
		"unknown":          {"127.0.0.1", "PROXY UNKNOWN\r\n" + ask, "127.0.0.1:"},
		"none":             {"127.0.0.1", ask, ""},
		"broken":           {"127.0.0.1", "PROXY TCP4 1.2.3.4\r\n" + ask, ""},
		"twice":            {"127.0.0.1", header(1, false) + header(1, false) + ask, ""},
		"untrusted":        {"127.0.0.2", header(1, false) + ask, ""},
		"plain, untrusted": {"127.0.0.2", ask, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := say(t, dial(t, address, c.from), c.text)
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
	// In pieces, with TLS behind it.
	dir := t.TempDir()
	address = open(t, dir, continuity.Listener{Proxy: true, TLS: &continuity.TLS{Internal: []string{"a.test"}}})
	c := dial(t, address, "127.0.0.1")
	for _, b := range []byte(header(2, false)) {
		c.Write([]byte{b})
	}
	if got := say(t, tls.Client(c, &tls.Config{ServerName: "a.test", RootCAs: roots(t, dir)}), ask); !strings.HasPrefix(got, "203.0.113.7:4711 https") {
		t.Errorf("%q", got)
	}
	// Who says nothing is not waited for longer than for a request's head.
	c = dial(t, address, "127.0.0.1")
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := bufio.NewReader(c).ReadByte(); err != io.EOF {
		t.Errorf("a silent proxy: %v", err)
	}
}
