//go:build !linux

package ledger

func newWire() bell { return newChannel() }
