package remotewrite

import (
	"sync"

	"holdfast/internal/measure"
)

// queue is a bounded ring of samples.
type queue struct {
	mu      sync.Mutex
	ring    []measure.Sample
	head, n int
	taken   int // of the head, on their way
	dropped uint64
	more    chan struct{} // has something in it while samples may wait
}

func newQueue(capacity int) *queue {
	return &queue{ring: make([]measure.Sample, capacity), more: make(chan struct{}, 1)}
}

// put adds samples; the oldest give way.
func (q *queue) put(samples []measure.Sample) {
	q.mu.Lock()
	for _, s := range samples {
		if q.n == len(q.ring) {
			q.forget(1)
			q.taken = max(0, q.taken-1)
			q.dropped++
		}
		q.ring[(q.head+q.n)%len(q.ring)] = s
		q.n++
	}
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take returns the oldest samples, which stay in the queue until done is called.
func (q *queue) take(most int) []measure.Sample {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken = min(most, q.n)
	out := make([]measure.Sample, q.taken)
	for i := range out {
		out[i] = q.ring[(q.head+i)%len(q.ring)]
	}
	return out
}

// done removes what was taken, unless it has given way meanwhile.
func (q *queue) done(delivered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !delivered {
		q.dropped += uint64(q.taken) //nolint:gosec // a number of samples
	}
	q.forget(q.taken)
	q.taken = 0
}

func (q *queue) forget(k int) {
	for range k {
		q.ring[q.head] = measure.Sample{}
		q.head = (q.head + 1) % len(q.ring)
		q.n--
	}
}

func (q *queue) state() (waiting int, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n, q.dropped
}
