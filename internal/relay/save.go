package relay

import (
	"io"
	"net/http"
	"slices"
	"time"

	"holdfast/internal/stale"
	"holdfast/internal/upstream"
)

// saver takes a copy of a response on its way to the client, for readers to come.
type saver struct {
	io.ReadCloser
	f       *flight
	policy  stale.Policy
	saved   bool
	address string
	result  upstream.Result
	limit   int
	body    []byte
	over    bool // it is longer than may be kept
	ended   bool
}

// saver puts itself into the response's way where the route keeps last good
// responses and this one may be kept. A write makes what is kept of its address
// void (RFC 9111, 4.4).
func (f *flight) saver(result *upstream.Result) *saver {
	r := f.route
	if r.Reply == nil || !r.Reply.Cache {
		return nil
	}
	address := stale.Address(f.req.Scheme, f.req.Host, f.req.Target)
	if f.req.Method != http.MethodGet {
		if !f.safe() && f.req.Method != http.MethodOptions && result.Status < http.StatusBadRequest {
			f.engine.replies.Forget(address)
		}
		return nil
	}
	now := time.Now()
	if result.Length > r.Reply.Item || !f.engine.replies.Wants(address, f.req.Header, now) {
		return nil
	}
	policy, ok := stale.Storable(f.req.Header, result.Status, result.Header, now)
	// A certificate, a key or a signature says who asks just as Authorization
	// does, and RFC 9111 does not know of it.
	if !ok || r.caller != nil && !policy.Public() || !f.engine.live.take(r.Reply.Item) {
		return nil
	}
	s := &saver{ReadCloser: result.Body, f: f, policy: policy, address: address, limit: int(r.Reply.Item), result: *result}
	if result.Length > 0 {
		s.body = make([]byte, 0, result.Length)
	}
	result.Body = s
	return s
}

// Read implements io.Reader.
func (s *saver) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if !s.over {
		if s.over = len(s.body)+n > s.limit; s.over {
			s.body = nil
		} else {
			s.body = append(s.body, p[:n]...)
		}
	}
	s.ended = s.ended || err == io.EOF
	if s.whole() {
		s.save() // before its reader can ask again
	}
	return n, err
}

// whole reports whether all of the response is at hand.
func (s *saver) whole() bool {
	return !s.over && (s.ended && s.result.Length < 0 || int64(len(s.body)) == s.result.Length)
}

// save keeps the response, once.
func (s *saver) save() {
	if s.saved {
		return
	}
	s.saved = true
	s.f.engine.replies.Put(s.address, s.f.req.Header, s.policy, stale.Response{
		Status: s.result.Status, Header: slices.Clone(s.result.Header), Body: s.body,
	})
}

// Buffered tells what is at hand, so that a short response leaves in one piece.
func (s *saver) Buffered() int {
	if b, ok := s.ReadCloser.(interface{ Buffered() int }); ok {
		return b.Buffered()
	}
	return 0
}

// land ends the saving; a response without a body is whole without being read.
func (s *saver) land(err error) {
	s.f.engine.live.give(int64(s.limit))
	if err == nil && s.whole() {
		s.save()
	}
}
