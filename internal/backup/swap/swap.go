package swap

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"holdfast/internal/durable"
)

// ErrNotPrepared says that there is nothing to switch to.
var ErrNotPrepared = errors.New("nothing is prepared under this id")

var idForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Valid reports whether an id can stand in names of files.
func Valid(id string) bool { return idForm.MatchString(id) }

// Sibling is where what is to come is prepared, and where what was there is afterwards.
func Sibling(path, id string) string { return filepath.Clean(path) + ".holdfast-" + id }

func noteName(path, id string) string { return Sibling(path, id) + ".note" }

// parked is where one of the two stands for a moment where the system can't exchange.
func parked(path, id string) string { return Sibling(path, id) + ".out" }

type note struct {
	Inode string `json:"inode"` // of what was prepared
}

// Prepared notes that what stands at the sibling is whole.
func Prepared(path, id string) error {
	inode, err := identity(Sibling(path, id))
	if err != nil {
		return err
	}
	b, err := json.Marshal(note{inode})
	if err != nil {
		return err
	}
	return durable.Replace(noteName(path, id), b)
}

// Switched reports whether what was prepared stands at the path.
func Switched(path, id string) (bool, error) {
	w, err := look(path, id)
	return w.pathNew, err
}

// Switch puts what was prepared at the path, and what was there beside it.
func Switch(path, id string) error {
	w, err := look(path, id)
	switch {
	case err != nil || w.pathNew:
		return err
	case !w.siblingNew:
		return ErrNotPrepared
	}
	if w.pathThere {
		if err := alike(path, Sibling(path, id)); err != nil {
			return err
		}
	}
	return change(path, id, w)
}

// alike lets those in who could get at what is replaced, and nobody else: what was
// prepared is its maker's own until then. An owner can be given by the system's
// administrator alone; whoever else restores goes on without.
func alike(old, restored string) error {
	info, err := os.Stat(old)
	if err != nil {
		return err
	}
	s := info.Sys().(*syscall.Stat_t)
	if err := os.Lchown(restored, int(s.Uid), int(s.Gid)); err != nil && (os.Geteuid() == 0 || !errors.Is(err, fs.ErrPermission)) {
		return err
	}
	return os.Chmod(restored, info.Mode())
}

// Undo puts back what Switch put aside, and what was restored beside it.
func Undo(path, id string) error {
	w, err := look(path, id)
	switch {
	case err != nil || w.siblingNew:
		return err
	case !w.pathNew:
		return ErrNotPrepared
	}
	return change(path, id, w)
}

// Drop removes what stands beside the path.
func Drop(path, id string) error {
	if !Valid(id) {
		return ErrNotPrepared
	}
	if err := settle(path, id); err != nil {
		return err
	}
	if err := os.RemoveAll(Sibling(path, id)); err != nil {
		return err
	}
	if err := os.Remove(noteName(path, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// where says what stands at the path and beside it: the restored one, another, nothing.
type where struct{ pathNew, siblingNew, pathThere, siblingThere bool }

func look(path, id string) (w where, err error) {
	if !Valid(id) {
		return w, ErrNotPrepared
	}
	b, err := os.ReadFile(noteName(path, id))
	if errors.Is(err, fs.ErrNotExist) {
		return w, ErrNotPrepared
	}
	if err != nil {
		return w, err
	}
	var n note
	if err := json.Unmarshal(b, &n); err != nil {
		return w, err
	}
	if err := settle(path, id); err != nil {
		return w, err
	}
	at, err := there(path)
	if err != nil {
		return w, err
	}
	beside, err := there(Sibling(path, id))
	return where{at == n.Inode, beside == n.Inode, at != "", beside != ""}, err
}

func there(path string) (string, error) {
	inode, err := identity(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return inode, err
}

func change(path, id string, w where) error {
	sibling := Sibling(path, id)
	switch {
	case !w.pathThere:
		return renamed(sibling, path)
	case !w.siblingThere:
		return renamed(path, sibling)
	}
	err := exchange(path, sibling)
	if errors.Is(err, errors.ErrUnsupported) {
		return stepwise(path, id)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// stepwise changes the two by three renames; between the first and the second nothing
// stands at the path.
func stepwise(path, id string) error {
	if err := renamed(path, parked(path, id)); err != nil {
		return err
	}
	if err := renamed(Sibling(path, id), path); err != nil {
		return err
	}
	return renamed(parked(path, id), Sibling(path, id))
}

// settle takes back stepwise where it had done its first step, and ends it where it had
// done its second.
func settle(path, id string) error {
	if inode, err := there(parked(path, id)); err != nil || inode == "" {
		return err
	}
	inode, err := there(path)
	if err != nil {
		return err
	}
	if inode == "" {
		return renamed(parked(path, id), path)
	}
	return renamed(parked(path, id), Sibling(path, id))
}

func renamed(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
