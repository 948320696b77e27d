package swap

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncAll puts the whole file system of a folder on stable storage, which is cheaper
// than doing so with each file.
func SyncAll(dir string) error {
	f, err := os.Open(dir) // #nosec G304 -- the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
