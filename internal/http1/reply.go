package http1

import (
	"context"
	"errors"
	"io"

	"holdfast/internal/continuity"
)

// Memory is room for one response. It can be used again once that was closed and
// nobody will read or close it another time.
type Memory struct{ reply reply }

// Free ends the response that was made here. If it is spent, nobody has kept a
// string of its head, and their memory is used again.
func (m *Memory) Free(spent bool) { m.reply.words.end(spent) }

// reply is a response and, as its Body, what is still to come on its
// connection. One is made for each response, so that a late Read or Close can
// never touch another exchange, unless the caller brings a Memory and sees to
// that.
type reply struct {
	Response
	cc     *clientConn // nil when the body has ended
	ctx    context.Context
	stop   func() bool // ends the watch over ctx
	fields fieldArray
	words  lease
	lent   bool // by who will call Free

	interim func(status int, header []continuity.Field)
	upgrade string // what was asked for

	reuse   bool
	chunked bool
	toClose bool
	left    int64
	chunks  chunks
	err     error // what Read returns after the end
}

var errBodyClosed = errors.New("http1: read after close of a response body")

// begin prepares the body after the head was read.
func (re *reply) begin(method string, status int, whole bool) {
	h := &re.cc.head
	re.Status, re.Header, re.Body = status, h.fields, re
	h.fields = nil // they belong to the response now
	re.Length = h.length
	re.reuse = whole && h.persistent()
	re.cc.patience = keepAliveTime(h.keepAlive)
	switch {
	case status == 101:
		re.tunnel()
	case bodyless(method, status):
		if status == 204 {
			re.Length = 0
			re.reuse = re.reuse && !h.chunked && h.length <= 0
		}
		re.finish(io.EOF)
	case h.chunked:
		re.chunked = true
	case h.length > 0:
		re.left = h.length
	case h.length == 0:
		re.finish(io.EOF)
	default:
		re.toClose, re.reuse = true, false
	}
}

// Read implements io.Reader. After its first error the connection is no longer
// in use.
func (re *reply) Read(p []byte) (n int, err error) {
	if re.cc == nil {
		return 0, re.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch {
	case re.chunked:
		n, err = re.chunks.read(&re.cc.wire, re, p)
	case re.toClose:
		n, err = re.readToClose(p)
	default:
		n, err = readSome(&re.cc.wire, re, p[:min(int64(len(p)), re.left)])
		if re.left -= int64(n); re.left == 0 && err == nil {
			err = io.EOF
		}
	}
	if err != nil {
		if err != io.EOF && re.ctx != nil && re.ctx.Err() != nil {
			err = re.ctx.Err()
		}
		re.finish(err)
	}
	return n, err
}

// WatchFor implements Leavable.
func (re *reply) WatchFor(ctx context.Context) {
	if re.cc != nil && re.ctx == nil {
		re.watch(ctx)
	}
}

func (re *reply) readToClose(p []byte) (int, error) {
	cc := re.cc
	if cc.r == cc.w {
		if err := re.fill(); err != nil {
			return 0, err // io.EOF is the end here
		}
	}
	n := copy(p, cc.buffered())
	cc.r += n
	return n, nil
}

// Buffered returns how many bytes of the body can be read without waiting.
func (re *reply) Buffered() int {
	if re.cc == nil {
		return 0
	}
	return re.cc.w - re.cc.r
}

// Close implements io.Closer. A body that was not read to its end costs the
// connection, unless the rest is here already.
func (re *reply) Close() error {
	if re.cc == nil {
		return nil
	}
	if !re.chunked && !re.toClose && re.left <= int64(re.Buffered()) {
		re.cc.r += int(re.left)
	} else {
		re.reuse = false
	}
	re.finish(errBodyClosed)
	return nil
}

// finish ends the body with what Read will return from now on, and gives the
// connection back if that is possible.
func (re *reply) finish(err error) {
	cc := re.cc
	re.cc, re.err = nil, err
	if cc.onLoop != nil {
		cc.onLoop.Unwatch()
	}
	if re.stop != nil && !re.stop() {
		re.reuse = false // the context ended, and its deadline may still come
	}
	// Bytes behind the response are an answer that nobody asked for.
	if re.reuse && (err == io.EOF || err == errBodyClosed) && cc.r == cc.w {
		cc.rest()
		cc.pool.put(cc)
		return
	}
	cc.pool.discard(cc)
}

func (re *reply) fill() error {
	if err := re.allow(re.cc.pool.o.Body); err != nil {
		return err
	}
	return re.cc.wire.fill()
}

func (re *reply) direct(p []byte) (int, error) {
	if err := re.allow(re.cc.pool.o.Body); err != nil {
		return 0, err
	}
	return re.cc.nc.Read(p)
}
