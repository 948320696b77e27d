package backupkey

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"holdfast/internal/continuity"
)

const (
	secretBytes = 32
	idBytes     = 10
	maxKeys     = 1000
)

// Purposes of what is derived from a key's secret.
const (
	purposeWrap = "holdfast backup wrap 1"
	purposeSign = "holdfast backup sign 1"
	purposeID   = "holdfast backup id 1"
)

// Ring is a set of keys, never empty. It may be used by several at once; Rotate and
// Retire may not run meanwhile.
type Ring struct {
	keys    []key // the oldest first
	current string
}

type key struct {
	id     string
	made   time.Time
	secret []byte
	wrap   *subtle.AESGCM
	sign   ed25519.PrivateKey
}

// Key tells of a key what may be told.
type Key struct {
	ID      string    `json:"id"`
	Made    time.Time `json:"made"`
	Current bool      `json:"current"`
}

// New makes a ring with one key.
func New(now time.Time) (*Ring, error) {
	r := &Ring{}
	_, err := r.Rotate(now)
	return r, err
}

// Rotate adds a key and makes it the current one. What earlier keys sealed they still
// open.
func (r *Ring) Rotate(now time.Time) (string, error) {
	if len(r.keys) == maxKeys {
		return "", refused(continuity.CodeState, "many", nil)
	}
	secret := make([]byte, secretBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	k, err := newKey(secret, now.UTC().Truncate(time.Second))
	if err != nil {
		return "", err
	}
	r.keys, r.current = append(r.keys, k), k.id
	return k.id, nil
}

// Retire forgets a key, and with it every backup that it sealed. The current one can't
// be retired. Whether backups still need the key, the caller has to know.
func (r *Ring) Retire(id string) error {
	i := r.index(id)
	switch {
	case i < 0:
		return refused(continuity.CodeNotFound, "unknown", nil, "key", id)
	case id == r.current:
		return refused(continuity.CodeState, "current", nil, "key", id)
	}
	r.keys = slices.Delete(r.keys, i, i+1)
	return nil
}

// Keys lists the keys, the oldest first.
func (r *Ring) Keys() []Key {
	var out []Key
	for _, k := range r.keys {
		out = append(out, Key{ID: k.id, Made: k.made, Current: k.id == r.current})
	}
	return out
}

// Current is the id of the key that seals and signs.
func (r *Ring) Current() string { return r.current }

// Wrap seals a data key by the current key. The context has to be given again to Unwrap.
func (r *Ring) Wrap(dataKey, context []byte) (id string, wrapped []byte, err error) {
	k := r.keys[r.index(r.current)]
	wrapped, err = k.wrap.Encrypt(dataKey, context)
	return k.id, wrapped, err
}

// Unwrap opens what Wrap sealed by the key with this id.
func (r *Ring) Unwrap(id string, wrapped, context []byte) ([]byte, error) {
	i := r.index(id)
	if i < 0 {
		return nil, unknown(id)
	}
	dataKey, err := r.keys[i].wrap.Decrypt(wrapped, context)
	if err != nil {
		return nil, continuity.E(continuity.CodeBackupPiece, err, "cause", "key "+id+" does not open it: it is damaged, or another one under this name")
	}
	return dataKey, nil
}

// Sign signs by the current key.
func (r *Ring) Sign(message []byte) (id string, signature []byte) {
	k := r.keys[r.index(r.current)]
	return k.id, ed25519.Sign(k.sign, message)
}

// Verify says whether the key with this id signed the message; an error, that there is
// no such key.
func (r *Ring) Verify(id string, message, signature []byte) (bool, error) {
	i := r.index(id)
	if i < 0 {
		return false, unknown(id)
	}
	public, _ := r.keys[i].sign.Public().(ed25519.PublicKey)
	return ed25519.Verify(public, message, signature), nil
}

func (r *Ring) index(id string) int {
	return slices.IndexFunc(r.keys, func(k key) bool { return k.id == id })
}

func unknown(id string) error { return noKey("missing-key", nil, "key", id) }

func noKey(what string, cause error, pairs ...any) error {
	return refused(continuity.CodeNoKey, what, cause, pairs...)
}

// refused is an error whose text is backupkey.WHAT.
func refused(code continuity.Code, what string, cause error, pairs ...any) error {
	return continuity.E(code, cause, append([]any{"detail_id", "backupkey." + what}, pairs...)...)
}

func newKey(secret []byte, made time.Time) (key, error) {
	var derived [3][]byte
	for i, purpose := range []string{purposeWrap, purposeSign, purposeID} {
		var err error
		if derived[i], err = hkdf.Key(sha256.New, secret, nil, purpose, secretBytes); err != nil {
			return key{}, err
		}
	}
	wrap, err := subtle.NewAESGCM(derived[0])
	if err != nil {
		return key{}, err
	}
	id := strings.ToLower(base32.StdEncoding.EncodeToString(derived[2]))[:idBytes]
	return key{id: id, made: made, secret: secret, wrap: wrap, sign: ed25519.NewKeyFromSeed(derived[1])}, nil
}
