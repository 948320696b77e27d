package kinds_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/loopback"
	"holdfast/internal/mariatest"
	"holdfast/internal/outgoing"
	"holdfast/internal/pgtest"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

func TestMain(m *testing.M) {
	os.Exit(mariatest.Main(func() int { return pgtest.Main(m) }))
}

const (
	up       = continuity.CheckUp
	degraded = continuity.CheckDegraded
	down     = continuity.CheckDown
	unknown  = continuity.CheckUnknown
)

// secretWord must stand in no result.
const secretWord = "not-to-be-told-5417"

func secret() (string, error) { return secretWord, nil }

// tools let out to this machine, and to whatever else is named.
func tools(t *testing.T, roots *x509.CertPool, rules ...string) *probe.Tools {
	t.Helper()
	parsed, err := outgoing.Rules(append(rules, "127.0.0.0/8")...)
	if err != nil {
		t.Fatal(err)
	}
	return probe.NewTools("node-1", outgoing.New(outgoing.NewPolicy(parsed...), nil), roots, nil)
}

// look makes a probe and looks once.
func look(t *testing.T, tools *probe.Tools, spec probe.Spec) continuity.CheckResult {
	t.Helper()
	spec.ID = "check-1"
	if spec.Timeout == 0 {
		spec.Timeout = 20 * time.Second
	}
	p, err := kinds.New(spec, tools)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, p)
}

func run(t *testing.T, p probe.Probe) continuity.CheckResult {
	t.Helper()
	r := p.Run(t.Context())
	if r.Check != "check-1" || r.Node != "node-1" || r.At.IsZero() || r.Took < 0 {
		t.Errorf("incomplete: %+v", r)
	}
	if (r.State == up) != (r.Reason.Code == "") {
		t.Errorf("%s because of %q", r.State, r.Reason.Code)
	}
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		text := ""
		if r.Reason.Code != "" {
			text = catalogue.Text(lang, r.Reason.Code, r.Reason.Args)
		}
		if text != "" && text == r.Reason.Code || strings.Contains(text, "<no value>") || strings.Contains(text, secretWord) {
			t.Errorf("%s %v: %q", r.Reason.Code, r.Reason.Args, text)
		}
	}
	return r
}

func expect(t *testing.T, name string, r continuity.CheckResult, state continuity.CheckState, code string) {
	t.Helper()
	if r.State != state || r.Reason.Code != code {
		t.Errorf("%s: %s %s %v, not %s %s", name, r.State, r.Reason.Code, r.Reason.Args, state, code)
	}
}

// refused is an address where nothing listens.
func refused(t *testing.T) string {
	t.Helper()
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// serve gives each connection to a server and closes it then.
func serve(t *testing.T, with func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				with(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// silent accepts, reads and says nothing.
func silent(t *testing.T) string {
	return serve(t, func(conn net.Conn) {
		buffer := make([]byte, 1024)
		for {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
		}
	})
}

// endless talks as long as anybody listens.
func endless(t *testing.T) string {
	return serve(t, func(conn net.Conn) {
		line := []byte(strings.Repeat("x", 32<<10))
		for {
			if _, err := conn.Write(line); err != nil {
				return
			}
		}
	})
}

// hangsUp closes each connection at once.
func hangsUp(t *testing.T) string { return serve(t, func(net.Conn) {}) }

// authority issues certificates.
type authority struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	roots *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{roots: x509.NewCertPool()}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(10 * 365 * 24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.roots.AddCert(a.cert)
	return a
}

// issue makes a certificate for an address that ends then.
func (a *authority) issue(t *testing.T, address string, ends time.Time) *tls.Config {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: ends, IPAddresses: []net.IP{net.ParseIP(address)},
	}, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// TestFaults meets every kind that connects with what no server should do.
func TestFaults(t *testing.T) {
	specs := map[string]func(address string) probe.Spec{
		"http":      func(a string) probe.Spec { return probe.Spec{Target: "http://" + a, Auth: secret} },
		"tcp":       func(a string) probe.Spec { return probe.Spec{Target: a, Expect: probe.Expect{Received: "hello"}} },
		"tls":       func(a string) probe.Spec { return probe.Spec{Target: a} },
		"redis":     func(a string) probe.Spec { return probe.Spec{Target: a, Auth: secret} },
		"smtp":      func(a string) probe.Spec { return probe.Spec{Target: a} },
		"websocket": func(a string) probe.Spec { return probe.Spec{Target: "ws://" + a, Auth: secret} },
		"sql": func(a string) probe.Spec {
			return probe.Spec{Target: "select 1", DSN: func() (string, error) { return "postgres://u:" + secretWord + "@" + a + "/db?sslmode=disable", nil }}
		},
		"sql mysql": func(a string) probe.Spec {
			return probe.Spec{Target: "select 1", DSN: func() (string, error) { return "mysql://u:" + secretWord + "@tcp(" + a + ")/db", nil }}
		},
	}
	for name, spec := range specs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tools := tools(t, nil)
			with := func(address string, limit time.Duration) probe.Spec {
				s := spec(address)
				s.Kind, _, _ = strings.Cut(name, " ")
				s.Timeout = limit
				return s
			}
			expect(t, "refused", look(t, tools, with(refused(t), 20*time.Second)), down, "watch.refused")
			expect(t, "silent", look(t, tools, with(silent(t), 150*time.Millisecond)), down, "watch.timeout")
			expect(t, "not let out", look(t, tools, with("169.254.169.254:80", 20*time.Second)), unknown, "watch.not-let-out")
			if r := look(t, tools, with(hangsUp(t), 20*time.Second)); r.State != down {
				t.Errorf("hangs up: %s", r.State)
			}
			if r := look(t, tools, with(endless(t), 20*time.Second)); r.State != down {
				t.Errorf("endless: %s", r.State)
			}
			p, err := kinds.New(func() probe.Spec { s := with(silent(t), time.Minute); s.ID = "check-1"; return s }(), tools)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			expect(t, "ended", p.Run(ctx), unknown, "watch.ended")
		})
	}
}

func TestUnknownKind(t *testing.T) {
	if _, err := kinds.New(probe.Spec{Kind: "telepathy"}, tools(t, nil)); err == nil {
		t.Error("made")
	}
}

func TestBadSpecs(t *testing.T) {
	tools := tools(t, nil)
	for _, spec := range []probe.Spec{
		{Kind: "http", Target: "ftp://a"}, {Kind: "http", Target: "http://u:p@a"}, {Kind: "http", Target: "http://"},
		{Kind: "http", Target: "http://a", Expect: probe.Expect{JSON: "no-slash"}}, {Kind: "http", Target: "http://a", Method: "A B"},
		{Kind: "tcp", Target: "a"}, {Kind: "tls", Target: "a"}, {Kind: "redis", Target: "a"}, {Kind: "smtp", Target: "a"},
		{Kind: "dns", Target: "a"}, {Kind: "dns", Target: "a", Server: "127.0.0.1:53", Record: "QQ"}, {Kind: "dns", Server: "127.0.0.1:53"},
		{Kind: "icmp"}, {Kind: "sql", Target: "select 1"}, {Kind: "sql", Target: "create table t (n integer)", DSN: secret}, {Kind: "sql", Target: "/*! drop table t */ select 1", DSN: secret}, {Kind: "sql", DSN: secret}, {Kind: "websocket", Target: "http://a"}, {Kind: "heartbeat"},
	} {
		if _, err := kinds.New(spec, tools); err == nil {
			t.Errorf("made: %+v", spec)
		}
	}
}

func pattern(text string) *regexp.Regexp { return regexp.MustCompile(text) }

func ref[T any](v T) *T { return &v }
