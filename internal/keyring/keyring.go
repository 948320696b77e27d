// Package keyring holds the master key: it wraps data keys and derives the
// secrets of keyed hashes. The master key is a file of 32 random bytes in
// base64, readable by its owner only.
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
)

const keyBytes = 32

// Ring wraps and derives with one master key.
type Ring struct{ master [keyBytes]byte }

// ErrWrongKey says that what was wrapped was wrapped by another key, or damaged.
var ErrWrongKey = errors.New("keyring: wrapped by another master key, or damaged")

// New makes a Ring of 32 bytes of key.
func New(master []byte) (*Ring, error) {
	if len(master) != keyBytes {
		return nil, fmt.Errorf("keyring: a master key has %d bytes, not %d", keyBytes, len(master))
	}
	r := &Ring{}
	copy(r.master[:], master)
	return r, nil
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
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("keyring: %s is not base64: %w", path, err)
	}
	return New(master)
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

// Derive returns n bytes that only this master key gives for this purpose.
func (r *Ring) Derive(purpose string, salt []byte, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, r.master[:], salt, purpose, n)
}

// Wrap encrypts a key; context must be given again to Unwrap.
func (r *Ring) Wrap(key, context []byte) ([]byte, error) {
	aead, err := r.aead()
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
	aead, err := r.aead()
	if err != nil {
		return nil, err
	}
	if len(wrapped) < aead.NonceSize() {
		return nil, ErrWrongKey
	}
	key, err := aead.Open(nil, wrapped[:aead.NonceSize()], wrapped[aead.NonceSize():], context)
	if err != nil {
		return nil, ErrWrongKey
	}
	return key, nil
}

func (r *Ring) aead() (cipher.AEAD, error) {
	key, err := r.Derive("holdfast wrap 1", nil, keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
