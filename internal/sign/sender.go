package sign

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/outcome"
	"holdfast/internal/upstream"
)

// Request is an attempt about to be signed.
type Request struct {
	Method, Target, Host string
	Header               []continuity.Field
	Body                 []byte // of a signer that reads bodies
	Now                  time.Time
	Nonce                string // random, for the signer to use
}

// Get returns a field's first value.
func (r *Request) Get(name string) string { return http1.Get(r.Header, name) }

// Set puts a field in the place of all of its name.
func (r *Request) Set(name, value string) {
	kept := r.Header[:0]
	for _, f := range r.Header {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	r.Header = append(kept, continuity.Field{Name: name, Value: value})
}

// Signer signs attempts. Implementations are safe for concurrent use.
type Signer interface {
	// Sign changes the request. An error that wraps upstream.ErrCredentials says
	// that no request can be signed.
	Sign(ctx context.Context, r *Request) error
}

// refresher is a signer whose token may be refused.
type refresher interface {
	// Refused reports whether an answer refuses the token that r bears, and
	// forgets it then.
	Refused(r *Request, status int, body []byte) bool
}

// bodiless is a signer that neither reads nor changes bodies: they may stream.
type bodiless interface{ bodiless() }

const (
	mostBody  = 8 << 20  // that is read to be signed
	mostPeek  = 16 << 10 // of an answer that may refuse a token
	mostTries = 2
)

// Sender signs what it sends.
type Sender struct {
	next   upstream.Sender
	signer Signer
}

// NewSender puts a signer before a Sender.
func NewSender(next upstream.Sender, signer Signer) *Sender { return &Sender{next, signer} }

var errLarge = &http1.ProtocolError{Status: 413, Reason: "a body too large to be signed"}

// Send implements upstream.Sender.
func (s *Sender) Send(ctx context.Context, a upstream.Attempt) upstream.Result {
	began := time.Now()
	again, _ := a.Body.(io.Seeker)
	var body []byte
	if _, streams := s.signer.(bodiless); !streams {
		var err error
		if body, err = whole(a); err != nil {
			return upstream.Result{Class: upstream.Clean, Err: &http1.BodyError{Err: err}, Took: time.Since(began)}
		}
	}
	r, refreshes := s.signer.(refresher)
	for try := 1; ; try++ {
		req := &Request{
			Method: a.Method, Target: a.Target, Host: a.Host, Header: append(make([]continuity.Field, 0, len(a.Header)+8), a.Header...),
			Body: body, Now: time.Now(), Nonce: rand.Text(),
		}
		if refreshes {
			req.Header = outcome.PlainEncoding(req.Header)
		}
		if err := s.signer.Sign(ctx, req); err != nil {
			return upstream.Result{Class: upstream.Clean, Err: err, Took: time.Since(began), Timeout: errors.Is(err, context.DeadlineExceeded)}
		}
		signed := a
		signed.Target, signed.Header = req.Target, req.Header
		if req.Body != nil {
			signed.Body, signed.Length = bytes.NewReader(req.Body), int64(len(req.Body))
		}
		res := s.next.Send(ctx, signed)
		if !refreshes || !s.refused(r, req, &res) || try == mostTries {
			return res
		}
		if req.Body == nil {
			if again == nil {
				return res
			}
			if _, err := again.Seek(0, io.SeekStart); err != nil {
				return res
			}
		}
		res.Body.Close()
	}
}

// whole reads a body that is to be signed.
func whole(a upstream.Attempt) ([]byte, error) {
	if a.Body == nil || a.Length == 0 {
		return []byte{}, nil
	}
	if a.Length > mostBody {
		return nil, errLarge
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, mostBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > mostBody:
		return nil, errLarge
	case a.Length >= 0 && int64(len(body)) < a.Length:
		return nil, io.ErrUnexpectedEOF
	}
	return body, nil
}

// refused looks whether an answer refuses the token. The body stays readable.
func (s *Sender) refused(r refresher, req *Request, res *upstream.Result) bool {
	if res.Class != upstream.Answered || res.Length > mostPeek || res.Body == nil ||
		!strings.Contains(strings.ToLower(http1.Get(res.Header, "Content-Type")), "json") {
		return false
	}
	head, err := io.ReadAll(io.LimitReader(res.Body, mostPeek))
	if err != nil {
		res.Body = upstream.Ahead(head, broken{res.Body, err})
		return false
	}
	res.Body = upstream.Ahead(head, res.Body)
	return r.Refused(req, res.Status, head)
}

// broken is the rest of a body that broke off.
type broken struct {
	io.ReadCloser
	err error
}

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// unusable is an error of a request that can't be signed as it is.
func unusable(signer, why string) error {
	return &http1.BodyError{Err: fmt.Errorf("sign: %s: %s", signer, why)}
}
