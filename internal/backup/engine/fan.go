package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkBytes = 256 << 10
	chunkAhead = 16 // of each taker
)

// errAllGone ends a stream that nobody takes any more.
var errAllGone = errors.New("no target takes the stream any more")

// errStalled is why a target was given up that takes nothing.
var errStalled = errors.New("the target took nothing for too long")

// errCut is why what a target made of the stream is nothing.
var errCut = errors.New("the target did not take the whole stream")

// fan gives one stream to several takers at once, in constant memory. A taker that fails,
// or takes nothing while others wait, is left behind; the stream goes on for the others.
type fan struct {
	takers []*taker
	stall  time.Duration
	free   sync.Pool
}

// chunk is a part of the stream, shared by all who take it.
type chunk struct {
	b    []byte
	left atomic.Int32
}

// taker is one reader of the stream.
type taker struct {
	fan    *fan
	cancel context.CancelCauseFunc
	chunks chan *chunk
	done   chan struct{} // closed when it takes no more
	err    error         // then: how it ended
	gone   bool          // by whoever writes: nothing is given to it any more

	end  error // what comes after the last chunk; set before chunks is closed
	now  *chunk
	read int
	saw  bool // the end
}

// start lets take read the stream in a goroutine of its own. The stream's end is io.EOF
// only if it was closed without an error.
func (f *fan) start(ctx context.Context, take func(context.Context, io.Reader) error) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := &taker{fan: f, cancel: cancel, chunks: make(chan *chunk, chunkAhead), done: make(chan struct{})}
	f.takers = append(f.takers, t)
	go func() {
		defer close(t.done)
		t.err = take(ctx, t)
		if cause := context.Cause(ctx); t.err != nil && cause != nil {
			t.err = cause
		}
		cancel(nil)
	}()
}

func (f *fan) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		c, ok := f.free.Get().(*chunk)
		if !ok {
			c = &chunk{b: make([]byte, 0, chunkBytes)}
		}
		n := min(len(p), chunkBytes)
		c.b = append(c.b[:0], p[:n]...)
		// One more than there are takers, so that the chunk is not free before all have it.
		c.left.Store(1)
		live := 0
		for _, t := range f.takers {
			if t.give(c) {
				live++
			}
		}
		f.drop(c)
		if live == 0 {
			return written, errAllGone
		}
		p, written = p[n:], written+n
	}
	return written, nil
}

func (f *fan) drop(c *chunk) {
	if c.left.Add(-1) == 0 {
		f.free.Put(c)
	}
}

func (t *taker) give(c *chunk) bool {
	if t.gone {
		return false
	}
	c.left.Add(1)
	select {
	case t.chunks <- c:
		return true
	default:
	}
	timer := time.NewTimer(t.fan.stall)
	defer timer.Stop()
	select {
	case t.chunks <- c:
		return true
	case <-t.done:
	case <-timer.C:
		t.cancel(errStalled)
	}
	t.gone = true
	t.fan.drop(c)
	return false
}

// close ends the stream for all, by io.EOF where err is nil, and waits for them. It
// returns how each ended, in the order in which they were started.
func (f *fan) close(err error) []error {
	if err == nil {
		err = io.EOF
	}
	for _, t := range f.takers {
		t.end = err
		if t.gone { // what it reads is no whole stream, whatever it makes of it
			t.end = errStalled
		}
		close(t.chunks)
	}
	ends := make([]error, len(f.takers))
	for i, t := range f.takers {
		t.wait()
		switch ends[i] = t.err; {
		case t.err != nil:
		case err != io.EOF:
			ends[i] = err // it believed that it had everything
		case !t.saw || t.gone:
			ends[i] = errCut
		}
	}
	return ends
}

// wait gives the taker time to put what it has in place, which may be much.
func (t *taker) wait() {
	timer := time.NewTimer(5 * t.fan.stall)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
		t.cancel(errStalled)
		<-t.done
	}
}

func (t *taker) Read(p []byte) (int, error) {
	for t.now == nil || t.read == len(t.now.b) {
		if t.now != nil {
			t.fan.drop(t.now)
			t.now = nil
		}
		c, ok := <-t.chunks
		if !ok {
			t.saw = true
			return 0, t.end
		}
		t.now, t.read = c, 0
	}
	n := copy(p, t.now.b[t.read:])
	t.read += n
	return n, nil
}
