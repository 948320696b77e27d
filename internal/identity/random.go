package identity

import (
	"crypto/rand"
	"sync"
)

const (
	alphabet  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // of base32
	keyLength = 26                                 // 130 bits
	keysMade  = 78                                 // at once: 2 KiB of them
)

// spares are keys that have been made and not yet used.
var spares = sync.Pool{New: func() any { return new(spare) }}

// spare is several keys in one text.
type spare struct{ text string }

// RandomKey makes an Idempotency-Key for a request that nothing recognises. Many
// are made at once, as nearly each request of some routes needs one.
func RandomKey() string {
	s := spares.Get().(*spare)
	if s.text == "" {
		var b [keysMade * keyLength]byte
		rand.Read(b[:]) // never fails
		for i := range b {
			b[i] = alphabet[b[i]%byte(len(alphabet))] // which divides 256
		}
		s.text = string(b[:])
	}
	key := s.text[:keyLength]
	s.text = s.text[keyLength:]
	spares.Put(s)
	return key
}
