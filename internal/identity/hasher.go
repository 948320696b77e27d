package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"io"
	"sync"

	"holdfast/internal/continuity"
)

// Hasher makes the keyed hashes of one relay. It is safe for concurrent use.
type Hasher struct{ pool sync.Pool }

// state is one reusable HMAC with room for its scraps.
type state struct {
	mac hash.Hash
	sum [sha256.Size]byte
	len [8]byte
}

// New makes a Hasher. The secret is derived from the master key; whoever holds
// it can name every receipt.
func New(secret []byte) *Hasher {
	secret = append([]byte(nil), secret...)
	h := &Hasher{}
	h.pool.New = func() any { return &state{mac: hmac.New(sha256.New, secret)} }
	return h
}

// KeyTag returns the tag of an ordering key within its route.
func (h *Hasher) KeyTag(route, key string) continuity.KeyTag {
	s := h.begin("key")
	s.text(route)
	s.text(key)
	tag := binary.BigEndian.Uint64(s.finish())
	h.pool.Put(s)
	return continuity.KeyTag(tag)
}

// Receipt returns the receipt of a request: the same for its repeats.
func (h *Hasher) Receipt(route, caller, idempotencyKey string) continuity.Receipt {
	s := h.begin("receipt")
	s.text(route)
	s.text(caller)
	s.text(idempotencyKey)
	var r continuity.Receipt
	copy(r[:], s.finish())
	h.pool.Put(s)
	return r
}

// Fingerprint returns what tells a repeat from another request under the same
// Idempotency-Key. target is path and query as on the wire: the first question
// mark parts them, so they need not be hashed apart.
func (h *Hasher) Fingerprint(method, target string, body []byte) continuity.Fingerprint {
	s := h.begin("fingerprint")
	s.text(method)
	s.text(target)
	s.size(len(body))
	s.mac.Write(body)
	var f continuity.Fingerprint
	copy(f[:], s.finish())
	h.pool.Put(s)
	return f
}

// FieldsFingerprint is the fingerprint of a request of which only some fields
// of the body tell it from another.
func (h *Hasher) FieldsFingerprint(method string, values []string) continuity.Fingerprint {
	s := h.begin("fields fingerprint")
	s.text(method)
	for _, v := range values {
		s.text(v)
	}
	var f continuity.Fingerprint
	copy(f[:], s.finish())
	h.pool.Put(s)
	return f
}

// DerivedKey returns the Idempotency-Key of a request that bears none but is
// recognised by fields of its body: the same for the same values.
func (h *Hasher) DerivedKey(route, caller string, values []string) string {
	s := h.begin("fields")
	s.text(route)
	s.text(caller)
	for _, v := range values {
		s.text(v)
	}
	key := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.finish()[:16])
	h.pool.Put(s)
	return key
}

// RandomKey makes an Idempotency-Key for a request that nothing recognises.
func RandomKey() string { return rand.Text() }

// RandomTag makes the tag of a record that has no ordering key.
func RandomTag() continuity.KeyTag {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return continuity.KeyTag(binary.BigEndian.Uint64(b[:]))
}

func (h *Hasher) begin(purpose string) *state {
	s := h.pool.Get().(*state)
	s.mac.Reset()
	s.text(purpose)
	return s
}

func (s *state) size(n int) {
	binary.BigEndian.PutUint64(s.len[:], uint64(n)) // #nosec G115 -- lengths are not negative
	s.mac.Write(s.len[:])
}

func (s *state) text(part string) {
	s.size(len(part))
	_, _ = io.WriteString(s.mac, part)
}

func (s *state) finish() []byte { return s.mac.Sum(s.sum[:0]) }
