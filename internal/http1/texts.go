package http1

import (
	"sync"
	"unsafe"
)

// blockSize is how much room for heads is taken at once: enough for a good many
// usual ones, and little enough that a string which somebody keeps for long does
// not hold much of its neighbours with it.
const blockSize = 4 << 10

// blocks are rooms for heads with some space left. What is written there stays
// as long as a string points to it, unless its lease ends with nobody left to
// read it.
var blocks = sync.Pool{New: func() any { return new(block) }}

type block struct{ buf []byte }

// lease is the place of one message's heads in a block, which is its alone until
// it ends.
type lease struct {
	block *block
	from  int
}

// text returns p as a string. The copy stays where it is, as long as anybody
// wants it, unless the lease ends as spent.
func (l *lease) text(p []byte) string {
	if len(p) > blockSize || len(p) == 0 {
		return string(p)
	}
	if l.block == nil {
		l.block = blocks.Get().(*block)
		l.from = len(l.block.buf)
	}
	b := l.block
	if cap(b.buf)-len(b.buf) < len(p) {
		b.buf, l.from = make([]byte, 0, blockSize), 0
	}
	at := len(b.buf)
	b.buf = append(b.buf, p...)
	return unsafe.String(&b.buf[at], len(p))
}

// end gives the block back. If its texts are spent, nobody has kept a string of
// them, and their room is used again.
func (l *lease) end(spent bool) {
	b := l.block
	if b == nil {
		return
	}
	if spent {
		if poisons {
			for i := range b.buf[l.from:] {
				b.buf[l.from+i] = '!'
			}
		}
		b.buf = b.buf[:l.from]
	}
	l.block = nil
	blocks.Put(b)
}
