package caller

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// certificate verifies client certificates: of the connection itself, or, where
// the configuration names proxies, as one of those saw it.
type certificate struct {
	name   string
	header string
	from   []netip.Prefix
	roots  *file[*x509.CertPool]
	now    func() time.Time
}

const wayMTLS = "cert:"

var errNoRoots = errors.New("no certificate in the file")

func newMTLS(c *continuity.VerifyMTLS, o Options) *certificate {
	return &certificate{name: c.Name, header: c.Header, from: c.From, now: o.Now, roots: newFile(c.CAFile, o, parseRoots)}
}

func parseRoots(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errNoRoots
	}
	return pool, nil
}

func (c *certificate) challenge() string { return `Mutual realm="holdfast"` }
func (c *certificate) close()            {}

func (c *certificate) verify(req *Request) (Identity, error) {
	chain, err := c.chain(req)
	if err != nil {
		return Identity{}, err
	}
	name := subject(chain[0], c.name)
	roots, ok := c.roots.get()
	if !ok {
		return Identity{}, claiming(unavailable(nil), wayMTLS, name)
	}
	between := x509.NewCertPool()
	for _, other := range chain[1:] {
		between.AddCert(other)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: c.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Identity{}, claiming(refuse(WhyExpired, err), wayMTLS, name)
	case err != nil:
		return Identity{}, claiming(refuse(WhySignature, err), wayMTLS, name)
	}
	if name == "" {
		return Identity{}, refuse(WhyClaim, nil)
	}
	return Identity{Name: wayMTLS + name}, nil
}

// chain is the client's certificate and what it sent along.
func (c *certificate) chain(req *Request) ([]*x509.Certificate, error) {
	if c.header != "" && c.trusted(req.Remote) {
		value, ok, twice := field(req.Header, c.header)
		if twice {
			return nil, refuse(WhyMalformed, nil)
		}
		if ok && value != "" {
			cert, err := readCertificate(value)
			if err != nil {
				return nil, refuse(WhyMalformed, err)
			}
			return []*x509.Certificate{cert}, nil
		}
		return nil, errAbsent // the connection's own certificate is the proxy's
	}
	if req.TLS == nil || len(req.TLS.PeerCertificates) == 0 {
		return nil, errAbsent
	}
	return req.TLS.PeerCertificates, nil
}

func (c *certificate) trusted(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range c.from {
		if p.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// readCertificate reads a certificate as proxies write it: PEM with percent
// escapes (nginx's $ssl_client_escaped_cert), or base64 between colons
// (RFC 9440).
func readCertificate(value string) (*x509.Certificate, error) {
	if strings.HasPrefix(value, ":") {
		der, err := base64.StdEncoding.DecodeString(strings.Trim(value, ":"))
		if err != nil {
			return nil, err
		}
		return x509.ParseCertificate(der)
	}
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errNoRoots
	}
	return x509.ParseCertificate(block.Bytes)
}

// subject is the name of a certificate that the route goes by.
func subject(cert *x509.Certificate, by string) string {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	switch by {
	case "dns":
		return first(cert.DNSNames)
	case "email":
		return first(cert.EmailAddresses)
	case "uri":
		if len(cert.URIs) > 0 {
			return cert.URIs[0].String()
		}
		return ""
	case "subject":
		return cert.Subject.String()
	}
	return cert.Subject.CommonName
}
