package continuity

import (
	"net/netip"
	"slices"
)

// Listener is one place where clients connect.
type Listener struct {
	Address string
	TLS     *TLS // nil: not encrypted
	Proxy   bool // a load balancer says by the PROXY protocol who connects
}

// TLS says how connections are secured. Exactly one of Pairs, ACME and Internal
// gives the certificates.
type TLS struct {
	Pairs    []Pair   // by SNI; the first one where none fits
	ACME     *ACME    // from a certificate authority
	Internal []string // names and addresses, certified by the relay's own authority
	Modern   bool     // TLS 1.3 only

	Clients  ClientCertificates
	ClientCA string // file of the authorities that clients' certificates must be from; empty: not checked here
}

// Pair is a certificate with its chain, and its key, as PEM files.
type Pair struct{ Certificate, Key string }

// ACME says from whom certificates are had, and for which names.
type ACME struct {
	Directory string // URL
	CA        string // file of authorities to trust the directory by; empty: the system's
	Email     string
	Names     []string
}

// ClientCertificates says whether clients show certificates.
type ClientCertificates uint8

// A client is asked for a certificate where a route wants to know, or must have
// one to connect at all.
const (
	ClientsAnonymous ClientCertificates = iota
	ClientsAsked
	ClientsRequired
)

// Transport is what all listeners have in common.
type Transport struct {
	// Trusted are the addresses of proxies whose word about a client counts.
	Trusted []netip.Prefix
	// MakeTrace gives a traceparent to requests that come without one.
	MakeTrace bool
	// Marks is the key of the marks that requests of checks bear; empty: none is
	// believed.
	Marks Secret
}

// Trusts reports whether an address is a trusted proxy's.
func (t *Transport) Trusts(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(t.Trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}

// UpstreamTLS says how an upstream reached over https is checked, and what it
// is shown. Fields are file names, but for Name.
type UpstreamTLS struct {
	CA          string // authorities; empty: the system's
	Certificate string // of the relay, for upstreams that want one
	Key         string
	Name        string // the name that the upstream's certificate must bear; empty: its host's
}
