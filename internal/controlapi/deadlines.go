package controlapi

import (
	"errors"
	"io"
	"net/http"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

const (
	// slowest is how long is waited for who reads an answer, or the next part of one
	// that goes on.
	slowest = 30 * time.Second
	// remains is how long is waited for the body of a request that is refused
	// without it, so that its connection can go on where it is on its way.
	remains = time.Second
)

// deadlines bounds how long a request's body may take to come, and its answer to
// be read: nobody holds a connection by doing neither.
func deadlines(w http.ResponseWriter, within time.Duration) {
	c, now := http.NewResponseController(w), time.Now()
	_ = c.SetReadDeadline(now.Add(within)) // not supported: no connection either
	_ = c.SetWriteDeadline(now.Add(within + slowest))
}

// turnAway answers a request whose body nobody is going to read.
func (s *server) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(remains))
	s.fail(w, r, err)
}

// bodyOf reads a whole body.
func bodyOf(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, continuity.E(continuity.CodeInvalid, err, problem.DetailID, "controlapi.invalid.large")
	case err != nil:
		return nil, continuity.E(continuity.CodeInvalid, err, problem.DetailID, "controlapi.invalid.slow")
	}
	return body, nil
}

// steady is an answer that goes on as long as its reader keeps up with it.
type steady struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// steadily makes one; the request's own end no longer counts.
func steadily(w http.ResponseWriter) (*steady, error) {
	s := &steady{w, http.NewResponseController(w)}
	err := s.control.SetReadDeadline(time.Time{})
	if errors.Is(err, http.ErrNotSupported) {
		err = nil
	}
	return s, err
}

// Write drops a reader who is too slow.
func (s *steady) Write(b []byte) (int, error) {
	if err := s.control.SetWriteDeadline(time.Now().Add(slowest)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return s.w.Write(b) // #nosec G705 -- never sniffed
}
