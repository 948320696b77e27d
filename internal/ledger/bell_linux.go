package ledger

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// threadBell is a bell whose sequencer waits in a system call, with a thread at hand,
// and is woken by one that does not block. Through a channel the scheduler would
// have to find a thread, which looks for work elsewhere first, steals the
// sequencer from a processor whose poll loop does not pause, after a sleep, and
// afterwards looks for work again before it goes to sleep: for each batch.
type threadBell struct {
	fd    int
	state atomic.Uint32
}

// What state says. Whoever rings while the sequencer waits has to wake it.
const (
	silent uint32 = iota
	rung
	waiting
)

// newThreadBell returns a channel where the kernel has no descriptor to spare.
func newThreadBell() bell {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return newChannel()
	}
	return &threadBell{fd: fd}
}

func (b *threadBell) ring() {
	if b.state.Swap(rung) == waiting {
		_, _ = unix.Write(b.fd, one[:]) // never blocks: there is one for each wait
	}
}

// one is not zero, in either order of bytes.
var one = [8]byte{1}

func (b *threadBell) wait() {
	if !b.state.CompareAndSwap(rung, silent) && b.state.CompareAndSwap(silent, waiting) {
		var count [8]byte
		for n := 0; n != len(count); { // a signal may come first
			n, _ = unix.Read(b.fd, count[:])
		}
	}
	b.state.Store(silent)
}

func (b *threadBell) close() { _ = unix.Close(b.fd) }
