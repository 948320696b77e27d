//go:build unix && !linux

package swap

import "syscall"

// SyncAll puts everything on stable storage.
func SyncAll(string) error {
	syscall.Sync()
	return nil
}
