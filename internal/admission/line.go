package admission

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

const (
	leastAgain = 3 * time.Second
	mostAgain  = 30 * time.Second
	// relearn is how long after a restart new numbers wait for the old ones to be
	// shown: longer than any client that still waits stays away.
	relearn = mostAgain + 5*time.Second
	// cookiePrefix begins the names of the cookies that carry tokens; the route's
	// id follows. What bears it never goes upstream.
	cookiePrefix = "holdfast-line-"
	// TokenHeader carries a token for clients without cookies, both ways.
	TokenHeader = "Holdfast-Line"
	mostBatches = 255
)

// Line lets users in by batches. Which batches are open stands in the journal;
// the line adds who belongs to which, and in which order the waiting of the
// batch that opened last come in.
type Line struct {
	conf   *continuity.WaitingLine
	route  string
	cookie string
	signer *signer
	born   time.Time
	seen   window // how attempts ended since the keeper's last look

	since   atomic.Int64 // the line that the numbers belong to, in milliseconds
	mu      sync.Mutex   // held while another line begins
	batches []batch
	present presence
	keep    keeper
}

type batch struct {
	issued atomic.Uint64 // numbers
	served atomic.Uint64 // the highest number whose turn has come
}

func newLine(route *continuity.Route, secret []byte, born time.Time) *Line {
	return &Line{
		conf: route.Line, route: route.ID, cookie: cookiePrefix + route.ID, signer: newSigner(secret, route.ID), born: born,
		batches: make([]batch, min(route.Line.Batches(), mostBatches)),
	}
}

func (l *Line) follow(old *Line) {
	l.since.Store(old.since.Load())
	l.born = old.born
	if len(l.batches) == len(old.batches) {
		for i := range l.batches {
			l.batches[i].issued.Store(old.batches[i].issued.Load())
			l.batches[i].served.Store(old.batches[i].served.Load())
		}
	}
	l.keep.healthy = old.keep.healthy
}

func (l *Line) exempt(path string) bool {
	return continuity.MatchesPath(l.conf.Exempt, path)
}

// Ticket is what a line tells a client.
type Ticket struct {
	In     bool
	Cookie string // name, where Token is to be carried
	Token  string // to be carried from now on; empty: as before
	Stays  time.Duration

	Number   uint64        // in its batch; 0: the number follows
	Ahead    uint64        // of the same batch, that come in before
	Batch    int           // counted from 1
	Open     int           // batches that are open
	Batches  int           // in all
	Expected time.Duration // until it comes in, if all goes well
	Again    time.Duration // until it makes sense to ask again
}

// ask tells whether a request's user is in.
func (l *Line) ask(r *Request, s *continuity.LineState, address netip.Addr) Ticket {
	l.turn(s)
	since := s.Since.UnixMilli()
	t, had := l.signer.read(l.carried(r.Header), r.At)
	name, named := l.named(r)
	// A token that another lent is none: who is known by name keeps its own place.
	ours := had && t.since == since && int(t.batch) < len(l.batches) && (!named || t.user == name)
	out := Ticket{Cookie: l.cookie, Stays: l.conf.Stays, Open: s.Step, Batches: len(l.batches)}
	until := r.At.Add(l.conf.Stays)
	if ours && t.in {
		out.In, out.Batch, out.Number = true, int(t.batch)+1, t.number
		if time.Unix(t.until, 0).Sub(r.At) < l.conf.Stays/2 {
			t.until = until.Unix()
			out.Token = l.signer.sign(t)
		}
		return out
	}
	if !ours {
		user := name
		switch {
		case named:
		case had:
			user = t.user
		default:
			user = l.stranger(r, address)
		}
		t = token{since: since, user: user}
		t.batch = l.batchOf(r, t.user, since)
	}
	b := &l.batches[t.batch]
	if t.number > 0 {
		raise(&b.issued, t.number) // a relay that was started again learns what it gave out
	}
	out.Batch = int(t.batch) + 1
	switch served, all := l.served(int(t.batch), s, r.At); {
	case int(t.batch) < s.Step && (all || t.number == 0 && b.issued.Load() == 0), t.number > 0 && t.number <= served:
		t.in = true
	case t.number == 0 && (r.At.Sub(l.born) > relearn || !s.Since.Before(l.born)):
		t.number = b.issued.Add(1)
	}
	out.In, out.Number = t.in, t.number
	t.until = until.Unix()
	if !ours || t.in || t.number > 0 {
		out.Token = l.signer.sign(t)
	}
	if !t.in {
		l.place(&out, s, r.At)
		l.present.add(r.At, out.Again)
	}
	return out
}

func raise(v *atomic.Uint64, to uint64) {
	for old := v.Load(); old < to && !v.CompareAndSwap(old, to); old = v.Load() {
	}
}

// turn begins the numbers anew where another line stands than before.
func (l *Line) turn(s *continuity.LineState) {
	since := s.Since.UnixMilli()
	if l.since.Load() == since {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.Load() != since {
		for i := range l.batches {
			l.batches[i].issued.Store(0)
			l.batches[i].served.Store(0)
		}
		l.since.Store(since)
	}
}

// served is the highest number of a batch whose turn has come; all says that
// nobody of the batch waits any more. The batch that opened last lets those who
// wait in evenly; what was served once stays so if the line steps back.
func (l *Line) served(n int, s *continuity.LineState, now time.Time) (number uint64, all bool) {
	b := &l.batches[n]
	part := 0.0
	switch {
	case n < s.Step-1:
		part = 1
	case n == s.Step-1:
		part = 1
		if l.conf.Spread > 0 {
			part = min(1, max(0, float64(now.Sub(s.Stepped))/float64(l.conf.Spread)))
		}
	}
	if part >= 1 {
		return math.MaxUint64, true
	}
	raise(&b.served, uint64(part*float64(b.issued.Load())))
	return b.served.Load(), false
}

// place reckons where a waiting client stands.
func (l *Line) place(out *Ticket, s *continuity.LineState, now time.Time) {
	n := out.Batch - 1
	b := &l.batches[n]
	issued, served := b.issued.Load(), b.served.Load()
	if out.Number > served+1 {
		out.Ahead = out.Number - served - 1
	}
	within := time.Duration(0)
	if issued > 0 {
		within = time.Duration(float64(l.conf.Spread) * float64(out.Number) / float64(issued))
	}
	passed := now.Sub(s.Stepped)
	if n < s.Step {
		out.Expected = max(0, within-passed)
	} else {
		out.Expected = max(0, l.conf.Hold-passed) + time.Duration(n-s.Step)*l.conf.Hold + within
	}
	out.Again = min(max(out.Expected/4, leastAgain), mostAgain).Round(time.Second)
}

// carried is the token that a request bears, in its header or its cookie.
func (l *Line) carried(header []continuity.Field) string {
	if text := get(header, TokenHeader); text != "" {
		return text
	}
	for i := range header {
		if len(header[i].Name) != len("Cookie") || !strings.EqualFold(header[i].Name, "Cookie") {
			continue
		}
		for pair := range strings.SplitSeq(header[i].Value, ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && name == l.cookie {
				return value
			}
		}
	}
	return ""
}

// named tells users apart as verified callers, or by a header of a trusted proxy.
// Others are told apart by the token that they carry.
func (l *Line) named(r *Request) (user uint64, ok bool) {
	if l.conf.User == continuity.SourceHeader && r.Trusted {
		if name := get(r.Header, l.conf.UserHeader); name != "" {
			return l.signer.user([]byte{'h'}, []byte(name)), true
		}
	}
	if l.conf.User == continuity.SourceCaller && r.Who != nil {
		if name, _, ok := r.Who.Verified(); ok {
			return l.signer.user([]byte{'c'}, []byte(name)), true
		}
	}
	return 0, false
}

// stranger recognises who comes without a name and a token by address and
// program, so that coming again without one is no new chance.
func (l *Line) stranger(r *Request, address netip.Addr) uint64 {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], AddressKey(address))
	return l.signer.user([]byte{'a'}, key[:], []byte(get(r.Header, "User-Agent")))
}

// batchOf is a user's batch: its group's, or by its share, which falls anew with
// each line so that nobody is always the last.
func (l *Line) batchOf(r *Request, user uint64, since int64) uint8 {
	n := len(l.conf.Groups)
	if l.conf.GroupHeader == "" && l.conf.User == continuity.SourceCaller {
		for i := range l.conf.Groups {
			if r.member(l.conf.Groups[i].Values) {
				return uint8(i) // #nosec G115 -- bounded by mostBatches
			}
		}
	} else if n > 0 && r.Trusted {
		value := get(r.Header, l.conf.GroupHeader)
		for i := range l.conf.Groups {
			for _, v := range l.conf.Groups[i].Values {
				if v == value && value != "" {
					return uint8(i) // #nosec G115 -- bounded by mostBatches
				}
			}
		}
	}
	at := float64(mix(user^uint64(since))>>11) / (1 << 53) // #nosec G115 -- any bits will do
	for _, share := range l.conf.Shares {
		if at < share {
			break
		}
		n++
	}
	return uint8(min(n, len(l.batches)-1)) // #nosec G115 -- bounded by mostBatches
}

// presence reckons how many wait: who asks again after d is there for d.
type presence struct {
	mu     sync.Mutex
	began  time.Time
	sum    time.Duration
	before float64 // of the last whole span
}

const presenceSpan = mostAgain

func (p *presence) add(now time.Time, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll(now)
	p.sum += d
}

func (p *presence) roll(now time.Time) {
	switch passed := now.Sub(p.began); {
	case passed >= 2*presenceSpan:
		p.before, p.sum, p.began = 0, 0, now
	case passed >= presenceSpan:
		p.before, p.sum, p.began = float64(p.sum)/float64(presenceSpan), 0, p.began.Add(presenceSpan)
	}
}

func (p *presence) count(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roll(now)
	part := float64(now.Sub(p.began)) / float64(presenceSpan)
	return int64(math.Round(float64(p.sum)/float64(presenceSpan) + p.before*(1-part)))
}

// StripToken takes the lines' tokens out of a request's header: they are the
// relay's, not the upstream's, and no credentials. It changes the fields in
// place and returns what is left.
func StripToken(header []continuity.Field) []continuity.Field {
	out := header[:0]
	for _, f := range header {
		switch {
		case len(f.Name) == len(TokenHeader) && strings.EqualFold(f.Name, TokenHeader):
			continue
		case len(f.Name) == len("Cookie") && strings.EqualFold(f.Name, "Cookie") && strings.Contains(f.Value, cookiePrefix):
			var rest []string
			for pair := range strings.SplitSeq(f.Value, ";") {
				if pair = strings.TrimSpace(pair); pair != "" && !strings.HasPrefix(pair, cookiePrefix) {
					rest = append(rest, pair)
				}
			}
			if len(rest) == 0 {
				continue
			}
			f.Value = strings.Join(rest, "; ")
		}
		out = append(out, f)
	}
	return out
}
