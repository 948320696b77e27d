// Package keyring holds the master key: it wraps data keys and derives the
// secrets of keyed hashes. The master key is a file of 32 random bytes in
// base64, readable by its owner only. While it is being exchanged the file has
// a line for each key, the newest first; see Add and Drop.
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

const keyBytes = 32

// Ring wraps with its newest master key and unwraps with any.
type Ring struct{ keys atomic.Pointer[[]masterKey] } // newest first

type masterKey [keyBytes]byte

// ErrWrongKey says that what was wrapped was wrapped by another key, or damaged.
var ErrWrongKey = errors.New("keyring: wrapped by another master key, or damaged")

// New makes a Ring of 32 bytes of key.
func New(master []byte) (*Ring, error) {
	if len(master) != keyBytes {
		return nil, fmt.Errorf("keyring: a master key has %d bytes, not %d", keyBytes, len(master))
	}
	return ringOf([]masterKey{masterKey(master)}), nil
}

func ringOf(keys []masterKey) *Ring {
	r := &Ring{}
	r.keys.Store(&keys)
	return r
}

// Load reads a master key file. It refuses one that others can read.
func Load(path string) (*Ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keyring: %s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	keys, err := parse(path, string(text))
	if err != nil {
		return nil, err
	}
	return ringOf(keys), nil
}

// parse reads a key a line.
func parse(path, text string) ([]masterKey, error) {
	var keys []masterKey
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("keyring: %s is not base64: %w", path, err)
		}
		if len(key) != keyBytes {
			return nil, fmt.Errorf("keyring: a master key has %d bytes, not %d", keyBytes, len(key))
		}
		keys = append(keys, masterKey(key))
	}
	return keys, nil
}

// Create writes a new master key file, durably, and never over another.
func Create(path string) (*Ring, error) {
	var master [keyBytes]byte
	if _, err := rand.Read(master[:]); err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, ".master-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(master[:]) + "\n")
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil { // fails where the file exists
		return nil, err
	}
	d, err := os.Open(dir) // #nosec G304 -- as above
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return nil, err
	}
	return New(master[:])
}

// LoadOrCreate loads the file, or creates it where it does not exist.
func LoadOrCreate(path string) (*Ring, error) {
	r, err := Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Create(path)
	}
	return r, err
}

// Count is how many keys there are: more than one while they are exchanged.
func (r *Ring) Count() int { return len(*r.keys.Load()) }

// Derive returns n bytes that only the newest master key gives for this purpose.
func (r *Ring) Derive(purpose string, salt []byte, n int) ([]byte, error) {
	return derive((*r.keys.Load())[0], purpose, salt, n)
}

// DeriveEach returns what each key gives for a purpose, the newest first.
func (r *Ring) DeriveEach(purpose string, salt []byte, n int) ([][]byte, error) {
	var out [][]byte
	for _, k := range *r.keys.Load() {
		b, err := derive(k, purpose, salt, n)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func derive(k masterKey, purpose string, salt []byte, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, k[:], salt, purpose, n)
}

// Wrap encrypts a key; context must be given again to Unwrap.
func (r *Ring) Wrap(key, context []byte) ([]byte, error) {
	aead, err := wrapper((*r.keys.Load())[0])
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(key)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, key, context), nil
}

// Unwrap returns what Wrap was given, or ErrWrongKey.
func (r *Ring) Unwrap(wrapped, context []byte) ([]byte, error) {
	for _, k := range *r.keys.Load() {
		aead, err := wrapper(k)
		if err != nil {
			return nil, err
		}
		if len(wrapped) < aead.NonceSize() {
			return nil, ErrWrongKey
		}
		if key, err := aead.Open(nil, wrapped[:aead.NonceSize()], wrapped[aead.NonceSize():], context); err == nil {
			return key, nil
		}
	}
	return nil, ErrWrongKey
}

func wrapper(k masterKey) (cipher.AEAD, error) {
	key, err := derive(k, "holdfast wrap 1", nil, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
