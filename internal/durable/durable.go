// Package durable puts small files in place so that a sudden end, at any
// moment, leaves the old content or the new one and nothing between. The
// journal has files of its own kind, behind its own seam.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace puts a whole file in the place of another, or none at all. It is on
// stable storage when Replace returns, and only its owner can read it.
func Replace(path string, content []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it has been renamed
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir) // #nosec G304 -- the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
