package replace

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certify writes a pair of a serial number of its own, each file in one step.
func (h *house) certify(serial int64) {
	h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{"shop.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		h.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"key.pem": {Type: "PRIVATE KEY", Bytes: private}, "cert.pem": {Type: "CERTIFICATE", Bytes: cert}} {
		path := filepath.Join(h.dir, name)
		if err := os.WriteFile(path+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			h.t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			h.t.Fatal(err)
		}
	}
}

// serial is that of the certificate which a handshake shows now.
func (h *house) serial() int64 {
	h.t.Helper()
	c, err := tls.Dial("tcp", h.sealed, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// Clients with TLS and of HTTP/2 go on as well, while the program is replaced
// and while certificates change; what is under way ends well.
func TestRule11_3_TLSAndHTTP2GoOnOverAReplacement(t *testing.T) {
	v1, v2 := programs(t)
	h := start(t, v1)
	ways := map[way]*clients{}
	for _, w := range []way{{sealed: true}, {sealed: true, keepAlive: true}, {sealed: true, keepAlive: true, second: true}, {keepAlive: true, second: true}} {
		ways[w] = order(h, 3, w)
	}
	each := func() {
		for _, c := range ways {
			c.untilSent(t, 50)
		}
	}
	each()
	h.certify(2)
	for deadline := time.Now().Add(20 * time.Second); h.serial() != 2; <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the changed certificate is not used")
		}
	}
	second := way{sealed: true, keepAlive: true, second: true}
	slow := make(chan error, 1)
	go func() {
		resp, err := second.client().Get(h.url(second, "/slow"))
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		slow <- err
	}()
	each()
	idle, err := net.Dial("tcp", h.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if _, err := io.WriteString(idle, "GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	h.install(v2)
	replaced := make(chan string, 1)
	go func() {
		out, code := h.tell("relay", "replace") // returns when the new program serves
		replaced <- fmt.Sprint(code, " ", out)
	}()
	if _, err := io.Copy(io.Discard, idle); err != nil { // the old program closes it last
		t.Fatal(err)
	}
	close(h.shop.release)
	if err := <-slow; err != nil {
		t.Errorf("a stream under way: %v", err)
	}
	if out := <-replaced; !strings.HasPrefix(out, "0 ") || !strings.Contains(out, "v2") {
		t.Fatal(out)
	}
	each()
	if s := h.status(); s.Version != "v2" || h.serial() != 2 {
		t.Errorf("%+v", s)
	}
	var all int64
	for w, c := range ways {
		sent, failed, why := c.end()
		t.Logf("%s: %d orders, %d failed", w, sent, failed)
		if failed > 0 {
			t.Errorf("%s: %d of %d failed: %s", w, failed, sent, why)
		}
		all += sent
	}
	h.drained()
	if distinct, times := h.shop.times(); int64(distinct) != all || times != distinct {
		t.Errorf("%d orders sent, %d in the shop, %d times", all, distinct, times)
	}
}
