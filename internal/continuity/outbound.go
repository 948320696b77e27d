package continuity

import (
	"log/slog"
	"time"
)

// Verdict is how a final response is read.
type Verdict uint8

// The verdicts. Clean and Retry both say that the request was not processed:
// Clean speaks against the upstream as a whole, Retry asks for another try.
const (
	VerdictNone Verdict = iota // what the status says
	VerdictDelivered
	VerdictRetry
	VerdictRefused
	VerdictClean
	VerdictLost
	VerdictCredentials // the upstream does not accept our credentials
)

// BodyVerdicts reads a response whose status alone says nothing, as many APIs
// report their errors inside a 200.
type BodyVerdicts struct {
	Pointer  string        // into the JSON body
	Statuses []StatusRange // whose bodies are read
	Values   map[string]Verdict
	Other    Verdict // of a value in no list, and of a body without one
	Limit    int64   // a longer body is not read
}

// Lookup asks the upstream what became of a request in doubt.
type Lookup struct {
	Method   string
	Target   string // path and query with {key} and {idempotency_key}
	Body     string // with the same, as parts of JSON strings; empty: none
	Found    Condition
	NotFound Condition
}

// Condition holds for a response with one of the statuses and, where a pointer
// is given, with one of the values there; without values, with any.
type Condition struct {
	Statuses []StatusRange
	Pointer  string
	In       []string
}

// Rewrite changes where a request goes, for clients of which only the base URL
// was changed.
type Rewrite struct {
	Host   string // sent upstream; empty: the client's
	Strip  string // from the beginning of the path
	Prefix string // put before the path then
}

// Secret is a text that is never shown.
type Secret string

// String keeps the secret out of messages.
func (Secret) String() string { return "[secret]" }

// GoString keeps it out of dumps.
func (Secret) GoString() string { return "[secret]" }

// MarshalText keeps it out of JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// LogValue keeps it out of logs.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Sign says how each attempt is signed. What the fields mean is the signer's.
type Sign struct {
	By      string // the signer's name
	ID      string // corp id, app key, access key id; no secret
	Secret  Secret // empty: it could not be read, and nothing can be sent
	Service string
	Region  string
	Action  string
	Version string
	HMAC    HMACSign // of the generic signer
}

// HMACSign describes a signature as the generic signer makes it.
type HMACSign struct {
	Algorithm string // sha1, sha256 or sha512
	Encoding  string // hex, HEX, base64 or base64url
	Text      string // what is signed; {method}, {path}, {query}, {target}, {host}, {timestamp}, {nonce}, {body}, {body_hash}, {id}
	Fields    []Field
}

// Webhook tells a client's endpoint how its requests ended.
type Webhook struct {
	URL     string
	Secret  Secret
	States  []State // which ends are told
	Timeout time.Duration
}
