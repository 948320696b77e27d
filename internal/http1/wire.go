package http1

import (
	"bytes"
	"io"
	"net"
	"sync"
)

const (
	readSize  = 4 << 10  // a connection's receive buffer at rest
	writeSize = 32 << 10 // what is gathered for one write
)

// buffers lends what is sent: a connection owns one only while it writes.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, writeSize); return &b }}

func lend() *[]byte { return buffers.Get().(*[]byte) }

func giveBack(b *[]byte) {
	if cap(*b) > 4*writeSize {
		return
	}
	*b = (*b)[:0]
	buffers.Put(b)
}

// wire is the receiving half of a connection: a buffer before the socket.
type wire struct {
	nc   net.Conn
	buf  []byte
	r, w int // buf[r:w] was received and not yet consumed
}

func (b *wire) buffered() []byte { return b.buf[b.r:b.w] }

// fill reads once from the socket behind what is buffered.
func (b *wire) fill() error {
	switch {
	case b.r == b.w:
		b.r, b.w = 0, 0
		if b.buf == nil {
			b.buf = make([]byte, readSize)
		}
	case b.w < len(b.buf):
	case b.r > 0:
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
	default:
		b.buf = append(b.buf, make([]byte, len(b.buf))...)
	}
	n, err := b.nc.Read(b.buf[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// source is the owner of a wire: it reads from the socket within the time that
// it allows for the message at hand.
type source interface {
	fill() error                  // into the wire
	direct(p []byte) (int, error) // past the wire's empty buffer
}

// readSome copies at least one byte of a body to p, and past the buffer if that
// is empty and p is larger.
func readSome(b *wire, src source, p []byte) (int, error) {
	if b.r == b.w {
		if len(p) >= readSize {
			n, err := src.direct(p)
			if n > 0 {
				return n, nil
			}
			if err == nil {
				err = io.ErrNoProgress
			}
			return 0, noEOF(err)
		}
		if err := src.fill(); err != nil {
			return 0, noEOF(err)
		}
	}
	n := copy(p, b.buffered())
	b.r += n
	return n, nil
}

// rest lets go of a buffer that one large head has grown.
func (b *wire) rest() {
	if b.r == b.w && len(b.buf) > 4*readSize {
		b.buf, b.r, b.w = nil, 0, 0
	}
}

var endOfHead = []byte("\r\n\r\n")

// findHead returns the length of the head that is buffered, its empty line
// included, or 0 while it is not complete. from says how much of it was
// searched before.
func (b *wire) findHead(from, limit int) (int, *ProtocolError) {
	p := b.buffered()
	if i := bytes.Index(p[from:], endOfHead); i >= 0 {
		if from+i+len(endOfHead) > limit {
			return 0, tooLong(p, limit)
		}
		return from + i + len(endOfHead), nil
	}
	// Without this a client that ends lines with LF alone would wait for its
	// time-out instead of hearing that it is wrong.
	for i := from; i < len(p); i++ {
		if p[i] == '\n' && (i == 0 || p[i-1] != '\r') {
			return 0, errBareLF
		}
	}
	if len(p) >= limit {
		return 0, tooLong(p, limit)
	}
	return 0, nil
}

func tooLong(p []byte, limit int) *ProtocolError {
	if bytes.IndexByte(p[:min(limit, len(p))], '\n') < 0 {
		return errTargetLong
	}
	return errHeadLong
}
