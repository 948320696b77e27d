package http1

import (
	"sync"
	"unsafe"
)

// blockSize is how much room for heads is taken at once: enough for a good many
// usual ones, and little enough that a string which somebody keeps for long does
// not hold much of its neighbours with it.
const blockSize = 4 << 10

// blocks are rooms for heads with some space left. A head is written once and
// never changed, so a string may point into its block for as long as anybody
// wants it; the collector frees the block after the last.
var blocks = sync.Pool{New: func() any { return new(block) }}

type block struct{ buf []byte }

// text returns p as a string: a copy, for which memory is taken only once for
// many.
func text(p []byte) string {
	if len(p) > blockSize/4 || len(p) == 0 {
		return string(p)
	}
	b := blocks.Get().(*block)
	if cap(b.buf)-len(b.buf) < len(p) {
		b.buf = make([]byte, 0, blockSize)
	}
	from := len(b.buf)
	b.buf = append(b.buf, p...)
	s := unsafe.String(&b.buf[from], len(p))
	blocks.Put(b)
	return s
}
