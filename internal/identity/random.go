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

// texts are keys that have been made and not yet used.
var texts = sync.Pool{New: func() any { return new(unused) }}

type unused struct{ text string }

// RandomKey makes an Idempotency-Key for a request that nothing recognises. Many
// are made at once, as nearly each request of some routes needs one.
func RandomKey() string {
	u := texts.Get().(*unused)
	if u.text == "" {
		var b [keysMade * keyLength]byte
		rand.Read(b[:]) // never fails
		for i := range b {
			b[i] = alphabet[b[i]%byte(len(alphabet))] // which divides 256
		}
		u.text = string(b[:])
	}
	key := u.text[:keyLength]
	u.text = u.text[keyLength:]
	texts.Put(u)
	return key
}
