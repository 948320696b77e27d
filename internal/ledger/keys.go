package ledger

import "holdfast/internal/continuity"

const keyShards = 64

// keys finds the last pending record of a key, whose next is the first: open
// addressing over slot references, the tag itself stands in the slot. Sharded
// so that growing one part stalls nobody and costs little room.
type keys struct {
	shards [keyShards]keyShard
	slots  *slots
}

type keyShard struct {
	refs []uint32 // a power of two; 0: empty
	n    int
}

func (k *keys) shard(tag continuity.KeyTag) *keyShard { return &k.shards[tag%keyShards] }

func (s *keyShard) home(tag continuity.KeyTag) int {
	return int(tag/keyShards) & (len(s.refs) - 1) // #nosec G115 -- masked
}

// head returns the key's first record, or 0.
func (k *keys) head(tag continuity.KeyTag) uint32 {
	if tail := k.tail(tag); tail != 0 {
		return k.slots.at(tail).next
	}
	return 0
}

// tail returns the key's last record, or 0.
func (k *keys) tail(tag continuity.KeyTag) uint32 {
	s := k.shard(tag)
	if s.n == 0 {
		return 0
	}
	for i := s.home(tag); s.refs[i] != 0; i = (i + 1) & (len(s.refs) - 1) {
		if k.slots.at(s.refs[i]).key == tag {
			return s.refs[i]
		}
	}
	return 0
}

// put makes ref the last of its key, which has none yet.
func (k *keys) put(tag continuity.KeyTag, ref uint32) {
	s := k.shard(tag)
	if s.n*8 >= len(s.refs)*7 {
		k.grow(s)
	}
	i := s.home(tag)
	for s.refs[i] != 0 {
		i = (i + 1) & (len(s.refs) - 1)
	}
	s.refs[i] = ref
	s.n++
}

func (k *keys) grow(s *keyShard) {
	old := s.refs
	s.refs = make([]uint32, max(8, 2*len(old)))
	for _, ref := range old {
		if ref == 0 {
			continue
		}
		i := s.home(k.slots.at(ref).key)
		for s.refs[i] != 0 {
			i = (i + 1) & (len(s.refs) - 1)
		}
		s.refs[i] = ref
	}
}

// swap makes another record the last; to is 0 when the key leaves the gate.
func (k *keys) swap(tag continuity.KeyTag, from, to uint32) {
	s := k.shard(tag)
	i := s.home(tag)
	for s.refs[i] != from {
		i = (i + 1) & (len(s.refs) - 1)
	}
	if to != 0 {
		s.refs[i] = to
		return
	}
	s.n--
	// Close the gap: move back whatever would no longer be found past it.
	mask := len(s.refs) - 1
	for j := (i + 1) & mask; s.refs[j] != 0; j = (j + 1) & mask {
		home := s.home(k.slots.at(s.refs[j]).key)
		if (j-home)&mask >= (j-i)&mask {
			s.refs[i] = s.refs[j]
			i = j
		}
	}
	s.refs[i] = 0
}

// len is how many keys there are.
func (k *keys) len() int {
	n := 0
	for i := range k.shards {
		n += k.shards[i].n
	}
	return n
}
