package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Trust says which certificates count for a check, and which one is shown. The
// zero value is the machine's own trust, and none.
type Trust struct {
	Name        string // of the server, where it is not the address's
	CA          Secret // in PEM, as are the others
	Certificate Secret
	Key         Secret
}

func (t Trust) empty() bool {
	return t.Name == "" && t.CA == nil && t.Certificate == nil && t.Key == nil
}

var errTrust = errors.New("watch: no certificate, or one without its key")

// Trusting returns the tools for a check with a trust of its own, which is
// fetched now.
func (t *Tools) Trusting(trust Trust) (*Tools, error) {
	if trust.empty() {
		return t, nil
	}
	config := t.tls.Clone()
	config.ServerName = trust.Name
	if trust.CA != nil {
		pem, err := trust.CA()
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, errTrust
		}
	}
	if trust.Certificate != nil && trust.Key != nil {
		pem, err := trust.Certificate()
		if err != nil {
			return nil, err
		}
		key, err := trust.Key()
		if err != nil {
			return nil, err
		}
		pair, err := tls.X509KeyPair([]byte(pem), []byte(key))
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
