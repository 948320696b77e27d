package admission

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"holdfast/internal/continuity"
)

const (
	shards           = 16
	defaultAddresses = 65536
	// idleLook is how many of the longest unused addresses are looked at for one
	// that has nothing on its way.
	idleLook = 8
)

// clients bounds each client address. It remembers a bounded number: a new one
// takes the place of the one that was not heard of for longest. If all have
// something on their way, a further one is not bounded by itself; the route's
// own limits bound it.
type clients struct {
	limits continuity.ClientLimits
	pace   pace
	shards [shards]shard
}

// shard is a part of the addresses: a map into slots, which are a ring in the
// order of use. Slot 0 is its anchor.
type shard struct {
	mu    sync.Mutex
	index map[uint64]int32
	slots []client
	most  int
}

type client struct {
	key        uint64
	full       int64 // as in bucket
	onWay      int32
	prev, next int32
}

func newClients(l continuity.ClientLimits) *clients {
	if l.Rate <= 0 && l.Concurrency <= 0 {
		return nil
	}
	c := &clients{limits: l}
	if l.Rate > 0 {
		burst := l.Burst
		if burst <= 0 {
			burst = defaultBurst(l.Rate)
		}
		c.pace = paceOf(l.Rate, burst)
	}
	addresses := l.Addresses
	if addresses <= 0 {
		addresses = defaultAddresses
	}
	for i := range c.shards {
		c.shards[i] = shard{index: make(map[uint64]int32), slots: make([]client, 1), most: max(1, addresses/shards)}
	}
	return c
}

// AddressKey is what a client is told apart by: an IPv4 address, or the first
// 64 bits of an IPv6 one. 0: not known. The two can't meet: no IPv6 address in
// use begins with 32 zero bits.
func AddressKey(a netip.Addr) uint64 {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:])) | 1<<32
	case a.Is6():
		b := a.As16()
		return binary.BigEndian.Uint64(b[:])
	}
	return 0
}

func mix(x uint64) uint64 { // splitmix64
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// enter lets a client's request in, or tells why not and for how long. tracked
// says that leave has to be called.
func (c *clients) enter(key uint64, now int64) (tracked bool, why Reason, wait time.Duration) {
	s := &c.shards[mix(key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.find(key)
	if at == 0 {
		return false, Admitted, 0
	}
	one := &s.slots[at]
	if c.limits.Concurrency > 0 && int(one.onWay) >= c.limits.Concurrency {
		return false, ClientConcurrency, time.Second
	}
	if c.limits.Rate > 0 {
		next, wait := after(one.full, now, c.pace, 1)
		if wait > 0 {
			return false, ClientRate, wait
		}
		one.full = next
	}
	one.onWay++
	return true, Admitted, 0
}

func (c *clients) leave(key uint64) {
	s := &c.shards[mix(key)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slots[s.index[key]].onWay-- // what is on its way is never forgotten
}

func (c *clients) known() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.index)
		s.mu.Unlock()
	}
	return n
}

// find returns the slot of an address, as the last one used; 0: there is no
// room for it.
func (s *shard) find(key uint64) int32 {
	at, known := s.index[key]
	if !known {
		if len(s.slots) <= s.most {
			s.slots = append(s.slots, client{})
			at = int32(len(s.slots) - 1) // #nosec G115 -- bounded by most
		} else if at = s.idle(); at == 0 {
			return 0
		} else {
			delete(s.index, s.slots[at].key)
			s.unlink(at)
		}
		s.slots[at] = client{key: key}
		s.index[key] = at
	} else {
		s.unlink(at)
	}
	s.link(at)
	return at
}

// idle is the slot that was not used for longest and has nothing on its way,
// among the oldest few.
func (s *shard) idle() int32 {
	at := s.slots[0].prev
	for range idleLook {
		if at == 0 || s.slots[at].onWay == 0 {
			return at
		}
		at = s.slots[at].prev
	}
	return 0
}

func (s *shard) link(at int32) {
	first := s.slots[0].next
	s.slots[at].prev, s.slots[at].next = 0, first
	s.slots[first].prev, s.slots[0].next = at, at
}

func (s *shard) unlink(at int32) {
	prev, next := s.slots[at].prev, s.slots[at].next
	s.slots[prev].next, s.slots[next].prev = next, prev
}
