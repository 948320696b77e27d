package continuity

import (
	"net/netip"
	"time"
)

// Verify says how a route's callers are verified while the upstream is down. Of
// several ways the first whose proof a request bears decides.
type Verify struct {
	JWT    *VerifyJWT
	MTLS   *VerifyMTLS
	HMAC   *VerifyHMAC
	APIKey *VerifyAPIKey
}

// VerifyJWT verifies bearer tokens. Exactly one of JWKS, KeysFile and SecretFile
// is set.
type VerifyJWT struct {
	JWKS       string // URL of the issuer's keys
	KeysFile   string // PEM or JWKS
	SecretFile string // of an HMAC
	// MaxAge is how long fetched keys are used while the issuer can't be reached.
	MaxAge     time.Duration
	Refresh    time.Duration
	Issuer     string
	Audience   []string // any of them; empty: not looked at
	Leeway     time.Duration
	Algorithms []string
	Require    []string // claims that must be there
	Name       string   // the claim that names the caller
	Scope      string   // the claim that holds its rights
	Header     string
}

// VerifyMTLS verifies client certificates.
type VerifyMTLS struct {
	CAFile string
	Name   string         // cn, dns, uri, email or subject
	Header string         // that a proxy puts the certificate into; empty: none
	From   []netip.Prefix // addresses of such proxies
}

// VerifyHMAC verifies signed requests.
type VerifyHMAC struct {
	KeysFile string // lines of id:secret
	Header   string
	Window   time.Duration // how far the request's time may be off
}

// VerifyAPIKey verifies API keys and passwords by their hashes.
type VerifyAPIKey struct {
	File   string // lines of name:hash
	Header string
}
