package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// house is an authority that signs certificates.
type house struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newHouse(t *testing.T) house {
	t.Helper()
	h := house{}
	h.cert, h.key = h.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "house"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return h
}

// sign makes a certificate; the first one of a house signs itself.
func (h house) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := h.cert, h.key
	if parent == nil {
		parent, signer = c, key
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (h house) pair(t *testing.T, c *x509.Certificate) tls.Certificate {
	t.Helper()
	cert, key := h.sign(t, c)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func (h house) client(t *testing.T, name string, until time.Time) tls.Certificate {
	return h.pair(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// Client certificates through the relay's own listener, over HTTP/1.1 and HTTP/2:
// while the system behind is down a request is held for the certificate's owner,
// whose alone its receipt is, and for nobody with another one or none.
func TestClientCertificatesThroughTheListener(t *testing.T) {
	ours, theirs := newHouse(t), newHouse(t)
	dir := t.TempDir()
	server := ours.pair(t, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"server.pem": {Type: "CERTIFICATE", Bytes: server.Certificate[0]}, "server.key": {Type: "PRIVATE KEY", Bytes: key},
		"clients.pem": {Type: "CERTIFICATE", Bytes: ours.cert.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(ours.cert)
	for protocol, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(protocol, func(t *testing.T) {
			s := newShop(t)
			a := start(t, write(t, dir, strings.NewReplacer(
				"listen: 127.0.0.1:0\n", "data: "+t.TempDir()+"\nlisten: [{address: \"127.0.0.1:0\", tls: {certificates: [{cert: server.pem, key: server.key}]}}]\n",
				"caller: public", "caller: {mtls: {ca: clients.pem}}",
			).Replace(orders(s.address))))
			as := func(certs ...tls.Certificate) *http.Client {
				transport := &http.Transport{ForceAttemptHTTP2: two, TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs, MinVersion: tls.VersionTLS12}}
				t.Cleanup(transport.CloseIdleConnections)
				return &http.Client{Transport: transport, Timeout: patience}
			}
			do := func(c *http.Client, method, path, body string) (*http.Response, string) {
				t.Helper()
				req, err := http.NewRequestWithContext(t.Context(), method, "https://"+a.Addr()+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				res, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				if err != nil || res.Proto != protocol {
					t.Fatal(res.Proto, err)
				}
				return res, string(text)
			}
			order := func(c *http.Client) *http.Response {
				t.Helper()
				res, _ := do(c, http.MethodPost, "/orders/1", `{"no":"`+protocol+`"}`)
				return res
			}
			erp, again := as(ours.client(t, "erp", time.Time{})), as(ours.client(t, "erp", time.Time{}))
			others := map[string]*http.Client{
				"none": as(), "another house's": as(theirs.client(t, "erp", time.Time{})), "run out": as(ours.client(t, "erp", time.Now().Add(-time.Hour))),
				"a server's": as(server),
			}
			for name, c := range others { // the system behind is up: it judges
				if res := order(c); res.StatusCode != http.StatusCreated {
					t.Errorf("%s, in pass: %d", name, res.StatusCode)
				}
				s.next()
			}
			s.close()
			for name, c := range others {
				if res := order(c); res.StatusCode != http.StatusUnauthorized || res.Header.Get("Location") != "" {
					t.Errorf("held with the certificate %s: %d", name, res.StatusCode)
				}
			}
			res := order(erp)
			at := res.Header.Get("Location")
			if res.StatusCode != http.StatusAccepted || at == "" {
				t.Fatalf("not held with the right certificate: %d", res.StatusCode)
			}
			stranger := as(ours.client(t, "crm", time.Time{}))
			if res := order(stranger); res.StatusCode != http.StatusAccepted {
				t.Errorf("another caller: %d", res.StatusCode)
			}
			for name, c := range map[string]*http.Client{"the same connection": erp, "a new certificate": again} {
				if res, text := do(c, http.MethodGet, at, ""); res.StatusCode != http.StatusOK || !strings.Contains(text, `"queued"`) {
					t.Errorf("its receipt, by %s: %d %s", name, res.StatusCode, text)
				}
			}
			others["another caller's"] = stranger
			for name, c := range others {
				if res, _ := do(c, http.MethodGet, at, ""); res.StatusCode != http.StatusNotFound {
					t.Errorf("the receipt is shown with the certificate %s: %d", name, res.StatusCode)
				}
			}
			s.open()
			s.next()
			s.next()
			receipt, err := continuity.ParseReceipt(at[strings.LastIndexByte(at, '/')+1:])
			if err != nil {
				t.Fatal(err)
			}
			if state := ended(t, a, receipt); state != continuity.Delivered {
				t.Error(state)
			}
		})
	}
}
