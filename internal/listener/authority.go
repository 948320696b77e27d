package listener

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

const (
	authorityFile = "authority.pem" // the root, then its key
	rootLife      = 10 * 365 * 24 * time.Hour
	leafLife      = 30 * 24 * time.Hour
	backdated     = time.Hour // clocks of clients may be behind
)

// Authority certifies names by a root of the relay's own.
type Authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

// OpenAuthority reads the relay's own authority, or makes it.
func OpenAuthority(dataDir string) (*Authority, error) {
	path := filepath.Join(dataDir, authorityFile)
	a, err := readAuthority(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeAuthority(path)
	}
	return a, err
}

// RootPEM returns the root's certificate as clients have to trust it.
func RootPEM(dataDir string) ([]byte, error) {
	a, err := readAuthority(filepath.Join(dataDir, authorityFile))
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw}), nil
}

var errNoAuthority = errors.New("not a certificate and its key")

func readAuthority(path string) (*Authority, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- in the operator's data folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil, continuity.E(continuity.CodeNotFound, err)
	}
	if err != nil {
		return nil, unusable(path, err)
	}
	root, rest := pem.Decode(text)
	key, _ := pem.Decode(rest)
	if root == nil || key == nil {
		return nil, unusable(path, errNoAuthority)
	}
	a := &Authority{}
	if a.root, err = x509.ParseCertificate(root.Bytes); err != nil {
		return nil, unusable(path, err)
	}
	if a.key, err = x509.ParseECPrivateKey(key.Bytes); err != nil {
		return nil, unusable(path, err)
	}
	if !a.key.PublicKey.Equal(a.root.PublicKey) {
		return nil, unusable(path, errNoAuthority)
	}
	return a, nil
}

func makeAuthority(path string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	host, _ := os.Hostname()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{Organization: []string{"Holdfast"}, CommonName: "Holdfast relay " + host},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(rootLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	keyRaw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: raw}) // a buffer takes everything
	_ = pem.Encode(&text, &pem.Block{Type: "EC PRIVATE KEY", Bytes: keyRaw})
	if err := durable.Replace(path, text.Bytes()); err != nil {
		return nil, unusable(path, err)
	}
	return readAuthority(path)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return n.Add(n, big.NewInt(1))
}

// issue certifies names and addresses.
func (a *Authority) issue(names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	end := now.Add(leafLife)
	if end.After(a.root.NotAfter) {
		end = a.root.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: names[0]}, NotBefore: now.Add(-backdated), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.root, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("listener: certify: %w", err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{raw, a.root.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// issuer keeps one certificate fresh.
type issuer struct {
	authority *Authority
	names     []string

	mu  sync.Mutex
	now *tls.Certificate
	due time.Time // when another one is made
}

func (a *Authority) issuer(names []string) *issuer { return &issuer{authority: a, names: names} }

func (i *issuer) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.now != nil && time.Now().Before(i.due) {
		return i.now, nil
	}
	fresh, err := i.authority.issue(i.names)
	if err != nil {
		if i.now != nil {
			err = nil // a month is long: the next handshake tries again
		}
		return i.now, err
	}
	i.now, i.due = fresh, time.Now().Add(time.Until(fresh.Leaf.NotAfter)*2/3)
	return fresh, nil
}
