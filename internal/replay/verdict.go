package replay

import (
	"context"
	"errors"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
	"holdfast/internal/outcome"
	"holdfast/internal/upstream"
)

// Sign is what an attempt's end says about the upstream as a whole.
type Sign uint8

// The signs.
const (
	Good      Sign = iota + 1 // it answered as an upstream in order does, even if it refused
	Unreached                 // clean failure: it never saw the request
	Lost                      // it may have seen the request and did not answer
	Failed                    // it answered with a server error
	Throttled                 // it asked for another try later
	Denied                    // it does not accept the credentials
	Unsent                    // nothing: we could not send, for a reason that is not the upstream's
)

// String returns the sign's name in logs and metrics.
func (s Sign) String() string {
	return [...]string{"", "good", "unreached", "lost", "failed", "throttled", "denied", "unsent"}[s]
}

// Case is an attempt that ended, as far as its verdict depends on it.
type Case struct {
	Route    *continuity.Route
	Claimed  ledger.Status // as the record stood before this attempt
	Failures int           // this record's earlier failures that count towards poison
	Now      time.Time     // wall clock, to read a Retry-After that is a date
	Jitter   float64       // in [0, 1), spreads what waits
}

// Verdict is what follows from an attempt's end.
type Verdict struct {
	Outcome continuity.Outcome
	Sign    Sign
	// Counts says that the failure is the record's own and counts towards poison.
	Counts bool
	// RetryAfter is how long the upstream asked not to be sent anything.
	RetryAfter time.Duration
	// Pause stops the route's replay until a person resumes it.
	Pause continuity.Reason
}

// Judge decides what an attempt's end makes of its record (rules 2.3, 4.2, 4.4
// and 4.5). resp is the response as far as it was kept, nil if none came.
//
// Where the route reads an answer's body, what stands there comes first (see
// said). A status that the route's verdicts list is read as the list says; of several
// lists clean counts before lost, retry, delivered and refused, as the way to
// make an exception from a wider range. Else:
//
//   - 2xx and 303: delivered; a redirect is never followed
//   - 401, 403, 407: back where it stood, and the route's replay pauses
//   - 408, 425, 429: back where it stood, tried again later
//   - 409 that means an idempotency conflict (see conflict): in doubt, since
//     somebody's request under the same key is being processed; tried again
//   - other 3xx and 4xx: refused
//   - 5xx, and whatever is no status at all: in doubt
//
// "Back where it stood" is queued, or in doubt where an earlier attempt is: an
// attempt that is known as not processed decides nothing about another.
//
// The attempts of a record are used up by failures that are its own: answers
// that ask for another try. An upstream that can't be reached uses up nothing;
// what is in doubt is counted when the doubt expires (Settle).
func Judge(c Case, res upstream.Result, resp *continuity.Response) Verdict {
	switch res.Class {
	case upstream.Clean:
		if errors.Is(res.Err, upstream.ErrCredentials) {
			return c.denied()
		}
		if upstream.Blameless(res.Err) {
			return c.unsent(res.Err)
		}
		return c.unreached(res)
	case upstream.Answered:
		return c.answered(res, resp)
	default:
		return c.doubt(Lost, continuity.ReasonLost, 0, nil)
	}
}

func (c Case) answered(res upstream.Result, resp *continuity.Response) Verdict {
	asked := retryAfter(res.Header, c.Now)
	own, status := c.Route.Verdicts, res.Status
	if v, said := c.said(asked, status, resp); said {
		return v
	}
	switch {
	case continuity.Has(own.Clean, status):
		v := c.unreached(res)
		v.RetryAfter = asked
		return v
	case continuity.Has(own.Lost, status):
		reason := continuity.ReasonLost
		if status >= 500 {
			reason = continuity.ReasonServerError
		}
		return c.doubt(Lost, reason, asked, resp)
	case continuity.Has(own.Retry, status):
		return c.again(asked, asked, resp)
	case continuity.Has(own.Delivered, status):
		return c.ended(continuity.Delivered, continuity.ReasonNone, resp)
	case continuity.Has(own.Refused, status):
		return c.ended(continuity.Refused, continuity.ReasonRefused, resp)
	}
	switch {
	case status >= 200 && status <= 299, status == 303:
		return c.ended(continuity.Delivered, continuity.ReasonNone, resp)
	case status == 401, status == 403, status == 407:
		return c.denied()
	case status == 429:
		return c.again(asked, asked, resp)
	case status == 408, status == 425:
		return c.again(asked, 0, resp)
	case status == 409 && conflict(c.Route, res.Header, resp):
		v := c.doubt(Good, continuity.ReasonRetryStatus, asked, nil)
		v.RetryAfter = 0 // of this key alone
		return v
	case status >= 300 && status <= 499:
		return c.ended(continuity.Refused, continuity.ReasonRefused, resp)
	default:
		return c.doubt(Failed, continuity.ReasonServerError, asked, resp)
	}
}

// said is what the answer's body says, where the route reads it. Of a body that
// can't be read nothing is known, if its status alone would say "delivered".
func (c Case) said(asked time.Duration, status int, resp *continuity.Response) (v Verdict, said bool) {
	b := c.Route.Verdicts.Body
	if resp == nil || !outcome.Reads(b, status) {
		return v, false
	}
	is, readable := outcome.Of(b, resp.Header, resp.Body, resp.Cut)
	if !readable && (status <= 299 || status == 303) {
		is = continuity.VerdictLost
	}
	switch is {
	case continuity.VerdictDelivered:
		return c.ended(continuity.Delivered, continuity.ReasonNone, resp), true
	case continuity.VerdictRefused:
		return c.ended(continuity.Refused, continuity.ReasonRefused, resp), true
	case continuity.VerdictRetry:
		return c.again(asked, asked, resp), true
	case continuity.VerdictClean:
		v := Verdict{Sign: Unreached, RetryAfter: asked}
		v.Outcome = c.back(continuity.ReasonUnreachable, max(backoff(c.Claimed.Attempts+1, c.Jitter), asked))
		return v, true
	case continuity.VerdictLost:
		return c.doubt(Lost, continuity.ReasonLost, asked, resp), true
	case continuity.VerdictCredentials:
		return c.denied(), true
	}
	return v, false
}

// denied puts the record back and pauses the route's replay: with the
// credentials at hand no record would fare better.
func (c Case) denied() Verdict {
	v := Verdict{Sign: Denied, Pause: continuity.ReasonCredentials}
	v.Outcome = c.back(continuity.ReasonCredentials, backoff(1, c.Jitter))
	return v
}

// ended closes the record with the upstream's own response.
func (c Case) ended(to continuity.State, reason continuity.Reason, resp *continuity.Response) Verdict {
	return Verdict{Sign: Good, Outcome: continuity.Outcome{
		Receipt: c.Claimed.Receipt, To: to, Reason: reason, Response: resp,
	}}
}

// unreached puts the record back after a clean failure.
func (c Case) unreached(res upstream.Result) Verdict {
	wait := backoff(1, c.Jitter) // the drainer waits for the upstream; the key need not
	if res.Class == upstream.Answered {
		wait = max(backoff(c.Claimed.Attempts+1, c.Jitter), retryAfter(res.Header, c.Now))
	}
	return Verdict{Sign: Unreached, Outcome: c.back(continuity.ReasonUnreachable, wait)}
}

// again puts the record back because the upstream asked for another try.
func (c Case) again(asked, all time.Duration, resp *continuity.Response) Verdict {
	return Verdict{
		Sign: Throttled, Counts: true, RetryAfter: all,
		Outcome: c.orPoison(c.back(continuity.ReasonRetryStatus, max(backoff(c.Failures+1, c.Jitter), asked)), resp),
	}
}

// unsent puts back a record that we could not send for a reason that is
// nobody's fault. One that can't be written as a request at all will not be
// tomorrow: a person has to look at it.
func (c Case) unsent(err error) Verdict {
	if errors.Is(err, http1.ErrBusy) || errors.Is(err, http1.ErrPoolClosed) || errors.Is(err, context.Canceled) {
		return Verdict{Sign: Unsent, Outcome: c.back(continuity.ReasonUnreachable, backoff(c.Failures+1, c.Jitter))}
	}
	return Verdict{Sign: Unsent, Outcome: continuity.Outcome{
		Receipt: c.Claimed.Receipt, To: continuity.Parked, Reason: continuity.ReasonUnsendable,
	}}
}

// orPoison ends the tries of a record once they are used up. What was never in
// doubt may become dead, if the route wants that of poison; what is in doubt
// parks.
func (c Case) orPoison(o continuity.Outcome, resp *continuity.Response) continuity.Outcome {
	if !usedUp(c.Route, c.Failures+1) {
		return o
	}
	o = continuity.Outcome{
		Receipt: c.Claimed.Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison, Response: resp,
	}
	if c.Route.Poison.Dead && !c.doubted() {
		o.To = continuity.Dead
	}
	return o
}

// doubt leaves open whether the request was processed. Nothing of its key is
// sent before settle has passed; then Settle decides. The response is kept
// only where no other attempt can follow by itself.
func (c Case) doubt(sign Sign, reason continuity.Reason, asked time.Duration, resp *continuity.Response) Verdict {
	if !c.Route.Identity.SavesErrors {
		resp = nil
	}
	wait := backoff(c.Failures+1, c.Jitter)
	return Verdict{Sign: sign, Counts: true, RetryAfter: asked, Outcome: continuity.Outcome{
		Receipt: c.Claimed.Receipt, To: continuity.InDoubt, Reason: reason, Response: resp,
		After: max(c.Route.Settle, wait, asked),
	}}
}

// back returns the record to where it stood before an attempt that is known as
// not processed.
func (c Case) back(reason continuity.Reason, after time.Duration) continuity.Outcome {
	o := continuity.Outcome{Receipt: c.Claimed.Receipt, To: continuity.Queued, Reason: reason, After: after}
	if c.Claimed.State == continuity.InDoubt {
		// Its doubt is the earlier attempt's, and so is the reason.
		o.To, o.Reason = continuity.InDoubt, c.Claimed.Reason
	}
	return o
}

func (c Case) doubted() bool {
	return c.Claimed.Doubted || c.Claimed.State == continuity.InDoubt
}

// usedUp reports whether a record has had its attempts; 0 allows any number.
func usedUp(route *continuity.Route, failures int) bool {
	return route.Poison.Attempts > 0 && failures >= route.Poison.Attempts
}

// Settle decides what becomes of a record whose doubt has lasted for settle
// (rule 4.5): whether it is sent again, or else the outcome that hands it to a
// person. since is how long ago its first attempt was (of a lost live request:
// ended), failures how many of its attempts failed in a way that counts.
func Settle(route *continuity.Route, st ledger.Status, since time.Duration, failures int) (o continuity.Outcome, send bool) {
	o = continuity.Outcome{Receipt: st.Receipt, To: continuity.Parked}
	id := route.Identity
	switch {
	case id.By == continuity.IdempotentNone:
		o.Reason = continuity.ReasonDoubt
	case id.By == continuity.IdempotentKey && id.SavesErrors && st.Reason == continuity.ReasonServerError:
		o.Reason = continuity.ReasonSavedError
	case id.By == continuity.IdempotentKey && since+route.Timeouts.Connect+route.Timeouts.Attempt >= id.Remembers:
		o.Reason = continuity.ReasonRemembersOver
	case usedUp(route, failures):
		o.Reason = continuity.ReasonPoison
	default:
		return continuity.Outcome{}, true
	}
	return o, false
}
