package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"holdfast/internal/continuity"
)

// Alone calls f while no control node runs on a data folder, and keeps one from
// starting meanwhile.
func Alone(data string, f func() error) (err error) {
	unlock, err := lockFolder(data)
	if continuity.CodeOf(err) == continuity.CodeLocked {
		return continuity.E(continuity.CodeLocked, err, "folder", data, "running", true)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return f()
}

// lockFolder keeps a second node out of a data folder until unlock.
func lockFolder(data string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- the operator names the folder
	if err != nil {
		return nil, unusable(data, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return nil, errors.Join(continuity.E(continuity.CodeLocked, err, "folder", data), f.Close())
	}
	return f.Close, nil
}

// unusable says that nothing can be kept in a data folder, and why.
func unusable(data string, err error) error {
	cause := err
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		cause = e.Err // the folder is named already
	}
	return continuity.E(continuity.CodeConfig, err, "folder", data, "cause", cause.Error())
}
