package http1

import (
	"io"
	"time"
)

// requestBody reads the body of the request at hand. Its first error stays.
type requestBody struct {
	c       *conn
	chunked bool
	left    int64 // by Content-Length
	limit   int64 // of a chunked body; 0: none
	chunks  chunks
	expect  bool // the client waits for 100 Continue
	err     error

	read   int64
	waited time.Duration // for the client
}

func (b *requestBody) start(r *Request, h *head) {
	*b = requestBody{
		c:       b.c,
		chunked: r.Length < 0,
		left:    max(0, r.Length),
		limit:   b.c.srv.limits.Body,
		expect:  h.expects != "" && h.minor > 0 && r.Length != 0,
	}
	if r.Length == 0 {
		b.err = io.EOF
	}
}

func (b *requestBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.expect {
		b.expect = false
		if b.c.r == b.c.w { // else it did not wait
			if _, err := b.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
				return 0, b.fail(err)
			}
		}
	}
	var n int
	var err error
	if b.chunked {
		n, err = b.chunks.read(&b.c.wire, b, p)
		if b.limit > 0 && b.read+int64(n) > b.limit {
			n, err = 0, errBodyLarge
		}
	} else {
		n, err = readSome(&b.c.wire, b, p[:min(int64(len(p)), b.left)])
		if b.left -= int64(n); b.left == 0 && err == nil {
			err = io.EOF
		}
	}
	b.read += int64(n)
	if err != nil && err != io.EOF {
		return n, b.fail(err)
	}
	b.err = err
	return n, err
}

// fail makes err the body's last word; the connection cannot go on, but an
// answer can still be sent.
func (b *requestBody) fail(err error) error {
	if isTimeout(err) {
		err = errBodySlow
	}
	b.err = err
	return err
}

// Buffered returns how many bytes can be read without waiting.
func (b *requestBody) Buffered() int {
	if b.err != nil {
		return 0
	}
	return b.c.w - b.c.r
}

// allow sets how long the next read may wait: Wait in all, and longer as the
// body comes in, so that a client can neither stall nor drip.
func (b *requestBody) allow() time.Time {
	limits := &b.c.srv.limits
	now := time.Now()
	b.c.readBy = now.Add(limits.Wait - b.waited + time.Duration(b.read)*time.Second/time.Duration(limits.Rate))
	b.c.nc.SetReadDeadline(b.c.readBy)
	return now
}

func (b *requestBody) fill() error {
	began := b.allow()
	err := b.c.wire.fill()
	b.waited += time.Since(began)
	return err
}

func (b *requestBody) direct(p []byte) (int, error) {
	began := b.allow()
	n, err := b.c.nc.Read(p)
	b.waited += time.Since(began)
	return n, err
}

// ended reports whether the whole body was read.
func (b *requestBody) ended() bool { return b.err == io.EOF }

// drainable reports whether the connection can go on when the handler reads no
// further. Of a chunked body nobody knows how much is left.
func (b *requestBody) drainable() bool {
	if b.err != nil {
		return b.ended()
	}
	if b.expect {
		return false // it may or may not send the body now
	}
	return b.chunked || b.left <= b.c.srv.limits.Drain
}

// finish discards what the handler left unread, within bounds, and reports
// whether the next request can be read.
func (b *requestBody) finish() bool {
	if b.ended() {
		return true
	}
	if !b.drainable() {
		return false
	}
	scratch := lend()
	defer giveBack(scratch)
	for left := b.c.srv.limits.Drain; left >= 0; {
		n, err := b.Read((*scratch)[:cap(*scratch)])
		if left -= int64(n); err != nil {
			return b.ended() && left >= 0
		}
	}
	return false
}
