package listener

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"holdfast/internal/continuity"
)

// Options are what listeners work with.
type Options struct {
	DataDir string // for what authorities gave
	Trusts  func(netip.Addr) bool
	Logger  *slog.Logger
}

// Wrap makes a listener for clients of one that accepts TCP connections. Errors
// are of what the settings name: files that can't be used.
func Wrap(l net.Listener, s continuity.Listener, o Options) (net.Listener, error) {
	if s.Proxy {
		l = &proxied{l, o.Trusts}
	}
	if s.TLS == nil {
		return l, nil
	}
	config, err := tlsConfig(s.TLS, o)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, config), nil
}

// suites of TLS 1.2: forward secrecy and authenticated encryption only. Those of
// TLS 1.3 are all like that.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

func tlsConfig(s *continuity.TLS, o Options) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites, NextProtos: []string{"h2", "http/1.1"}}
	if s.Modern {
		config.MinVersion = tls.VersionTLS13
	}
	if err := clients(config, s); err != nil {
		return nil, err
	}
	switch {
	case s.ACME != nil:
		return config, acmeCertificates(config, s.ACME, o)
	case len(s.Internal) > 0:
		authority, err := OpenAuthority(o.DataDir)
		if err != nil {
			return nil, err
		}
		config.GetCertificate = authority.issuer(s.Internal).get
	default:
		files, err := openFiles(s.Pairs, o.Logger)
		if err != nil {
			return nil, err
		}
		config.GetCertificate = files.get
	}
	return config, nil
}

func clients(config *tls.Config, s *continuity.TLS) error {
	if s.ClientCA != "" {
		pool, err := Pool(s.ClientCA)
		if err != nil {
			return err
		}
		config.ClientCAs = pool
	}
	switch checked := s.ClientCA != ""; {
	case s.Clients == continuity.ClientsAsked && checked:
		config.ClientAuth = tls.VerifyClientCertIfGiven
	case s.Clients == continuity.ClientsAsked:
		config.ClientAuth = tls.RequestClientCert
	case s.Clients == continuity.ClientsRequired && checked:
		config.ClientAuth = tls.RequireAndVerifyClientCert
	case s.Clients == continuity.ClientsRequired:
		config.ClientAuth = tls.RequireAnyClientCert
	}
	return nil
}

var errNoCertificate = errors.New("no certificate in the file")

// Pool reads a file of authorities.
func Pool(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, unusable(path, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, unusable(path, errNoCertificate)
	}
	return pool, nil
}

func unusable(path string, err error) error {
	return continuity.E(continuity.CodeConfig, fmt.Errorf("listener: %s: %w", path, err), "unreadable", path, "cause", err.Error())
}
