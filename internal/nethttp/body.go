package nethttp

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// body is a request's body, read within the time and up to the size that the
// lean path allows. Its first error stays.
type body struct {
	x      *exchange
	in     io.Reader
	limit  int64 // 0: none
	left   int64 // of what was stated; -1: nothing was
	read   int64
	waited time.Duration // for the client
	err    error
}

var (
	errSlow   = &http1.ProtocolError{Status: http.StatusRequestTimeout, Reason: "body too slow"}
	errLength = &http1.ProtocolError{Status: http.StatusBadRequest, Reason: "stated length is not the body's"}
	errLarge  = &http1.ProtocolError{Status: http.StatusRequestEntityTooLarge, Reason: "body too large"}
)

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	limits := &b.x.s.limits
	began := time.Now()
	allowed := limits.Wait - b.waited + time.Duration(b.read)*time.Second/time.Duration(limits.Rate)
	if err := b.x.control.SetReadDeadline(began.Add(allowed)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		b.err = err
		return 0, err
	}
	n, err := b.in.Read(p)
	b.waited += time.Since(began)
	b.read += int64(n)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case b.limit > 0 && b.read > b.limit:
		n, err = 0, errLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlow
	case err == io.EOF && b.left > 0:
		err = io.ErrUnexpectedEOF
	case err == nil && b.left == 0:
		err = b.end() // before its last piece passes on
		if err != io.EOF {
			n = 0
		}
	}
	b.err = err
	return n, err
}

// end reads the end of a body that has come as it was stated. Whatever else comes
// there makes the whole request malformed.
func (b *body) end() error {
	var more [1]byte
	n, err := b.in.Read(more[:])
	switch {
	case n > 0 || err == nil:
		return errLength
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSlow
	}
	return err
}

// Trailers implements http1.Trailered.
func (b *body) Trailers() []continuity.Field {
	var out []continuity.Field
	for name, values := range b.x.origin.Trailer {
		for _, value := range values {
			if http1.MayTrail(name) && http1.ValidValue(value) {
				out = append(out, continuity.Field{Name: name, Value: value})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b continuity.Field) int { return strings.Compare(a.Name, b.Name) })
	return out
}
