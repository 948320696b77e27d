package continuity

import (
	"slices"
	"strings"
	"time"
)

// Route is one flow through the relay, as its configuration decided it, with
// every default filled in.
type Route struct {
	ID       string
	Match    Match
	Upstream string   // http://host:port or https://host:port, no path
	Moved    []string // addresses at which the same system was before
	Standby  *Standby // nil: none
	Reply    *Reply   // nil: none
	Block    []Block  // refused whatever the switches say
	Key      Selector
	Identity Identity
	Caller   string // CallerPublic, CallerVerified where Verify says how, or empty: nobody decided
	Hold     Hold
	Answer   *Answer // nil: the route's clients do not understand being held
	Verdicts Verdicts
	Capacity float64 // requests a second that the upstream bears, live and replay together; 0: measured
	Ramp     Ramp
	Timeouts Timeouts
	Settle   time.Duration // how long the upstream may still work on a lost request
	Detect   Detect
	Poison   Poison
	// KeepResponse is how many bytes of a final response a receipt keeps.
	KeepResponse int64
	Reconcile    *Reconcile
	Sensitive    Sensitive
	Settlement   *Settlement
	Rewrite      *Rewrite
	Sign         *Sign
	Webhook      *Webhook
	Priority     *Priority // nil: all keys are alike
	Record       Recording
	Retention    time.Duration // content lives so long after a record's end; 0: as long as the journal needs its segment
	UpstreamTLS  *UpstreamTLS  // nil: http, or https checked by the system's authorities
	Verify       *Verify       // nil: callers prove nothing
	Admission    *Admission    // nil: everything is let in
	Line         *WaitingLine  // nil: none can be started
}

// What a Route's Caller says of who may be a caller.
const (
	CallerPublic   = "public" // everybody; also the name of such a caller
	CallerVerified = "verified"
)

// Match tells which requests belong to a route. Empty lists match everything.
type Match struct {
	Hosts   []string // exact, lower case, no port
	Paths   []string // "/a/b" exactly, "/a/**" for /a and everything below
	Methods []string
}

// Matches reports whether a request belongs to the route. host carries no
// port; path no query.
func (m Match) Matches(method, host, path string) bool {
	return (len(m.Hosts) == 0 || slices.Contains(m.Hosts, strings.ToLower(host))) &&
		(len(m.Methods) == 0 || slices.Contains(m.Methods, method)) &&
		(len(m.Paths) == 0 || MatchesPath(m.Paths, path))
}

// MatchesPath reports whether one of the patterns takes a path: "/a/b" exactly,
// "/a/**" for /a and everything below.
func MatchesPath(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchPath(p, path) })
}

func matchPath(pattern, path string) bool {
	prefix, below := strings.CutSuffix(pattern, "/**")
	if !below {
		return pattern == path
	}
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// Source is where a selector reads.
type Source uint8

// The sources of a value in a request.
const (
	SourceNone   Source = iota
	SourceHeader        // Name is the field name
	SourcePath          // Index counts path segments from 1
	SourceJSON          // Name is a JSON pointer (RFC 6901) into the body
	SourceForm          // Name is that of a field of a form
	SourceXML           // Name is a path of element names into the body
	SourceCaller        // the verified caller; of users of a waiting line only
)

// Selector reads one value out of a request.
type Selector struct {
	Source Source
	Name   string
	Index  int
}

// Idempotent says how repeats of one request fare at the upstream.
type Idempotent uint8

// The kinds of idempotency. IdempotentNone needs a person for every doubt.
const (
	IdempotentNone    Idempotent = iota
	IdempotentKey                // the upstream recognises the Idempotency-Key
	IdempotentNatural            // repeating is harmless
)

// Identity says how a request is recognised when it comes again.
type Identity struct {
	By          Idempotent
	Remembers   time.Duration // how long the upstream recognises a key; from the first attempt
	SavesErrors bool          // the upstream answers a repeat with the error it gave first
	Decides     string        // the role that decides doubts, with IdempotentNone
	// Fields identify a repeat without the header: JSON pointers, form:name or
	// xml:/path.
	Fields []string
	// Loose says that a repeat may differ in everything but Fields.
	Loose  bool
	Lookup *Lookup // nil: none
}

// HoldState says whether a route keeps requests.
type HoldState uint8

// A route starts in observe.
const (
	HoldObserve HoldState = iota
	HoldOn
	HoldNever // as observe, for good: nobody asks what would be held
)

// Hold bounds what a route keeps.
type Hold struct {
	State     HoldState
	Methods   []string      // which of the route's methods are held
	Except    []Except      // bodies that are never held
	ItemBytes int64         // largest body that is held
	Count     int64         // most pending records
	Bytes     int64         // most pending bytes
	Age       time.Duration // of running time
	Share     float64       // of keys that are held, as 0.1; 0: all. The others are as in observe
	// Credentials says that Authorization and Cookie are kept with a request, in
	// the encrypted journal, and sent again with it. Without it a request that
	// bears them is not held.
	Credentials bool
	Mint        *Mint    // nil: no. Else none are kept, and each attempt bears new ones
	Amount      *Amount  // nil: amounts are not read
	SignedOff   *SignOff // who answers for holding amounts
}

// Except keeps a request out of the hold: where the pointer's value is one of
// In, or, with In empty, where the pointer exists.
type Except struct {
	Pointer string
	In      []string
}

// Answer is what a held client gets. Text fields may use {receipt}.
type Answer struct {
	Status      int
	Header      []Field
	ContentType string
	Body        string        // empty: the catalogue's text, in the client's language
	Wait        time.Duration // how long a client waits for the upstream's own response first
	Same        bool          // a repeat gets this answer even once its record has ended
}

// Verdicts lists statuses (single, or ranges as {low, high}) that differ from
// the default reading of a final response.
type Verdicts struct {
	Delivered []StatusRange
	Retry     []StatusRange
	Refused   []StatusRange
	Clean     []StatusRange // known as not processed
	Lost      []StatusRange // outcome unknown, live too
	Body      *BodyVerdicts // nil: the status says it all
}

// StatusRange is a range of HTTP statuses, both ends included.
type StatusRange struct{ Low, High int }

// Has reports whether any range holds status.
func Has(ranges []StatusRange, status int) bool {
	return slices.ContainsFunc(ranges, func(r StatusRange) bool { return r.Low <= status && status <= r.High })
}

// Ramp is how a drain grows: share = max(Start, (t/Window)^(1/Aggression)).
type Ramp struct {
	Start      float64
	Window     time.Duration
	Aggression float64
	InFlight   int // most records at the upstream at once
}

// Timeouts bound one attempt.
type Timeouts struct {
	Connect time.Duration
	Attempt time.Duration // from the first byte written to the response head
	Idle    time.Duration // pooled connections retire after it
}

// Detect says when the upstream counts as down and as back.
type Detect struct {
	Losses int           // this many lost attempts ...
	Within time.Duration // ... within this time switch to hold
	Path   string        // active check; empty: none
	Every  time.Duration
	Down   int // this many failed checks in a row: down
	Up     int // this many good ones in a row: trial
	// Then is what intake becomes while the upstream is down: hold, divert or
	// reply; unset: hold.
	Then Intake
	// Follow is for how long at most a control node's word on the upstream holds;
	// 0: nobody listens to one.
	Follow time.Duration
}

// Poison says what happens to a record that keeps failing.
type Poison struct {
	Attempts int
	Dead     bool // to the dead letters; default: its key parks
}

// Limits bound all routes together.
type Limits struct {
	Count     int64
	Bytes     int64 // of the journal on disk
	LiveBytes int64 // of request bodies buffered at once
	// ConnsPerAddress bounds the connections of one client address; 0: unbounded.
	ConnsPerAddress int
	Replies         int64 // bytes of last good responses in memory
}
