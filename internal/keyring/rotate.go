package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"holdfast/internal/durable"
)

// Add puts a new master key before those of the file, durably. From then on the
// ring wraps with it. The older ones stay until Drop, so that whatever was
// wrapped by them can be read at every moment.
func (r *Ring) Add(path string) error {
	var fresh masterKey
	if _, err := rand.Read(fresh[:]); err != nil {
		return err
	}
	keys := append([]masterKey{fresh}, *r.keys.Load()...)
	if err := replace(path, keys); err != nil {
		return err
	}
	r.keys.Store(&keys)
	return nil
}

// Drop takes every key but the newest out of the file, durably, and out of the
// ring: what is still wrapped by an older one can't be read any more.
func (r *Ring) Drop(path string) error {
	keys := (*r.keys.Load())[:1:1]
	if err := replace(path, keys); err != nil {
		return err
	}
	r.keys.Store(&keys)
	return nil
}

// replace writes the key file anew. Whoever reads it meets the old content or
// the new one.
func replace(path string, keys []masterKey) error {
	var text strings.Builder
	for _, k := range keys {
		text.WriteString(base64.StdEncoding.EncodeToString(k[:]) + "\n")
	}
	return durable.Replace(path, []byte(text.String()))
}
