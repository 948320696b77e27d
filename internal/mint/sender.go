package mint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// Sender puts a token of its own on each attempt that is made for a caller who
// was verified at acceptance.
type Sender struct {
	next   upstream.Sender
	header string
	minter *minter // nil: its key is not there
	err    error
}

// NewSender puts the tokens before a Sender. Without a usable key it sends
// nothing for such callers.
func NewSender(next upstream.Sender, c continuity.Mint) *Sender {
	s := &Sender{next: next, header: c.Header}
	s.minter, s.err = newMinter(c)
	return s
}

// Send implements upstream.Sender.
func (s *Sender) Send(ctx context.Context, a upstream.Attempt) upstream.Result {
	if a.Caller == "" {
		return s.next.Send(ctx, a)
	}
	if s.minter == nil {
		return refused(s.err)
	}
	token, err := s.minter.token(a.Caller, a.Scopes)
	if err != nil {
		return refused(errSign)
	}
	if strings.EqualFold(s.header, "Authorization") {
		token = "Bearer " + token
	}
	header := make([]continuity.Field, 0, len(a.Header)+1)
	for _, f := range a.Header {
		if !strings.EqualFold(f.Name, s.header) {
			header = append(header, f)
		}
	}
	a.Header = append(header, continuity.Field{Name: s.header, Value: token})
	return s.next.Send(ctx, a)
}

var errSign = errors.New("mint: the token could not be signed")

func refused(why error) upstream.Result {
	return upstream.Result{Class: upstream.Clean, Err: fmt.Errorf("%w: %w", upstream.ErrCredentials, why)}
}
