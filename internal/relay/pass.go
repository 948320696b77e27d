package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
	"holdfast/internal/upstream"
)

// passage says how a request is passed.
type passage struct {
	keep    bool // if it fails, it is kept
	watch   bool // health learns how it ends
	leave   bool // the attempt ends when the client leaves
	observe bool // the report learns how it ends
	trial   bool // health let it through to see whether the upstream is back
	standby bool // it goes to the standby
	diverts bool // one that goes there and could have been kept, or would be in the report
}

// pass sends the request and answers with what comes of it.
func (f *flight) pass(p passage) {
	r := f.route
	body, length := f.stream()
	ctx := context.Background() // the sender's time-outs bound it
	if p.leave {
		ctx = f.x.Context()
	}
	f.forward()
	sender, passing := r.sender, int64(1)
	if f.at = r.Upstream; p.standby {
		sender, f.at = r.standby.sender, r.standby.upstream
		passing = 0
	} else {
		f.count()
	}
	r.traffic.under.Add(passing)
	f.recording(p)
	result := sender.Send(ctx, upstream.Attempt{
		Method: f.req.Method, Target: f.req.Target, Host: f.req.Host,
		Header: f.header, Length: length, Body: body,
		TakesTrailers: f.req.TakesTrailers, Interim: f.hints, Waiter: f.req.Waiter, Memory: &f.memory,
	})
	r.traffic.under.Add(-passing)
	class, again := result.Class, false
	if class == upstream.Answered {
		class, again = f.classify(&result, p)
	}
	f.ended(&result, class)
	if result.Err != nil && unsendable(result.Err) {
		f.unreadable(result.Err)
		return
	}
	f.tellGate(&result, class)
	switch {
	case again:
		f.throttled(result, p)
	case class == upstream.Answered:
		f.answered(result, p)
	case class == upstream.Clean:
		f.unprocessed(result, p)
	default:
		f.lost(result, p)
	}
}

// unsendable reports whether an attempt failed because of the request itself.
func unsendable(err error) bool {
	var unread *http1.BodyError
	return errors.As(err, &unread) || errors.Is(err, http1.ErrHeader)
}

func (f *flight) gone() bool { return f.x.Context().Err() != nil }

func (f *flight) answered(result upstream.Result, p passage) {
	what := Diverted
	if !p.standby {
		what = Passed
		f.took(result.Took)
	}
	if p.keep && !p.standby || p.trial {
		f.route.health.Succeeded()
	}
	if body, ok := result.Body.(http1.Leavable); ok && p.keep && result.Length < 0 {
		body.WatchFor(f.x.Context()) // its outcome is known: a stream that nobody reads any more may end
	}
	var save *saver
	if f.check == "" {
		save = f.saver(&result)
	}
	err := f.x.Stream(result.Status, f.withTicket(result.Header), result.Length, result.Body)
	result.Body.Close()
	if save != nil {
		save.land(err)
	}
	switch {
	case err == nil:
		f.done(what, result.Status)
		f.spend()
	case f.x.Started() || f.gone():
		f.done(Cut, result.Status)
	case p.keep && result.Status/100 == 2 && brokeOff(result.Body, err):
		result.Err = err
		f.lost(result, p)
	default: // what the upstream said can't be passed on, and its client needs an answer
		f.refuse(continuity.E(continuity.CodeUpstream, err))
	}
}

// brokeOff reports whether an answer could not be passed on because the upstream
// ended it too early. The body has been closed: what it says now is how it ended.
func brokeOff(body io.Reader, err error) bool {
	var one [1]byte
	_, ended := body.Read(one[:])
	return errors.Is(err, http1.ErrShort) || ended != nil && ended != io.EOF && errors.Is(err, ended)
}

// spend has the memory of both heads used again where nobody has kept a string of
// them, nor will read one: not every Exchange has done with an answer by now.
func (f *flight) spend() {
	if x, ok := f.x.(http1.Spender); ok && f.route.forgets && !f.noted {
		x.Spend()
		f.spent = true
	}
}

// unprocessed deals with a clean failure: the route switches to hold on this
// very request.
func (f *flight) unprocessed(result upstream.Result, p passage) {
	if p.watch && !upstream.Blameless(result.Err) {
		f.waiter().Block()               // a switch is durable before it acts
		_ = f.route.health.CleanFailed() // logged there; whether the request can be kept is the ledger's to say
	}
	if p.observe && f.keepable() == nil {
		f.route.seen.wouldHold()
	}
	if p.keep && f.gone() {
		f.done(Cut, statusGone) // nothing was sent and nobody was told anything
		return
	}
	f.instead(p, continuity.E(continuity.CodeNotHeld, result.Err))
}

// lost deals with an attempt whose outcome is unknown.
func (f *flight) lost(result upstream.Result, p passage) {
	if p.watch && !upstream.Blameless(result.Err) {
		f.waiter().Block()               // a switch is durable before it acts
		_ = f.route.health.LostAttempt() // logged there; what matters here is the request
	}
	if p.observe && f.keepable() == nil {
		f.route.seen.wouldHold()
	}
	if !p.keep && f.gone() {
		f.done(Cut, statusGone) // its client ended it
		return
	}
	if f.safe() && f.route.Reply != nil { // it may be asked again, here
		f.reply()
		return
	}
	st, err := f.keepLost(p)
	f.event(slog.LevelWarn, "attempt lost", "kept", err == nil, "not_kept", err, "timeout", result.Timeout, "took", result.Took.String(), "error", result.Err)
	code := continuity.CodeOf(err)
	switch {
	case code == "":
		f.answerKept(st, Late)
		return
	case code == continuity.CodeInFlight: // kept meanwhile, by a request of the same identity
		if st, ok := f.engine.ledger.Status(f.receipt); ok {
			f.repeat(st)
			return
		}
	case code == continuity.CodeOutcomeUnknown:
		f.refuse(err)
		return
	}
	if result.Timeout {
		f.refuse(continuity.E(continuity.CodeTimeout, result.Err))
		return
	}
	f.refuse(continuity.E(continuity.CodeUpstream, result.Err))
}

// statusGone is what the observer hears in place of a status where the client
// left before there was one.
const statusGone = 499

var errPassing = continuity.E(continuity.CodeNotHeld, errors.New("relay: of a kind that only passes"))

// keepLost keeps a lost request in doubt, or says why not.
func (f *flight) keepLost(p passage) (ledger.Status, error) {
	if !p.keep {
		return ledger.Status{}, errPassing
	}
	if err := f.repeatable(); err != nil {
		return ledger.Status{}, err
	}
	st, _, err := f.accept(f.record(true), false)
	return st, err
}

// done tells the observer how the request ended.
func (f *flight) done(what What, status int) {
	if f.check != "" {
		f.engine.observer.Checked(f.route.ID, what, status)
		return
	}
	f.engine.observer.Observe(f.route.ID, what, status, time.Since(f.began))
}

// event logs something notable about the request.
func (f *flight) event(level slog.Level, message string, args ...any) {
	if !f.engine.log.Enabled(context.Background(), level) {
		return
	}
	args = append(args, "route", f.route.ID, "method", f.req.Method)
	if id := requestID(f.req); id != "" {
		args = append(args, "request", id)
	}
	if !f.receipt.IsZero() {
		args = append(args, "receipt", f.receipt.Short())
	}
	f.engine.log.Log(context.Background(), level, message, args...)
}
