//go:build unix && !linux

package folder

import "syscall"

// syncAll puts everything on stable storage.
func syncAll(string) error {
	syscall.Sync()
	return nil
}
