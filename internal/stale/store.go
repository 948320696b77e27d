package stale

import (
	"container/list"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

// Response is a response that was kept. It is not to be changed.
type Response struct {
	Status int
	Header []continuity.Field // without Age
	Body   []byte
}

// Given is what a reader gets: a response, how old it is, and for how long it is
// still fresh; negative: for how long it has been stale.
type Given struct {
	*Response
	Age, TTL time.Duration
}

// Store keeps responses. Its methods are safe for concurrent use.
type Store struct {
	limit, used atomic.Int64
	seed        maphash.Seed
	shards      [shards]shard
}

const (
	shards   = 16
	overhead = 512 // of an entry beside its texts
	variants = 8   // of one address
	// renewed at most this often: a busy address costs a look-up, not a copy.
	renewal = time.Second
)

type shard struct {
	mu      sync.Mutex
	entries map[string][]*list.Element // by address: its variants
	recent  list.List                  // front: the one last used
}

type entry struct {
	address  string
	selector []string // the values of the fields that Vary names
	policy   Policy
	response Response
	size     int64
}

// New returns a Store that keeps no more than limit bytes.
func New(limit int64) *Store {
	s := &Store{seed: maphash.MakeSeed()}
	s.limit.Store(limit)
	for i := range s.shards {
		s.shards[i].entries = make(map[string][]*list.Element)
	}
	return s
}

// SetLimit changes the bound.
func (s *Store) SetLimit(limit int64) {
	s.limit.Store(limit)
	s.makeRoom(0, 0)
}

// Bytes is how much the Store keeps.
func (s *Store) Bytes() int64 { return s.used.Load() }

// Address names what a request asks for.
func Address(scheme, host, target string) string {
	return scheme + "\x00" + strings.ToLower(host) + "\x00" + target
}

func (s *Store) shard(address string) int {
	return int(maphash.String(s.seed, address) % shards) // #nosec G115 -- a handful
}

// Wants reports whether a response to a request would be kept now: whether none
// is there that was kept a moment ago.
func (s *Store) Wants(address string, request []continuity.Field, now time.Time) bool {
	sh := &s.shards[s.shard(address)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := sh.find(address, request)
	return e == nil || now.Sub(e.Value.(*entry).policy.arrived) >= renewal
}

// Put keeps a response that is storable. It takes the response over.
func (s *Store) Put(address string, request []continuity.Field, p Policy, r Response) {
	e := &entry{address: strings.Clone(address), policy: p, selector: selector(p.vary, request)}
	e.size = overhead + int64(len(address)+len(r.Body))
	e.response = Response{Status: r.Status, Body: r.Body, Header: make([]continuity.Field, 0, len(r.Header))}
	for _, f := range r.Header {
		if !strings.EqualFold(f.Name, "Age") {
			e.response.Header = append(e.response.Header, continuity.Field{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)})
			e.size += int64(len(f.Name) + len(f.Value) + 32)
		}
	}
	for _, v := range e.selector {
		e.size += int64(len(v))
	}
	at := s.shard(address)
	if !s.makeRoom(e.size, at) {
		return
	}
	sh := &s.shards[at]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if old := sh.find(address, request); old != nil {
		s.remove(sh, old)
	}
	for len(sh.entries[address]) >= variants {
		s.remove(sh, sh.entries[address][0])
	}
	sh.entries[e.address] = append(sh.entries[e.address], sh.recent.PushFront(e))
}

// Get returns what a reader may be given, no older than oldest.
func (s *Store) Get(address string, request []continuity.Field, now time.Time, oldest time.Duration) (Given, bool) {
	sh := &s.shards[s.shard(address)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	at := sh.find(address, request)
	if at == nil {
		return Given{}, false
	}
	e := at.Value.(*entry)
	if !e.policy.may(now, oldest) || credentials(request) && !e.policy.public {
		return Given{}, false
	}
	sh.recent.MoveToFront(at)
	age := e.policy.current(now)
	return Given{Response: &e.response, Age: age, TTL: e.policy.fresh - age}, true
}

// Forget drops what is kept of an address.
func (s *Store) Forget(address string) {
	sh := &s.shards[s.shard(address)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for len(sh.entries[address]) > 0 {
		s.remove(sh, sh.entries[address][0])
	}
}

// makeRoom takes n bytes of the bound, for which others go, in the shard at
// first. It locks one shard at a time.
func (s *Store) makeRoom(n int64, first int) bool {
	if n > s.limit.Load() {
		return false
	}
	if s.used.Add(n) <= s.limit.Load() {
		return true
	}
	for i := range shards {
		sh := &s.shards[(first+i)%shards]
		sh.mu.Lock()
		for s.used.Load() > s.limit.Load() && sh.recent.Len() > 0 {
			s.remove(sh, sh.recent.Back())
		}
		sh.mu.Unlock()
		if s.used.Load() <= s.limit.Load() {
			return true
		}
	}
	s.used.Add(-n)
	return false
}

// remove takes an entry out; its shard is locked.
func (s *Store) remove(sh *shard, at *list.Element) {
	e := sh.recent.Remove(at).(*entry)
	left := slices.DeleteFunc(sh.entries[e.address], func(other *list.Element) bool { return other == at })
	if len(left) == 0 {
		delete(sh.entries, e.address)
	} else {
		sh.entries[e.address] = left
	}
	s.used.Add(-e.size)
}

// find returns the variant that a request selects; the shard is locked.
func (sh *shard) find(address string, request []continuity.Field) *list.Element {
	for _, at := range sh.entries[address] {
		if e := at.Value.(*entry); slices.Equal(e.selector, selector(e.policy.vary, request)) {
			return at
		}
	}
	return nil
}

// selector is the values of the fields that Vary names.
func selector(vary []string, request []continuity.Field) []string {
	if len(vary) == 0 {
		return nil
	}
	values := make([]string, len(vary))
	for i, name := range vary {
		values[i] = strings.Clone(strings.TrimSpace(all(request, name)))
	}
	return values
}
