package continuity

import "time"

// Mint says how a kept request proves later who sent it: by a token that the
// relay makes for each attempt, in the place of the client's own credentials,
// which are not kept.
type Mint struct {
	Key       Secret // PEM or JWK of a private key, or the secret of an HMAC; empty: it could not be read
	KeyID     string // kid; empty: the JWK's own, if it has one
	Algorithm string
	Issuer    string
	Audience  []string
	Lifetime  time.Duration
	Header    string
	Subject   string   // sub; {name} is the caller's name, {way} how it was proven
	Scopes    []string // the most that a token may say; empty: whatever was verified
}

// Words in a Mint's Subject.
const (
	MintName = "{name}"
	MintWay  = "{way}"
)
