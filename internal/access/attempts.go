package access

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

// attempts slows down who tries passwords. Three counts go side by side: of a user
// from an address, which soon waits for minutes; of an address, whoever it tries;
// and of a user from anywhere, which waits little, as strangers could else keep a
// user out. Each node counts for itself.
type attempts struct {
	mu    sync.Mutex
	known map[attempt]*tries
}

// attempt is whose tries are counted; an empty part stands for all.
type attempt struct {
	user    string
	address netip.Prefix
}

type tries struct {
	failed int
	until  time.Time // nothing is tried before
	last   time.Time
}

// bound is how many tries are free, and how long the longest wait is.
type bound struct {
	free int
	most time.Duration
}

var (
	ofBoth    = bound{5, 15 * time.Minute}
	ofAddress = bound{20, 15 * time.Minute}
	ofUser    = bound{50, 30 * time.Second}
)

const (
	mostAttempts = 20_000
	forgetAfter  = 24 * time.Hour
)

// wait is how long the next try has to wait after so many that failed.
func (b bound) wait(failed int) time.Duration {
	over := failed - b.free
	if over < 0 {
		return 0
	}
	return min(time.Second<<min(over, 20), b.most)
}

// whose lists the counts of one try.
func whose(user string, address netip.Addr) map[attempt]bound {
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64 // one customer's network
	}
	from, err := address.Prefix(bits)
	if err != nil { // no address: a program's own
		from = netip.Prefix{}
	}
	return map[attempt]bound{{user, from}: ofBoth, {"", from}: ofAddress, {user, netip.Prefix{}}: ofUser}
}

// begin counts a try as one that fails, so that many at once are no more than
// many in turn.
func (a *attempts) begin(user string, address netip.Addr, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := whose(user, address)
	var wait time.Duration
	for key := range counts {
		if t := a.known[key]; t != nil {
			wait = max(wait, t.until.Sub(now))
		}
	}
	if wait > 0 {
		return continuity.E(continuity.CodeLoginWait, errors.New("tried too often"), "seconds", int64((wait+time.Second-1)/time.Second))
	}
	a.makeRoom(now)
	for key, bound := range counts {
		t := a.known[key]
		if t == nil || now.Sub(t.last) > forgetAfter {
			t = &tries{}
			a.known[key] = t
		}
		t.failed++
		t.last = now
		t.until = now.Add(bound.wait(t.failed))
	}
	return nil
}

// succeeded forgets a user's tries from an address. Those of the address and of
// the user from elsewhere stay, less this one: who knows one password may still be
// guessing others.
func (a *attempts) succeeded(user string, address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, bound := range whose(user, address) {
		if bound == ofBoth {
			delete(a.known, key)
		}
	}
	a.uncount(user, address)
}

// undo takes a try back of which nothing was learnt.
func (a *attempts) undo(user string, address netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uncount(user, address)
}

func (a *attempts) uncount(user string, address netip.Addr) {
	for key := range whose(user, address) {
		if t := a.known[key]; t != nil {
			t.failed--
			t.until = time.Time{}
		}
	}
}

// makeRoom keeps the list bounded: what is old goes, and if that is not enough,
// any that is not held up.
func (a *attempts) makeRoom(now time.Time) {
	if a.known == nil {
		a.known = map[attempt]*tries{}
	}
	if len(a.known) < mostAttempts {
		return
	}
	for key, t := range a.known {
		if now.Sub(t.last) > forgetAfter {
			delete(a.known, key)
		}
	}
	for key, t := range a.known {
		if len(a.known) < mostAttempts*9/10 {
			return
		}
		if !t.until.After(now) {
			delete(a.known, key)
		}
	}
	if len(a.known) >= mostAttempts {
		clear(a.known)
	}
}

// try compares a password as often as the counts let.
func (e *Engine) try(ctx context.Context, user, password, hash string, address netip.Addr) (bool, error) {
	if err := e.attempts.begin(user, address, e.now()); err != nil {
		return false, err
	}
	same, err := e.passwords.same(ctx, password, hash)
	switch {
	case err != nil:
		e.attempts.undo(user, address)
	case same:
		e.attempts.succeeded(user, address)
	}
	return same, err
}

// marks remembers when something was last noted, so that it isn't noted at each
// request.
type marks struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const mostMarks = 10_000

// due says whether it is time to note it again, and takes that as done.
func (m *marks) due(key string, now time.Time, every time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil || len(m.last) >= mostMarks {
		m.last = map[string]time.Time{}
	}
	if last, ok := m.last[key]; ok && now.Sub(last) < every && !now.Before(last) {
		return false
	}
	m.last[key] = now
	return true
}

// missed takes back that it was noted.
func (m *marks) missed(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, key)
}
