package controlapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// Answers remembers what was answered to requests that may be repeated.
type Answers interface {
	// BeginAnswer notes that a request is being answered. first is false where its
	// caller sent one under this key since the time given; then it returns what is
	// known of that one.
	BeginAnswer(ctx context.Context, a continuity.APIAnswer, since time.Time) (known continuity.APIAnswer, first bool, err error)
	// EndAnswer keeps what was answered, DropAnswer forgets what did nothing.
	EndAnswer(ctx context.Context, a continuity.APIAnswer) error
	DropAnswer(ctx context.Context, a continuity.APIAnswer) error
}

// KeepAnswers is how long a POST can be repeated by its Idempotency-Key.
const KeepAnswers = 24 * time.Hour

const (
	maxKey    = 255
	maxAnswer = 4 << 20 // a greater one is not kept
)

// once answers a POST that names itself by an Idempotency-Key.
func (s *server) once(op operation, key string, caller Caller, hctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(hctx)
	ctx := hctx.Context()
	if len(key) > maxKey {
		s.fail(w, r, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.key"))
		return
	}
	body, err := bodyOf(w, r, op.Body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	a := continuity.APIAnswer{
		Caller: caller.Actor.Kind + ":" + caller.Actor.ID, Key: key, Request: fingerprint(r, body),
		Begun: now, Until: now.Add(op.Time + 5*time.Second),
	}
	known, first, err := s.Answers.BeginAnswer(ctx, a, now.Add(-KeepAnswers))
	if err == nil && !first {
		err = s.repeat(w, known, a)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !first {
		return
	}
	kept := &keptAnswer{exchange: hctx, in: bytes.NewReader(body), status: http.StatusOK}
	ended := false
	// However the request ends, by a panic or a client that went away: what is known
	// of it is noted.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := s.note(ctx, op, a, kept, ended); err != nil {
			s.Logger.ErrorContext(ctx, "answer not kept for repeats", "operation", op.ID, "error", err)
		}
	}()
	next(kept)
	ended = true
}

// note keeps an answer, or forgets it where nothing was done. Where that isn't
// known, it stays begun for ever, and repeats are told so.
func (s *server) note(ctx context.Context, op operation, a continuity.APIAnswer, kept *keptAnswer, ended bool) error {
	switch {
	case !ended, kept.status >= http.StatusInternalServerError && kept.status != http.StatusNotImplemented:
		return nil
	case kept.status >= http.StatusBadRequest:
		return s.Answers.DropAnswer(ctx, a)
	}
	_, w := humago.Unwrap(kept)
	a.Status, a.Type, a.ETag, a.Place = kept.status, w.Header().Get("Content-Type"), w.Header().Get("ETag"), w.Header().Get("Location")
	if a.Withheld = op.Private || kept.out.Len() > maxAnswer; !a.Withheld {
		a.Body = kept.out.Bytes()
	}
	return s.Answers.EndAnswer(ctx, a)
}

// repeat answers a request that was sent before.
func (s *server) repeat(w http.ResponseWriter, known, a continuity.APIAnswer) error {
	switch {
	case known.Request != a.Request:
		return continuity.E(continuity.CodeMismatch, nil)
	case !known.Ended && a.Begun.Before(known.Until):
		return continuity.E(continuity.CodeInFlight, nil)
	case !known.Ended, known.Withheld:
		return continuity.E(continuity.CodeRepeated, nil, "done", known.Ended)
	}
	h := w.Header()
	for name, value := range map[string]string{"Content-Type": known.Type, "ETag": known.ETag, "Location": known.Place} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Idempotent-Replayed", "true")
	w.WriteHeader(known.Status)
	_, _ = w.Write(known.Body) // #nosec G705 -- JSON, and never sniffed
	return nil
}

// fingerprint is what was asked.
func fingerprint(r *http.Request, body []byte) (sum [32]byte) {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("If-Match")} {
		_, _ = io.WriteString(h, part+"\n")
	}
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// exchange is huma.Context under a name that leaves its method Context free.
type exchange huma.Context

// keptAnswer lets an answer pass and keeps it.
type keptAnswer struct {
	exchange

	in     io.Reader
	status int
	out    bytes.Buffer
}

// Unwrap lets huma's adapter find the request beneath.
func (k *keptAnswer) Unwrap() huma.Context { return k.exchange }

func (k *keptAnswer) BodyReader() io.Reader { return k.in }

func (k *keptAnswer) SetStatus(status int) {
	k.status = status
	k.exchange.SetStatus(status)
}

func (k *keptAnswer) Status() int { return k.status }

func (k *keptAnswer) BodyWriter() io.Writer { return k }

// Write keeps as much as may be kept, and never fails for its sake.
func (k *keptAnswer) Write(b []byte) (int, error) {
	if k.out.Len() <= maxAnswer {
		k.out.Write(b)
	}
	n, err := k.exchange.BodyWriter().Write(b)
	if err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		// The client is gone; what was done for it is kept all the same.
		return len(b), nil
	}
	return n, err
}
