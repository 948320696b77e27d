//go:build !linux

package ledger

func newThreadBell() bell { return newChannel() }
