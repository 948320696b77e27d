package continuity

import "time"

// Admission bounds what a route lets in. A zero number bounds nothing.
type Admission struct {
	Rate        float64 // requests a second
	Burst       int     // that may come at once; 0: a tenth of a second's
	Concurrency int     // requests on their way at once
	Adaptive    *Adaptive
	// Capacity says what live traffic may take of the upstream's capacity.
	Capacity CapacityUse
	Client   ClientLimits
	Classes  AdmissionClasses
	// Hold says that a request of a kind that the route keeps is kept, and not
	// refused, where a limit of the whole route leaves no room for it.
	Hold bool
}

// CapacityUse says by which capacity live requests are bounded.
type CapacityUse uint8

// A measured capacity is what the upstream was seen to bear, not what it can:
// bounding by it has to be asked for.
const (
	CapacityStated CapacityUse = iota
	CapacityMeasured
	CapacityOff
)

// Adaptive is a limit of concurrency that follows the upstream's latency.
type Adaptive struct {
	Least, Most, Start int
	Slow               float64 // so many times the latency of a quiet upstream is too slow
}

// ClientLimits bound each client address: IPv4 as it is, of IPv6 the first 64
// bits, which are one customer's.
type ClientLimits struct {
	Rate        float64
	Burst       int
	Concurrency int
	Addresses   int // that are remembered at most
}

// AdmissionClasses order requests by what they are worth. The first may use all of a
// route's limits, the last half of them, those between evenly spread shares.
type AdmissionClasses struct {
	Header    string // of the request; believed only from a trusted proxy
	Order     []string
	Otherwise string // the class of a request that names none
	// Members tell the class of a verified caller instead: for each of Order names
	// of callers, and rights that their proofs bear. nil: Header does.
	Members [][]string
}

// WaitingLine lets users back in by batches.
type WaitingLine struct {
	AfterOutage bool          // it begins by itself when an outage ends ...
	Outage      time.Duration // ... that lasted at least so long
	User        Source        // SourceNone: by a cookie; SourceHeader: UserHeader names who asks; SourceCaller: the verified caller
	UserHeader  string
	GroupHeader string
	Groups      []LineGroup // let in whole, one after the other, before the shares
	Shares      []float64   // of all other users, growing, the last 1
	Hold        time.Duration
	Spread      time.Duration // in which the waiting of a batch are let in
	Errors      float64       // share of failed requests above which a batch does badly
	Slow        float64       // so many times the healthy latency is too slow
	Exempt      []string      // paths that never wait
	Stays       time.Duration // how long who is in stays in
}

// LineGroup is a department or priority class, by values of a header that a
// trusted proxy sets, or, where users are verified callers and there is no such
// header, by names and rights of callers.
type LineGroup struct {
	Name   string
	Values []string
}

// Batches is how many batches a line has.
func (l *WaitingLine) Batches() int { return len(l.Groups) + len(l.Shares) }

// LineState is how far a waiting line is.
type LineState struct {
	Since   time.Time // the line's; it tells one line from the next
	Step    int       // batches that are open; 0: nobody new is let in
	Stepped time.Time
	Most    int           // batches that may be open; 0: all of them
	Healthy time.Duration // latency before the outage; 0: not known
}

// Admitting is what a route's standing settings say about admission: of each
// kind the lowest.
type Admitting struct {
	Rate        float64 // 0: no setting
	Concurrency int     // 0: no setting
	Line        *LineState
	Holding     bool // intake is hold: what is kept takes nothing of the upstream
}
