package relay

import (
	"io"

	"holdfast/internal/continuity"
	"holdfast/internal/outcome"
	"holdfast/internal/upstream"
)

// said is what the body of an answer says where the route reads it. After a
// byte of the answer has left it is too late to keep the request (rule 4.3), so
// the body is read first, up to the route's limit; a longer one, or one that
// can't be read, is for the client to judge. A body that breaks off leaves the
// outcome unknown.
func (f *flight) said(result *upstream.Result) continuity.Verdict {
	b := f.route.Verdicts.Body
	limit := outcome.Limit(b)
	room := limit + 1
	if result.Length >= 0 {
		room = result.Length
	}
	if result.Length > limit || !f.engine.live.take(room) {
		return continuity.VerdictNone
	}
	f.taken += room
	head, err := io.ReadAll(io.LimitReader(result.Body, limit+1))
	if err != nil {
		result.Err = err
		return continuity.VerdictLost
	}
	is, _ := outcome.Of(b, result.Header, head, int64(len(head)) > limit)
	if is == continuity.VerdictRetry && (f.keepable() != nil || !f.declared()) {
		is = continuity.VerdictNone // its client knows its API
	}
	result.Body = upstream.Ahead(head, result.Body)
	return is
}

// classify says what is known of an attempt that got an answer; again says that
// it was not processed and that the upstream wants it sent again.
func (f *flight) classify(result *upstream.Result, p passage) (class upstream.Class, again bool) {
	own := &f.route.Verdicts
	said := continuity.VerdictNone
	if p.keep && outcome.Reads(own.Body, result.Status) {
		said = f.said(result)
	}
	switch {
	case said == continuity.VerdictRetry:
		return upstream.Answered, true
	case said == continuity.VerdictClean, said == continuity.VerdictNone && continuity.Has(own.Clean, result.Status):
		class = upstream.Clean
	case said == continuity.VerdictLost, said == continuity.VerdictNone && continuity.Has(own.Lost, result.Status):
		class = upstream.Lost
	default:
		return upstream.Answered, false
	}
	result.Body.Close()
	return class, false
}

// throttled keeps a request that the upstream, which is there, wants sent again.
func (f *flight) throttled(result upstream.Result, p passage) {
	f.route.traffic.answered(result.Took)
	if p.keep {
		f.route.health.Succeeded()
	}
	result.Body.Close()
	if f.gone() {
		f.done(Cut, statusGone) // it was not processed, and nobody was told anything
		return
	}
	f.keep(false)
}
