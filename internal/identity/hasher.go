package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"sync"

	"holdfast/internal/continuity"
)

// Hasher makes the keyed hashes of one relay. It is safe for concurrent use.
//
// The hashes are HMAC-SHA256, spelled out: a request needs three of few bytes
// each, and package crypto/hmac takes several times as long to get there as to
// hash them. The secret begins each hash as a block of its own.
type Hasher struct {
	inner, outer [sha256.BlockSize]byte
	pool         sync.Pool
}

// state is the text of one hash on its way.
type state struct {
	hasher *Hasher
	text   []byte // begins with the inner block
	long   hash.Hash
	last   [sha256.BlockSize + sha256.Size]byte
	sum    [sha256.Size]byte
}

// New makes a Hasher. The secret is derived from the master key; whoever holds
// it can name every receipt.
func New(secret []byte) *Hasher {
	if len(secret) > sha256.BlockSize {
		sum := sha256.Sum256(secret)
		secret = sum[:]
	}
	h := &Hasher{}
	copy(h.inner[:], secret)
	copy(h.outer[:], secret)
	for i := range h.inner {
		h.inner[i] ^= 0x36
		h.outer[i] ^= 0x5c
	}
	h.pool.New = func() any {
		s := &state{hasher: h, text: make([]byte, 0, 512), long: sha256.New()}
		copy(s.last[:], h.outer[:])
		return s
	}
	return h
}

// KeyTag returns the tag of an ordering key within its route.
func (h *Hasher) KeyTag(route, key string) continuity.KeyTag {
	s := h.begin("key")
	s.add(route)
	s.add(key)
	tag := binary.BigEndian.Uint64(s.finish())
	h.put(s)
	return continuity.KeyTag(tag)
}

// Receipt returns the receipt of a request: the same for its repeats.
func (h *Hasher) Receipt(route, caller, idempotencyKey string) continuity.Receipt {
	s := h.begin("receipt")
	s.add(route)
	s.add(caller)
	s.add(idempotencyKey)
	var r continuity.Receipt
	copy(r[:], s.finish())
	h.put(s)
	return r
}

// Fingerprint returns what tells a repeat from another request under the same
// Idempotency-Key. target is path and query as on the wire: the first question
// mark parts them, so they need not be hashed apart.
func (h *Hasher) Fingerprint(method, target string, body []byte) continuity.Fingerprint {
	s := h.begin("fingerprint")
	s.add(method)
	s.add(target)
	var f continuity.Fingerprint
	copy(f[:], s.finishWith(body))
	h.put(s)
	return f
}

// FieldsFingerprint is the fingerprint of a request of which only some fields
// of the body tell it from another.
func (h *Hasher) FieldsFingerprint(method string, values []string) continuity.Fingerprint {
	s := h.begin("fields fingerprint")
	s.add(method)
	for _, v := range values {
		s.add(v)
	}
	var f continuity.Fingerprint
	copy(f[:], s.finish())
	h.put(s)
	return f
}

// DerivedKey returns the Idempotency-Key of a request that bears none but is
// recognised by fields of its body: the same for the same values.
func (h *Hasher) DerivedKey(route, caller string, values []string) string {
	s := h.begin("fields")
	s.add(route)
	s.add(caller)
	for _, v := range values {
		s.add(v)
	}
	key := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.finish()[:16])
	h.put(s)
	return key
}

// RandomTag makes the tag of a record that has no ordering key.
func RandomTag() continuity.KeyTag {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return continuity.KeyTag(binary.BigEndian.Uint64(b[:]))
}

func (h *Hasher) begin(purpose string) *state {
	s := h.pool.Get().(*state)
	s.text = append(s.text[:0], h.inner[:]...)
	s.add(purpose)
	return s
}

func (s *state) size(n int) {
	s.text = binary.BigEndian.AppendUint64(s.text, uint64(n)) // #nosec G115 -- lengths are not negative
}

func (s *state) add(part string) {
	s.size(len(part))
	s.text = append(s.text, part...)
}

func (s *state) finish() []byte { return s.seal(sha256.Sum256(s.text)) }

// finishWith is finish with a long part at the end, which it does not copy.
func (s *state) finishWith(part []byte) []byte {
	s.size(len(part))
	s.long.Reset()
	s.long.Write(s.text)
	s.long.Write(part)
	return s.seal([sha256.Size]byte(s.long.Sum(s.sum[:0])))
}

func (s *state) seal(inner [sha256.Size]byte) []byte {
	copy(s.last[sha256.BlockSize:], inner[:])
	s.sum = sha256.Sum256(s.last[:])
	return s.sum[:]
}

// put gives a state back, without the long texts that passed through it.
func (h *Hasher) put(s *state) {
	if cap(s.text) <= 4<<10 {
		h.pool.Put(s)
	}
}
