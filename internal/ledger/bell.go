package ledger

// bell wakes the sequencer. A ring that nobody waits for is kept, and several
// are one.
type bell interface {
	ring()
	wait()
	close() // after the last ring
}

// channel is a bell of Go's own, which all that waits in tests goes by.
type channel chan struct{}

func newChannel() bell { return make(channel, 1) }

func (c channel) ring() {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (c channel) wait() { <-c }

func (channel) close() {}
