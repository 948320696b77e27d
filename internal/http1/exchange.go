package http1

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

const maxTogether = 16 << 10 // a body up to this size is copied behind its head

// exchange implements Exchange for the request that its connection is at.
type exchange struct {
	c        *conn
	answered bool // an answer was begun, or its handler was denied another try
	started  bool
	keep     bool // the connection may go on after this exchange
	spent    bool // nobody has kept a string of the request
}

func (x *exchange) start() {
	x.answered, x.started, x.keep, x.spent = false, false, x.c.head.persistent(), false
}

func (x *exchange) Context() context.Context { return x.c.ctx }
func (x *exchange) Request() *Request        { return &x.c.request }
func (x *exchange) Started() bool            { return x.started }

// Spend implements Spender.
func (x *exchange) Spend() { x.spent = true }

// Respond implements Exchange.
func (x *exchange) Respond(status int, header []continuity.Field, body []byte) error {
	out := lend()
	defer giveBack(out)
	err := x.begin(out, status, header, int64(len(body)))
	if err != nil {
		return err
	}
	if bodyless(x.c.request.Method, status) {
		body = nil
	}
	if len(body) <= maxTogether {
		*out = append(*out, body...)
		return x.send(*out)
	}
	piece := body[:min(len(body), 2*writeSize)]
	any, err := x.c.write2(*out, piece)
	x.started = x.started || any
	// The time allowed is for each piece: a large body may take longer in all.
	for body = body[len(piece):]; err == nil && len(body) > 0; body = body[len(piece):] {
		piece = body[:min(len(body), 2*writeSize)]
		_, err = x.c.write(piece)
	}
	if err != nil {
		x.keep = false
	}
	return err
}

// send writes a piece of the answer.
func (x *exchange) send(p []byte) error {
	any, err := x.c.write(p)
	x.started = x.started || any
	if err != nil {
		x.keep = false
	}
	return err
}

// Stream implements Exchange.
func (x *exchange) Stream(status int, header []continuity.Field, length int64, body io.Reader) error {
	out := lend()
	defer giveBack(out)
	kept := x.keep
	if err := x.begin(out, status, header, length); err != nil {
		return err
	}
	var err error
	switch {
	case bodyless(x.c.request.Method, status):
		err = x.send(*out)
	case length >= 0:
		err = x.copyExactly(out, length, body)
	case x.c.head.minor == 0:
		x.keep = false
		err = x.copyToClose(out, body)
	default:
		err = x.copyChunked(out, body)
	}
	if err == nil {
		return nil
	}
	if !x.started {
		x.answered, x.keep = false, kept // nothing has left: the handler may still answer
		return err
	}
	x.keep = false
	x.c.abort()
	return err
}

// ready reports whether the body's first bytes are at hand, so that they can
// leave with the head. Waiting for them would hold the head of an event stream
// back until its first event.
func ready(body io.Reader) bool {
	switch b := body.(type) {
	case interface{ Buffered() int }:
		return b.Buffered() > 0
	case interface{ Len() int }:
		return true
	}
	return false
}

func (x *exchange) copyExactly(out *[]byte, length int64, body io.Reader) error {
	if length > maxTogether {
		if err := x.headFirst(out, body); err != nil {
			return err
		}
	}
	for left := length; left > 0 || len(*out) > 0; {
		// Fill the buffer, so that a small body leaves in one write with its head.
		buf := *out
		for left > 0 && len(buf) < cap(buf) {
			n, err := body.Read(buf[len(buf):min(int64(cap(buf)), int64(len(buf))+left)])
			buf, left = buf[:len(buf)+n], left-int64(n)
			if err != nil && left > 0 {
				if err == io.EOF {
					err = ErrShort
				}
				return err
			}
			if length > maxTogether && n > 0 {
				break // large bodies pass on as they come
			}
		}
		if err := x.send(buf); err != nil {
			return err
		}
		*out = buf[:0]
	}
	return nil
}

// headFirst sends the head unless the body's first bytes can go with it.
func (x *exchange) headFirst(out *[]byte, body io.Reader) error {
	if ready(body) && cap(*out)-len(*out) > writeSize/2 {
		return nil
	}
	err := x.send(*out)
	*out = (*out)[:0]
	return err
}

func (x *exchange) copyToClose(out *[]byte, body io.Reader) error {
	if err := x.headFirst(out, body); err != nil {
		return err
	}
	for {
		buf := *out
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err != nil && err != io.EOF {
			return err
		}
		if len(buf) > 0 {
			if err := x.send(buf); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		*out = buf[:0]
	}
}

// sizeRoom is what a chunk's size and line end take before its data.
const sizeRoom = len("ffffff\r\n")

func (x *exchange) copyChunked(out *[]byte, body io.Reader) error {
	if err := x.headFirst(out, body); err != nil {
		return err
	}
	for {
		before := len(*out) // the head, at first
		data := before + sizeRoom
		buf := (*out)[:cap(*out)]
		n, err := body.Read(buf[data : len(buf)-len("\r\n0\r\n\r\n")])
		if err != nil && err != io.EOF {
			return err
		}
		buf = buf[:before]
		if n > 0 {
			buf = strconv.AppendInt(buf, int64(n), 16)
			buf = append(buf, "\r\n"...)
			buf = append(buf, buf[data:data+n]...) // down over the spare room
			buf = append(buf, "\r\n"...)
		}
		if err == io.EOF {
			buf = append(buf, "0\r\n"...)
			if x.c.head.trailers {
				return x.send(appendTrailers(buf, body))
			}
			return x.send(append(buf, "\r\n"...))
		}
		if len(buf) > 0 {
			if err := x.send(buf); err != nil {
				return err
			}
		}
		*out = buf[:0]
	}
}

// begin checks the answer and writes its head into out.
func (x *exchange) begin(out *[]byte, status int, header []continuity.Field, length int64) error {
	if x.answered {
		return ErrAnswered
	}
	if status < 200 || status > 999 {
		return ErrHeader
	}
	now := time.Now()
	buf := append((*out)[:0], statusLine(status)...)
	dated := false
	for i := range header {
		f := &header[i]
		switch kind := kindOf(f.Name); kind {
		case fieldFraming:
			continue
		case fieldConnection:
			if fold(trimOWS(f.Value), "close") {
				x.keep = false
			}
			continue
		case fieldDate:
			dated = true
		}
		if !ValidName(f.Name) || !ValidValue(f.Value) {
			return ErrHeader
		}
		buf = append(buf, f.Name...)
		buf = append(buf, ": "...)
		buf = append(buf, f.Value...)
		buf = append(buf, "\r\n"...)
	}
	if !dated {
		buf = appendDate(buf, now)
	}
	head := x.c.request.Method == "HEAD"
	switch {
	case status == 204:
	case status == 304 && length <= 0, head && length < 0:
	case length >= 0:
		buf = append(buf, "Content-Length: "...)
		buf = strconv.AppendInt(buf, length, 10)
		buf = append(buf, "\r\n"...)
	case x.c.head.minor > 0 && !bodyless(x.c.request.Method, status):
		buf = append(buf, "Transfer-Encoding: chunked\r\n"...)
	case !bodyless(x.c.request.Method, status):
		x.keep = false
	}
	if x.c.srv.draining.Load() || x.c.srv.retiring.Load() || x.c.broken || !x.c.body.drainable() {
		x.keep = false
	}
	switch {
	case !x.keep:
		buf = append(buf, "Connection: close\r\n"...)
	case x.c.head.minor == 0:
		buf = append(buf, "Connection: keep-alive\r\n"...)
	}
	*out = append(buf, "\r\n"...)
	x.answered = true
	return nil
}

// fail answers for a handler that did not, or cuts the answer that it left
// unfinished.
func (x *exchange) fail() {
	x.keep = false
	if x.started {
		x.c.abort()
		return
	}
	x.answered = false
	_ = x.Respond(http.StatusInternalServerError, nil, nil) // the connection closes either way
}

var statusLines = func() (lines [600]string) {
	for status := 200; status < len(lines); status++ {
		lines[status] = "HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n"
	}
	return lines
}()

func statusLine(status int) string {
	if status < len(statusLines) {
		return statusLines[status]
	}
	return "HTTP/1.1 " + strconv.Itoa(status) + " \r\n"
}

type datedLine struct {
	second int64
	line   string
}

var dateLine atomic.Pointer[datedLine]

func appendDate(buf []byte, now time.Time) []byte {
	second := now.Unix()
	d := dateLine.Load()
	if d == nil || d.second != second {
		d = &datedLine{second, "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		dateLine.Store(d)
	}
	return append(buf, d.line...)
}
