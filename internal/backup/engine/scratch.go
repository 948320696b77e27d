package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

const lockSuffix = ".lock"

// scratch is a folder for one restore. Whoever has it holds its lock; the folder of one
// that died can be told by that.
type scratch struct {
	dir  string
	lock *os.File
}

// newScratch makes a folder. Servers that run as somebody else have to get through to
// theirs, so others may enter the folders above by name, and see nothing.
func (e *Engine) newScratch(what string) (*scratch, error) {
	if err := os.MkdirAll(e.o.Scratch, 0o711); err != nil { // #nosec G301 -- see above
		return nil, noFolder(err)
	}
	dir := filepath.Join(e.o.Scratch, what+"-"+backup.NewID())
	lock, err := os.OpenFile(dir+lockSuffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // #nosec G304 -- a name of its own
	if err != nil {
		return nil, noFolder(err)
	}
	s := &scratch{dir: dir, lock: lock}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return nil, noFolder(errors.Join(err, s.remove()))
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, noFolder(errors.Join(err, s.remove()))
	}
	return s, nil
}

// remove takes the folder away, and its lock last.
func (s *scratch) remove() error {
	err := os.RemoveAll(s.dir)
	if err == nil {
		err = os.Remove(s.lock.Name())
	}
	return errors.Join(err, s.lock.Close())
}

// errNoRoom is in errors that say nothing of what was to be restored.
var errNoRoom = errors.New("no folder to restore in")

func noFolder(err error) error {
	return continuity.E(continuity.CodeBackupRestore, errors.Join(errNoRoom, err), "cause", err.Error())
}

// SweepScratch removes what restores left that were killed, and says what.
func (e *Engine) SweepScratch() ([]string, error) {
	locks, err := filepath.Glob(filepath.Join(e.o.Scratch, "*"+lockSuffix))
	var swept []string
	for _, name := range locks {
		gone, failed := sweepScratch(name)
		if gone {
			swept = append(swept, strings.TrimSuffix(name, lockSuffix))
		}
		err = errors.Join(err, failed)
	}
	return swept, err
}

func sweepScratch(name string) (bool, error) {
	lock, err := os.OpenFile(name, os.O_RDWR, 0) // #nosec G304 -- a name from the own folder
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // its owner was quicker
	}
	if err != nil {
		return false, err
	}
	s := &scratch{dir: strings.TrimSuffix(name, lockSuffix), lock: lock}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // #nosec G115 -- a descriptor
		return false, lock.Close() // somebody works there
	}
	return true, s.remove()
}
