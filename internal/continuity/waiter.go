package continuity

// Waiter is how the one who answers a request waits for what somebody else
// does: many requests may share a thread, and one that blocks it would hold up
// the others. It belongs to one request at a time; only Wake may be called by
// others.
//
// To wait for something, hand the Waiter to whoever brings it about, and then
//
//	for !done.Load() {
//		w.Wait()
//	}
//
// while the other side says done.Store(true) and then w.Wake().
type Waiter interface {
	// Wait returns after a Wake, also after one that came before. It may return
	// without one: the caller looks again at what it waits for.
	Wait()
	// Wake lets Wait return. It never blocks, and one too many does no harm.
	// Waking many in a row costs little more than waking one.
	Wake()
	// Block announces that the caller is going to wait in another way: for a
	// channel, a file, a lock that is held for long. Others go on meanwhile. It
	// may be called at any time; where nobody shares the thread it does nothing.
	Block()
}

// NewWaiter returns the Waiter of an ordinary goroutine.
func NewWaiter() Waiter { return make(waiter, 1) }

type waiter chan struct{}

func (w waiter) Wait() { <-w }

func (w waiter) Wake() {
	select {
	case w <- struct{}{}:
	default: // it is awake
	}
}

func (w waiter) Block() {}
