package upstream

import (
	"context"
	"errors"
	"io"

	"holdfast/internal/continuity"
)

// drain is how much beyond the limit is read and dropped to keep a connection.
const drain = 256 << 10

// SendWhole makes one attempt and reads the response's body, of which it keeps
// limit bytes. Without an answer the response is nil. With one, Result.Body is
// nil; Cut says that the body kept is not the whole one, because it is longer
// than limit or because it broke off, and then Result.Err says why. The status
// is final either way.
func SendWhole(ctx context.Context, s Sender, a Attempt, limit int64) (Result, *continuity.Response) {
	result := s.Send(ctx, a)
	if result.Class != Answered {
		return result, nil
	}
	response := &continuity.Response{Status: result.Status, Header: result.Header}
	body := result.Body
	result.Body = nil
	if body == nil {
		return result, response
	}
	defer body.Close()
	response.Body, result.Err = io.ReadAll(io.LimitReader(body, limit))
	if result.Err != nil {
		response.Cut = true
		return result, response
	}
	n, err := io.CopyN(io.Discard, body, drain)
	response.Cut = n > 0
	if err != nil && !errors.Is(err, io.EOF) {
		response.Cut, result.Err = true, err
	}
	return result, response
}
