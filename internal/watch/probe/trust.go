package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"syscall"
)

// Trust says which certificates count for a check, and which one is shown. The
// zero value is the machine's own trust, and none.
type Trust struct {
	Name        string // of the server, where it is not the address's
	CA          string // files, in PEM
	Certificate string
	Key         Secret
}

func (t Trust) empty() bool {
	return t.Name == "" && t.CA == "" && t.Certificate == "" && t.Key == nil
}

var errTrust = errors.New("watch: no certificate in the file")

// Trusting returns the tools for a check with a trust of its own. Its files are
// read now; a plan that is applied again reads them again.
func (t *Tools) Trusting(trust Trust) (*Tools, error) {
	if trust.empty() {
		return t, nil
	}
	config := t.tls.Clone()
	config.ServerName = trust.Name
	if trust.CA != "" {
		pem, err := readFile(trust.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errTrust
		}
	}
	if trust.Certificate != "" && trust.Key != nil {
		pem, err := readFile(trust.Certificate)
		if err != nil {
			return nil, err
		}
		key, err := trust.Key()
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair(pem, []byte(key))
		if err != nil {
			return nil, errTrust // the error's words may tell of the key
		}
		config.Certificates = []tls.Certificate{pair}
	}
	own := *t
	own.tls, own.Roots, own.Kept = config, config.RootCAs, keptBy(t.Guard)
	own.Web = webOf(t.Guard, config)
	return &own, nil
}

// TLS is what a connection to a host is secured with.
func (t *Tools) TLS(host string) *tls.Config {
	config := t.tls.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

func readFile(path string) ([]byte, error) {
	// Opening a device may do something, and opening a pipe waits for who writes
	// to it: neither is opened, nor waited for where it takes a file's place.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errTrust
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // #nosec G304 -- a file of certificates, which are public; nothing of it is shown
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxRead {
		return nil, errTrust
	}
	return io.ReadAll(io.LimitReader(f, MaxRead))
}
