package caller

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/alexedwards/argon2id"

	"holdfast/internal/continuity"
)

// apiKey verifies API keys by SHA-256, which suffices for keys of high entropy,
// and passwords by argon2id.
type apiKey struct {
	header    string
	file      *file[*keyTable]
	passwords *passwords
}

type keyTable struct {
	hashes    map[[sha256.Size]byte]hashed
	passwords map[string]string
}

type hashed struct {
	name string
	sum  [sha256.Size]byte
}

const (
	wayKey     = "key:"
	mostArgon  = 256 << 10 // KiB of memory that a hash may ask for
	mostPasses = 20
)

func newAPIKey(c *continuity.VerifyAPIKey, o Options) *apiKey {
	return &apiKey{header: c.Header, file: newFile(c.File, o, parseKeys), passwords: newPasswords(o.Now)}
}

// parseKeys reads lines of name:sha256:hex, or name:$argon2id$...
func parseKeys(text []byte) (*keyTable, error) {
	t := &keyTable{hashes: make(map[[sha256.Size]byte]hashed), passwords: make(map[string]string)}
	err := lines(text, func(name, value string, n int) error {
		if name == "" {
			return fmt.Errorf("line %d: no name", n)
		}
		if strings.HasPrefix(value, "$argon2id$") {
			p, _, _, err := argon2id.DecodeHash(value)
			if err != nil || p.Memory > mostArgon || p.Iterations > mostPasses || p.Iterations == 0 || p.Parallelism == 0 { // the library panics on those
				return fmt.Errorf("line %d: not an argon2id hash, or one that asks for too much", n)
			}
			t.passwords[name] = value
			return nil
		}
		digits := strings.TrimPrefix(value, "sha256:")
		sum, err := hex.DecodeString(digits)
		if err != nil || len(sum) != sha256.Size {
			return fmt.Errorf("line %d: want sha256: and 64 hexadecimal digits, or an argon2id hash", n)
		}
		h := hashed{name: name}
		copy(h.sum[:], sum)
		t.hashes[h.sum] = h
		return nil
	})
	return t, err
}

func (a *apiKey) challenge() string { return `Basic realm="holdfast"` }
func (a *apiKey) close()            {}

func (a *apiKey) verify(req *Request) (Identity, error) {
	if value, ok, twice := field(req.Header, a.header); ok {
		if twice || value == "" {
			return Identity{}, refuse(WhyMalformed, nil)
		}
		if name, password, is := basic(value); is {
			return a.password(name, password)
		}
		if token, is := scheme(value, "Bearer"); is {
			value = token
		}
		return a.key(value)
	}
	if value, ok, twice := field(req.Header, "Authorization"); ok && !twice {
		if name, password, is := basic(value); is {
			return a.password(name, password)
		}
	}
	return Identity{}, errAbsent
}

func basic(value string) (name, password string, ok bool) {
	text, ok := scheme(value, "Basic")
	if !ok {
		return "", "", false
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(plain), ":")
}

func (a *apiKey) key(key string) (Identity, error) {
	t, ok := a.file.get()
	if !ok {
		return Identity{}, unavailable(nil)
	}
	sum := sha256.Sum256([]byte(key))
	// What the look-up tells by its time is about a hash, which says nothing
	// about the key.
	h := t.hashes[sum]
	if subtle.ConstantTimeCompare(h.sum[:], sum[:]) != 1 || h.name == "" {
		return Identity{}, refuse(WhyUnknown, nil)
	}
	return Identity{Name: wayKey + h.name}, nil
}

func (a *apiKey) password(name, password string) (Identity, error) {
	t, ok := a.file.get()
	if !ok {
		return Identity{}, claiming(unavailable(nil), wayKey, name)
	}
	hash, exists := t.passwords[name]
	if !exists {
		hash = nobody()
	}
	switch same, err := a.passwords.same(name, password, hash); {
	case errors.Is(err, errBusy):
		return Identity{}, claiming(unavailable(err), wayKey, name)
	case err != nil || !same || !exists:
		return Identity{}, claiming(refuse(WhyUnknown, err), wayKey, name)
	}
	return Identity{Name: wayKey + name}, nil
}
