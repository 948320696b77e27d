package admission

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"sync"
	"time"
)

// token is what a client carries: who it is, and whether it is in or which
// number it has. It is signed, not secret.
type token struct {
	in     bool
	since  int64 // of the line, in milliseconds
	user   uint64
	batch  uint8
	number uint64
	until  int64 // seconds
}

const (
	tokenBody  = 1 + 8 + 8 + 1 + 8 + 8
	tokenMAC   = 16
	tokenBytes = tokenBody + tokenMAC
)

var tokenText = base64.RawURLEncoding.Strict()

// signer signs the tokens of one route.
type signer struct{ pool sync.Pool }

func newSigner(secret []byte, route string) *signer {
	key := hmac.New(sha256.New, secret)
	key.Write([]byte("waiting line\x00" + route))
	derived := key.Sum(nil)
	s := &signer{}
	s.pool.New = func() any { return hmac.New(sha256.New, derived) }
	return s
}

func (s *signer) mac(parts ...[]byte) (sum [sha256.Size]byte) {
	h := s.pool.Get().(hash.Hash)
	h.Reset()
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	s.pool.Put(h)
	return sum
}

// user is a keyed hash of what tells users apart.
func (s *signer) user(parts ...[]byte) uint64 {
	sum := s.mac(append([][]byte{{'u'}}, parts...)...)
	return binary.BigEndian.Uint64(sum[:])
}

func (s *signer) sign(t token) string {
	var b [tokenBytes]byte
	if t.in {
		b[0] = 1
	}
	binary.BigEndian.PutUint64(b[1:], uint64(t.since)) // #nosec G115 -- bits are kept
	binary.BigEndian.PutUint64(b[9:], t.user)
	b[17] = t.batch
	binary.BigEndian.PutUint64(b[18:], t.number)
	binary.BigEndian.PutUint64(b[26:], uint64(t.until)) // #nosec G115 -- bits are kept
	sum := s.mac([]byte{'t'}, b[:tokenBody])
	copy(b[tokenBody:], sum[:tokenMAC])
	return tokenText.EncodeToString(b[:])
}

// read returns what a token says; ok is false where it was not signed here, or
// is over.
func (s *signer) read(text string, now time.Time) (t token, ok bool) {
	if len(text) != tokenText.EncodedLen(tokenBytes) {
		return token{}, false
	}
	var b [tokenBytes]byte
	if _, err := tokenText.Decode(b[:], []byte(text)); err != nil {
		return token{}, false
	}
	sum := s.mac([]byte{'t'}, b[:tokenBody])
	if !hmac.Equal(b[tokenBody:], sum[:tokenMAC]) {
		return token{}, false
	}
	t = token{
		in: b[0] == 1, since: int64(binary.BigEndian.Uint64(b[1:])), // #nosec G115 -- as written
		user: binary.BigEndian.Uint64(b[9:]), batch: b[17], number: binary.BigEndian.Uint64(b[18:]),
		until: int64(binary.BigEndian.Uint64(b[26:])), // #nosec G115 -- as written
	}
	return t, t.until > now.Unix()
}
