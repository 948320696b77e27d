package upstream

import (
	"context"
	"errors"
	"io"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// Class says what is known about an attempt.
type Class uint8

// The classes.
const (
	Clean    Class = iota + 1 // known as not processed: no request byte was written
	Lost                      // a request byte was written and no final status came
	Answered                  // a final response head came
)

// Attempt is what to send. Body is read once.
type Attempt struct {
	Method, Target, Host string
	Header               []continuity.Field // end-to-end, Idempotency-Key included
	Length               int64              // -1: chunked
	Body                 io.Reader

	// Memory, if set, is used for the response. It can be used again once the
	// Result's Body was closed for the last time.
	Memory *Memory

	// Waiter is how the one who sends waits; nil: as an ordinary goroutine. It is
	// the Waiter of the request that is answered.
	Waiter continuity.Waiter

	TakesTrailers bool   // who asked takes trailers
	Upgrade       string // what to leave HTTP for; an answer 101 has an http1.Tunnel for its Body
	// Caller, if set, is who was verified when the request was accepted, and Scopes
	// what its proof allowed then: it is sent later, and nobody waits who could
	// prove it anew.
	Caller string
	Scopes []string
	// Interim, if set, is told of each 103 before the final response.
	Interim func(status int, header []continuity.Field)
}

// Memory is room for what an attempt needs.
type Memory struct {
	request  http1.Request
	response http1.Memory
}

// Free ends what was made here. It must be called once the Result is done with,
// and before the Memory is used again. If it is spent, nobody has kept a string
// of the response's head, and their memory is used again.
func (m *Memory) Free(spent bool) { m.response.Free(spent) }

// Result is how an attempt ended. With Answered, Body streams the response and
// must be closed; with Clean and Lost, Err says why and Timeout whether time
// ran out.
type Result struct {
	Class   Class
	Status  int
	Header  []continuity.Field
	Length  int64
	Body    io.ReadCloser
	Err     error
	Timeout bool
	Took    time.Duration // to the response head, or to the failure
}

// ErrCredentials is in the error of a clean failure where the request could not
// be signed, as the upstream's issuer of tokens does not accept our secret, or
// it is not there.
var ErrCredentials = errors.New("upstream: credentials not accepted")

// Sender makes attempts at one upstream. Implementations are safe for
// concurrent use.
type Sender interface {
	Send(ctx context.Context, a Attempt) Result
}
