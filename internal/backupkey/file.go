package backupkey

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

// Load opens the ring in a file that only its owner can read.
func Load(path string, g Guard) (*Ring, error) {
	raw, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := Unmarshal(raw, g)
	return r, named(err, path)
}

// Create makes a ring with one key in a new file, and never over another.
func Create(path string, g Guard, now time.Time) (*Ring, error) {
	r, err := New(now)
	if err != nil {
		return nil, err
	}
	raw, err := r.Marshal(g)
	if err != nil {
		return nil, err
	}
	return r, WriteNew(path, raw)
}

// Edit changes the ring in a file. Whoever edits it meanwhile waits.
func Edit(path string, g Guard, change func(*Ring) error) error {
	unlock, err := lock(filepath.Dir(path))
	if err != nil {
		return unread(path, err)
	}
	defer unlock()
	r, err := Load(path, g)
	if err != nil {
		return err
	}
	if err := change(r); err != nil {
		return err
	}
	raw, err := r.Marshal(g)
	if err != nil {
		return err
	}
	return durable.Replace(path, raw)
}

// WriteNew writes a secret file that is not there yet, durably.
func WriteNew(path string, raw []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unread(path, err)
	}
	unlock, err := lock(dir)
	if err != nil {
		return unread(path, err)
	}
	defer unlock()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return unread(path, errors.Join(fs.ErrExist, err))
	}
	return durable.Replace(path, raw)
}

// ReadFile reads a secret file, and refuses one that others can read.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, unread(path, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, unread(path, err)
	case !info.Mode().IsRegular():
		return nil, named(badForm(nil), path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, noKey("open", nil, "file", path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return nil, unread(path, err)
	}
	return raw, nil
}

// lock holds the folder: a file that is replaced can't be held itself.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX) // #nosec G115 -- a descriptor
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil // closing lets go of it
}

// unread says why a file can't be used.
func unread(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noKey("missing", err, "file", path)
	case errors.Is(err, fs.ErrExist):
		return refused(continuity.CodeState, "exists", err, "file", path)
	}
	return noKey("unread", err, "file", path)
}

// named adds the file to what is wrong with its content.
func named(err error, path string) error {
	var e *continuity.Error
	if errors.As(err, &e) && e.Args != nil {
		e.Args["file"] = path
	}
	return err
}
