package admission

import (
	"slices"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

// Reason says why a request was not let in.
type Reason uint8

// The reasons. Admitted is none.
const (
	Admitted          Reason = iota
	Rate                     // the route's stated rate
	Set                      // a rate that a person or an engine set
	Capacity                 // what the upstream's capacity leaves for live requests
	Concurrency              // stated or set
	Adaptive                 // concurrency by the upstream's latency
	ClientRate               // of one client
	ClientConcurrency        // of one client
	Waiting                  // its turn in the waiting line has not come
	reasons
)

var reasonNames = [reasons]string{"admitted", "rate", "set", "capacity", "concurrency", "adaptive", "client-rate", "client-concurrency", "waiting"}

// String is the name that metrics and the API use.
func (r Reason) String() string { return reasonNames[r] }

// Reasons lists all reasons for not letting a request in.
func Reasons() []Reason {
	return []Reason{Rate, Set, Capacity, Concurrency, Adaptive, ClientRate, ClientConcurrency, Waiting}
}

// Client reports whether the limit was one of the client's own.
func (r Reason) Client() bool { return r == ClientRate || r == ClientConcurrency }

// Options say what a Gate works with.
type Options struct {
	Route *continuity.Route
	// Capacity tells what live requests may take a second at present; 0: as much
	// as they like. nil: the same.
	Capacity func() float64
	// Standing tells what the route's standing settings say; nil: nothing.
	Standing func() continuity.Admitting
	Secret   []byte // signs the waiting line's tokens
	// Implied says that the route asks for no admission, and is bounded by what
	// replay needs of the upstream's capacity: what that leaves no room for is
	// kept, where it can be.
	Implied bool
}

// refreshEvery is how often capacity and standing settings are asked for.
const refreshEvery = 100 * time.Millisecond

// Gate admits a route's live requests. Its methods are safe for concurrent use.
type Gate struct {
	o        Options
	conf     continuity.Admission
	born     time.Time
	shares   []float64 // by class
	other    int       // the class of a request that names none
	clients  *clients
	adaptive *adaptive
	line     *Line

	now   atomic.Pointer[bounds]
	due   atomic.Int64
	rate  bucket
	onWay atomic.Int64
	count [reasons]atomic.Int64
	last  atomic.Int64 // when somebody was last turned away
}

// bounds are the limits that hold at present.
type bounds struct {
	pace        pace // each 0: no rate
	perSecond   float64
	why         Reason
	concurrency int64 // 0: none
	holding     bool
	line        *continuity.LineState
}

// New returns a gate.
func New(o Options) *Gate {
	g := &Gate{o: o, born: time.Now()}
	if o.Route.Admission != nil {
		g.conf = *o.Route.Admission
	}
	g.clients = newClients(g.conf.Client)
	if g.conf.Adaptive != nil {
		g.adaptive = newAdaptive(g.conf.Adaptive)
	}
	g.shares = []float64{1}
	if n := len(g.conf.Classes.Order); n > 1 {
		g.shares = make([]float64, n)
		for i := range g.shares {
			g.shares[i] = 1 - 0.5*float64(i)/float64(n-1)
		}
		g.other = n - 1
		if i := slices.Index(g.conf.Classes.Order, g.conf.Classes.Otherwise); i >= 0 {
			g.other = i
		}
	}
	if o.Route.Line != nil {
		g.line = newLine(o.Route, o.Secret, g.born)
	}
	g.refresh()
	return g
}

// Follow takes over what an older gate of the route has counted and learned. It
// is called before the gate is used.
func (g *Gate) Follow(old *Gate) {
	for i := range g.count {
		g.count[i].Store(old.count[i].Load())
	}
	if g.adaptive != nil && old.adaptive != nil && g.adaptive.conf == old.adaptive.conf {
		g.adaptive = old.adaptive
	}
	if g.clients != nil && old.clients != nil && g.clients.limits == old.clients.limits {
		g.clients = old.clients
	}
	if g.line != nil && old.line != nil {
		g.line.follow(old.line)
	}
}

func (g *Gate) clock(now time.Time) int64 { return int64(now.Sub(g.born)) }

// Pass is what an admitted request gives back when it leaves.
type Pass struct {
	gate   *Gate
	client uint64 // 0: not tracked
	route  bool   // it counts among the route's
	Ticket Ticket // of the waiting line, where one stands
}

// Refusal says why a request was not let in.
type Refusal struct {
	Why    Reason // Admitted: it was
	Wait   time.Duration
	Ticket Ticket
}

// Enter asks for admission.
func (g *Gate) Enter(r *Request) (Pass, Refusal) {
	now := g.clock(r.At)
	b := g.bounds(now)
	pass := Pass{gate: g}
	if g.clients != nil || b.line != nil {
		address := r.client()
		if g.clients != nil {
			if key := AddressKey(address); key != 0 {
				tracked, why, wait := g.clients.enter(key, now)
				if why != Admitted {
					return g.refuse(now, why, wait)
				}
				if tracked {
					pass.client = key
				}
			}
		}
		if b.line != nil && g.line != nil && !(r.Kept && b.holding) && !g.line.exempt(r.Path) {
			if pass.Ticket = g.line.ask(r, b.line, address); !pass.Ticket.In {
				g.leaveClient(&pass)
				none, no := g.refuse(now, Waiting, pass.Ticket.Again)
				no.Ticket = pass.Ticket
				return none, no
			}
		}
	}
	if r.Kept && b.holding {
		g.count[Admitted].Add(1)
		return pass, Refusal{}
	}
	share := g.shares[0]
	if len(g.shares) > 1 {
		share = g.shares[g.class(r)]
	}
	if why, wait := g.enterRoute(now, b, share); why != Admitted {
		g.leaveClient(&pass)
		return g.refuse(now, why, wait)
	}
	pass.route = true
	g.count[Admitted].Add(1)
	return pass, Refusal{}
}

// enterRoute asks the limits of the whole route.
func (g *Gate) enterRoute(now int64, b *bounds, share float64) (Reason, time.Duration) {
	most, why := b.concurrency, Concurrency
	if g.adaptive != nil {
		if limit := g.adaptive.limit.Load(); most == 0 || limit < most {
			most, why = limit, Adaptive
		}
	}
	n := g.onWay.Add(1)
	if most > 0 && n > max(1, int64(share*float64(most))) {
		g.onWay.Add(-1)
		return why, time.Second
	}
	if b.pace.each > 0 {
		if wait := g.rate.take(now, b.pace, share); wait > 0 {
			g.onWay.Add(-1)
			return b.why, wait
		}
	}
	if g.adaptive != nil {
		g.adaptive.entered(n)
	}
	return Admitted, 0
}

func (g *Gate) refuse(now int64, why Reason, wait time.Duration) (Pass, Refusal) {
	g.count[why].Add(1)
	g.last.Store(now)
	return Pass{}, Refusal{Why: why, Wait: wait}
}

// Leave gives back what an admitted request took. It may be called once, also
// on the zero Pass.
func (p *Pass) Leave() {
	if p.gate == nil {
		return
	}
	if p.route {
		p.gate.onWay.Add(-1)
	}
	p.gate.leaveClient(p)
	*p = Pass{}
}

func (g *Gate) leaveClient(p *Pass) {
	if p.client != 0 {
		g.clients.leave(p.client)
		p.client = 0
	}
}

// Ended tells how the upstream answered, after how long. bad: not at all, or
// with an error of its own.
func (p *Pass) Ended(now time.Time, took time.Duration, bad bool) {
	if p.gate == nil || !p.route {
		return
	}
	if p.gate.adaptive != nil {
		p.gate.adaptive.ended(p.gate.clock(now), took, bad)
	}
	if p.gate.line != nil {
		p.gate.line.seen.add(took, bad)
	}
}

// class is a request's class, by the verified caller, or by the header of a
// trusted proxy.
func (g *Gate) class(r *Request) int {
	if members := g.conf.Classes.Members; members != nil {
		for i := range members {
			if r.member(members[i]) {
				return i
			}
		}
		return g.other
	}
	if r.Trusted {
		if i := slices.Index(g.conf.Classes.Order, get(r.Header, g.conf.Classes.Header)); i >= 0 {
			return i
		}
	}
	return g.other
}

// defaultBurst is what may come at once of a rate: a tenth of a second's.
func defaultBurst(perSecond float64) int { return max(1, int(perSecond/10)) }

// steadyBurst is what may come at once of a rate that may not be exceeded: the
// rate is lowered by it, so that no second sees more.
const steadyBurst = 0.05

func (g *Gate) bounds(now int64) *bounds {
	if due := g.due.Load(); now >= due && g.due.CompareAndSwap(due, now+int64(refreshEvery)) {
		g.refresh()
	}
	return g.now.Load()
}

// Renew has the next request see what a person has just set.
func (g *Gate) Renew() { g.due.Store(0) }

// refresh puts the limits together: the lowest of each kind.
func (g *Gate) refresh() {
	b := &bounds{concurrency: int64(g.conf.Concurrency)}
	burst := 0
	if g.conf.Rate > 0 {
		b.perSecond, b.why, burst = g.conf.Rate, Rate, g.conf.Burst
	}
	if g.o.Standing != nil {
		s := g.o.Standing()
		b.holding, b.line = s.Holding, s.Line
		if s.Rate > 0 && (b.perSecond == 0 || s.Rate < b.perSecond) {
			b.perSecond, b.why, burst = s.Rate, Set, 0
		}
		if n := int64(s.Concurrency); n > 0 && (b.concurrency == 0 || n < b.concurrency) {
			b.concurrency = n
		}
	}
	if g.o.Capacity != nil {
		if c := g.o.Capacity(); c > 0 && (b.perSecond == 0 || c < b.perSecond) {
			b.perSecond, b.why = c, Capacity
			burst = max(1, int(c*steadyBurst))
		}
	}
	if b.perSecond > 0 {
		rate := b.perSecond
		if burst <= 0 {
			burst = defaultBurst(rate)
		}
		if b.why == Capacity && rate > float64(2*burst) {
			rate -= float64(burst)
		}
		b.pace = paceOf(rate, burst)
	}
	g.now.Store(b)
}

// Holds says that a request may be kept where this turns it away.
func (g *Gate) Holds(why Reason) bool {
	return g.conf.Hold && !why.Client() || g.o.Implied && why == Capacity
}

// Info is what people see of a gate.
type Info struct {
	Rate        float64 // requests a second; 0: no limit
	RateBy      Reason
	Concurrency int64 // 0: no limit
	Adaptive    bool
	OnWay       int64
	Addresses   int // remembered
	Admitted    int64
	Refused     [reasons]int64 // by reason
	Shedding    bool           // somebody was turned away in the last seconds
}

// sheddingFor is how long after the last refusal a route counts as shedding.
const sheddingFor = 10 * time.Second

// Info describes the gate at present.
func (g *Gate) Info() Info {
	now := g.clock(time.Now())
	b := g.bounds(now)
	i := Info{Rate: b.perSecond, RateBy: b.why, Concurrency: b.concurrency, OnWay: g.onWay.Load(), Admitted: g.count[Admitted].Load()}
	if g.adaptive != nil {
		if limit := g.adaptive.limit.Load(); i.Concurrency == 0 || limit < i.Concurrency {
			i.Concurrency, i.Adaptive = limit, true
		}
	}
	if g.clients != nil {
		i.Addresses = g.clients.known()
	}
	for r := range g.count {
		if r != int(Admitted) {
			i.Refused[r] = g.count[r].Load()
		}
	}
	last := g.last.Load()
	i.Shedding = last > 0 && now-last < int64(sheddingFor)
	return i
}

// Line is the route's waiting line; nil: none can stand.
func (g *Gate) Line() *Line { return g.line }
