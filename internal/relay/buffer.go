package relay

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"holdfast/internal/continuity"
)

// budget bounds the bytes of all bodies that are buffered at once.
type budget struct{ limit, used atomic.Int64 }

func (b *budget) take(n int64) bool {
	if limit := b.limit.Load(); limit > 0 && b.used.Add(n) > limit {
		b.used.Add(-n)
		return false
	} else if limit <= 0 {
		b.used.Add(n)
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// bodies are buffers that can be used again.
var bodies = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

const (
	keepBuffer = 64 << 10 // larger ones are left to the garbage collector
	chunk      = 4 << 10  // by which the buffer of a body grows at first
)

var errBudget = continuity.E(continuity.CodeLimitBytes, errors.New("relay: live bytes used up"))

// buffer reads the body, up to the route's item limit. Of a larger body it
// leaves what it has read in f.body, and f.whole false.
func (f *flight) buffer() error {
	limit := f.route.Hold.ItemBytes
	length := f.req.Length
	switch {
	case length == 0:
		f.whole = true
		return nil
	case length > limit:
		return nil
	}
	most := length
	if length < 0 {
		most = limit + 1
	}
	// What has not come yet takes no room: who states a length and sends nothing
	// would soon have taken all.
	if !f.grow(min(chunk, most)) {
		return errBudget
	}
	for {
		if len(f.body) == cap(f.body) || int64(len(f.body)) == f.taken {
			switch n := int64(len(f.body)); {
			case n > limit:
				return nil
			case n == length:
				f.whole = true
				return nil
			}
			if !f.grow(min(f.taken, most-f.taken)) {
				return errBudget
			}
		}
		n, err := f.req.Body.Read(f.body[len(f.body):min(int64(cap(f.body)), f.taken)])
		f.body = f.body[:len(f.body)+n]
		switch {
		case err == io.EOF && length >= 0 && int64(len(f.body)) < length:
			return io.ErrUnexpectedEOF
		case err == io.EOF:
			f.whole = int64(len(f.body)) <= limit
			return nil
		case err != nil:
			return err
		}
	}
}

// grow makes room for n more bytes, within the budget.
func (f *flight) grow(n int64) bool {
	if !f.engine.live.take(n) {
		return false
	}
	f.taken += n
	if f.buf == nil {
		f.buf = bodies.Get().(*[]byte)
		f.body = (*f.buf)[:0]
	}
	if int64(cap(f.body)) < f.taken {
		f.body = append(make([]byte, 0, f.taken), f.body...)
	}
	return true
}

// free returns the buffer and its share of the budget.
func (f *flight) free() {
	f.engine.live.give(f.taken)
	if f.buf != nil && cap(f.body) <= keepBuffer {
		*f.buf = f.body[:0]
		bodies.Put(f.buf)
	}
}
