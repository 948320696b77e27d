package probe

import (
	"crypto/tls"
	"crypto/x509"
	"regexp"
	"time"

	"holdfast/internal/logs"
	"holdfast/internal/outgoing"
)

// DefaultTimeout bounds a look whose spec says nothing.
const DefaultTimeout = 10 * time.Second

// MaxRead bounds what a probe reads of what a service sends.
const MaxRead = 1 << 20

// Spec says what to look at and what is expected. Each kind says which fields it
// reads.
type Spec struct {
	ID      string
	Kind    string
	Target  string        // a URL, host:port, name or query
	Timeout time.Duration // of a whole look
	Slow    time.Duration // longer is degraded; 0: never
	Expires time.Duration // a certificate that ends within it is degraded
	Every   time.Duration // how often it is looked at; how often a heartbeat is to come
	Grace   time.Duration // how much later it may come

	Method  string
	Headers map[string]string
	Hidden  map[string]Secret // headers whose values are secret
	Body    string
	Server  string // the resolver, host:port
	Record  string // A, AAAA, MX ...
	TLS     bool   // speak TLS; SMTP: STARTTLS must be offered
	Trust   Trust
	DSN     Secret
	Auth    Secret
	Expect  Expect

	Script string // a flow's file
	User   string // of the account whose secret Auth is
	Log    Log
	Device string  // of the host: a mount point or a network interface
	Over   float64 // of the host: more is not well
}

// Log says what is counted in log files.
type Log struct {
	Pattern  *regexp.Regexp // lines that must not come
	Unusual  string         // Unseen or Seldom; empty: kinds of lines are not looked at
	Rate     float64        // so many a second may; 0: none
	Window   time.Duration  // over which it is counted
	Learn    time.Duration  // how long nothing is unusual
	Quiet    time.Duration  // without a line for so long nothing is known; 0: for ever
	Encoding string
	Begins   *regexp.Regexp // a record's first line; nil: by how lines begin
}

// Which kinds of lines are unusual.
const (
	Unseen = "new"
	Seldom = "rare"
)

// Secret fetches a secret when it is needed; it stands in no spec.
type Secret func() (string, error)

// Expect is what a good answer is. What is not set is not looked at.
type Expect struct {
	Status   []StatusRange // none: 200 to 299
	Body     *regexp.Regexp
	Not      *regexp.Regexp
	Headers  map[string]*regexp.Regexp // fields that are there; nil: whatever their value
	JSON     string                    // a pointer into the body
	Equals   *string
	Value    Bounds   // of a query
	Answer   []string // of a name server, each of them
	Send     string
	Received string
}

// StatusRange is a range of HTTP statuses.
type StatusRange struct{ First, Last int }

// Bounds are limits of a number; nil is none.
type Bounds struct{ AtLeast, AtMost *float64 }

// Within says whether a number keeps to the limits.
func (b Bounds) Within(v float64) bool {
	return (b.AtLeast == nil || v >= *b.AtLeast) && (b.AtMost == nil || v <= *b.AtMost)
}

// Any says whether there is a limit.
func (b Bounds) Any() bool { return b.AtLeast != nil || b.AtMost != nil }

// Beat is what a job told of itself.
type Beat struct {
	At     time.Time
	Failed bool
	Took   time.Duration // 0: it did not say
}

// Tools are what probes of all kinds share.
type Tools struct {
	Node  string
	Guard *outgoing.Guard
	Roots *x509.CertPool                  // nil: the system's
	Beats func(check string) (Beat, bool) // the last heartbeat
	Web   Web
	Kept  *Kept
	Logs  *logs.Set // of this machine; nil: its files are not looked at

	MarkKey []byte // shared with the relay: requests of checks are signed with it; may be nil

	tls *tls.Config
}
