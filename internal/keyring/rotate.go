package keyring

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
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
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text.String())
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir) // #nosec G304 -- the operator names the file
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
