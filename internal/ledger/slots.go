package ledger

import "holdfast/internal/continuity"

// slot is one pending or dead record in memory: 48 bytes, no pointers, so that
// a million of them cost neither much memory nor any work of the collector.
// Times are running time in ticks.
type slot struct {
	key       continuity.KeyTag
	position  continuity.Position // of the accepted or carried entry
	accepted  tick                // rounded up: an age is never overstated
	first     tick                // first attempt by outside time, rounded down: the upstream's memory is never overstated
	notBefore tick                // rounded up
	size      uint32
	next      uint32 // the key's next record; in its last, the key's first
	money     uint32 // its amount, as purse writes it
	attempts  uint16
	version   uint16
	route     uint16
	flags     uint8
	standing  uint8 // state (queued to dead) in the upper three bits, index into reasons below
}

func (s *slot) state() continuity.State   { return continuity.State(s.standing >> 5) }
func (s *slot) reason() continuity.Reason { return reasons[s.standing&31] }

func (s *slot) stand(state continuity.State, reason continuity.Reason) {
	s.standing = uint8(state)<<5 | reasonIndex(reason)
	s.version++
}

func (s *slot) is(flag uint8) bool { return s.flags&flag != 0 }

// tick is a tenth of a second of running time; they last 13 years.
type tick uint32

const ticksPerSecond = 10

func floorTick(c continuity.Clock) tick { return tick(c / (1000 / ticksPerSecond)) } // #nosec G115 -- lasts 13 years
func ceilTick(c continuity.Clock) tick  { return floorTick(c + 1000/ticksPerSecond - 1) }
func (t tick) clock() continuity.Clock  { return continuity.Clock(t) * (1000 / ticksPerSecond) }

const (
	flagHead    uint8 = 1 << iota // the key's first
	flagDoubted                   // was in doubt, and nobody has settled it as unprocessed
	flagClaimed                   // volatile: a replay worker has it
	flagBusy                      // volatile: an event about it is in flight
	flagReady                     // volatile: stands in a ready queue or a delay heap
	flagAgain                     // brings back what a restored upstream lost
	classBit                      // the class, in this bit and the one above
)

const classMask = 3 * classBit

func (s *slot) class() continuity.Class { return continuity.Class(s.flags / classBit) }

func (s *slot) rank(c continuity.Class) {
	s.flags = s.flags&^classMask | uint8(min(c, continuity.Classes-1))*classBit
}

const volatileFlags = flagClaimed | flagBusy | flagReady

// reasons fixes the number of each reason; only add at the end.
var reasons = []continuity.Reason{
	continuity.ReasonNone, continuity.ReasonUnreachable, continuity.ReasonRetryStatus, continuity.ReasonLost,
	continuity.ReasonServerError, continuity.ReasonRestart, continuity.ReasonCredentials, continuity.ReasonRefused,
	continuity.ReasonExpired, continuity.ReasonPoison, continuity.ReasonDoubt, continuity.ReasonRemembersOver,
	continuity.ReasonSavedError, continuity.ReasonBehindExpired, continuity.ReasonReplaced, continuity.ReasonPerson,
	continuity.ReasonUnsendable,
	continuity.ReasonElsewhere,
}

func reasonIndex(r continuity.Reason) uint8 {
	for i, known := range reasons {
		if known == r {
			return uint8(i) // #nosec G115 -- a short list
		}
	}
	return 0
}

const slotsPerChunk = 1024

// slots is a table of slots that can be snapshotted in no time: a snapshot
// shares the chunks, and a chunk is copied when it is next written to.
// References count from 1; 0 is none.
type slots struct {
	chunks []*[slotsPerChunk]slot
	shared []bool
	free   []uint32
	used   int // references given so far, free ones included
}

func (s *slots) at(ref uint32) *slot {
	return &s.chunks[(ref-1)/slotsPerChunk][(ref-1)%slotsPerChunk]
}

// edit returns the slot for writing.
func (s *slots) edit(ref uint32) *slot {
	c := (ref - 1) / slotsPerChunk
	if s.shared[c] {
		fresh := *s.chunks[c]
		s.chunks[c], s.shared[c] = &fresh, false
	}
	return &s.chunks[c][(ref-1)%slotsPerChunk]
}

func (s *slots) add() uint32 {
	if n := len(s.free); n > 0 {
		ref := s.free[n-1]
		s.free = s.free[:n-1]
		return ref
	}
	return s.append()
}

// append adds a slot at the end.
func (s *slots) append() uint32 {
	if s.used == len(s.chunks)*slotsPerChunk {
		s.chunks = append(s.chunks, new([slotsPerChunk]slot))
		s.shared = append(s.shared, false)
	}
	s.used++
	return uint32(s.used) // #nosec G115 -- a count bounds it
}

func (s *slots) remove(ref uint32) {
	*s.edit(ref) = slot{}
	s.free = append(s.free, ref)
}

// share returns the chunks as they are now.
func (s *slots) share() []*[slotsPerChunk]slot {
	for i := range s.shared {
		s.shared[i] = true
	}
	return append([]*[slotsPerChunk]slot(nil), s.chunks...)
}
