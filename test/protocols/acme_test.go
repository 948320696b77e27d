package protocols

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

const shop = "shop.example"

// TestACME has the relay order a certificate from a real authority: account,
// order, proof by tls-alpn-01 on the relay's own port, and issue.
func TestACME(t *testing.T) {
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	dir := t.TempDir()
	var handler atomic.Pointer[http.Handler]
	directory, root := authorityServer(t, dir, &handler)
	listeners := fmt.Sprintf("listen:\n  - address: 127.0.0.1:0\n    tls: {acme: {names: %s, directory: %q, ca: %q}}\n", shop, directory, root)

	store := db.NewMemoryStore()
	quiet := log.New(io.Discard, "", 0)
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	t.Run("ordered", func(t *testing.T) {
		at := relay(t, dir, listeners)[0]
		_, text, _ := net.SplitHostPort(at)
		port, _ := strconv.Atoi(text)
		proof := va.New(quiet, 1, port, false, resolver(t), store)
		front := wfe.New(quiet, store, proof, issuer, []string{"acme.example"}, false, false, 0, 0)
		h := front.Handler()
		handler.Store(&h)
		first := shown(t, at, issuer)
		if again := shown(t, at, issuer); again.SerialNumber.Cmp(first.SerialNumber) != 0 {
			t.Error("another certificate for every handshake")
		}
		if _, err := tls.Dial("tcp", at, &tls.Config{ServerName: "other.example", InsecureSkipVerify: true}); err == nil {
			t.Error("a certificate for a name that nobody configured")
		}
	})
	// What was had is kept: a restart orders nothing.
	handler.Store(nil)
	shown(t, relay(t, dir, listeners)[0], issuer)
	files, err := os.ReadDir(filepath.Join(dir, "data", "acme"))
	if err != nil || len(files) < 2 {
		t.Fatalf("kept: %v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others", f.Name())
		}
	}
}

// shown is the certificate that the relay shows, if it is good.
func shown(t *testing.T, at string, issuer *ca.CAImpl) *x509.Certificate {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(issuer.GetRootCert(0).Cert)
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 30 * time.Second}, "tcp", at, &tls.Config{ServerName: shop, RootCAs: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// authorityServer serves the authority's API; its handler comes later, as it has
// to know where the relay is.
func authorityServer(t *testing.T, dir string, handler *atomic.Pointer[http.Handler]) (directory, root string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	root = filepath.Join(dir, "directory-root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := handler.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		http.Error(w, "closed", http.StatusServiceUnavailable)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "https://" + l.Addr().String() + wfe.DirectoryPath, root
}

// resolver is a name server that knows every name to be here.
func resolver(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0") // pebble asks over TCP
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)})
		}
		_ = w.WriteMsg(m)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { s.Shutdown() })
	return l.Addr().String()
}
