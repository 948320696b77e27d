package relay

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
	"holdfast/internal/problem"
)

// stateHeader marks every answer that the relay makes itself.
const stateHeader = "Holdfast-State"

// The values of stateHeader.
const (
	stateHeld    = "held"     // kept; it will be delivered
	stateDoubt   = "in-doubt" // kept; it may have been processed already
	stateRepeat  = "repeat"   // the final response, from the journal
	stateEnded   = "ended"    // it will not be delivered
	stateReceipt = "receipt"  // what a receipt tells
	stateRefused = "refused"  // neither sent nor kept, or sent in vain
	stateHolding = "holding"  // a check's: neither sent nor kept, as a customer's would be kept
	stateShed    = "shed"     // turned away by a limit before anything was done
	stateWaiting = "waiting"  // its client waits in line
	stateStale   = "stale"    // the last good response, for a reader
	stateClosed  = "maintenance"
)

// refuse answers with the problem that err is.
func (f *flight) refuse(err error) {
	status := problem.Status(continuity.CodeOf(err))
	if continuity.CodeOf(err) == continuity.CodeLimitItem {
		status = http.StatusServiceUnavailable // it would pass if the upstream were there
	}
	f.refuseWith(err, status, "")
}

// answerProblem answers with the problem that err is, and tells the observer what
// that means.
func (f *flight) answerProblem(what What, err error) {
	status := problem.Status(continuity.CodeOf(err))
	f.done(what, status)
	f.engine.problem(f.x, f.route.ID, err, status, "")
}

func (f *flight) refuseWith(err error, status int, receipt string) {
	f.done(Refused, status)
	f.engine.problem(f.x, f.route.ID, err, status, receipt)
}

func (e *Engine) refuse(x http1.Exchange, route string, err error) {
	e.problem(x, route, err, problem.Status(continuity.CodeOf(err)), "")
}

func (e *Engine) problem(x http1.Exchange, route string, err error, status int, receipt string) {
	lang := e.languages.of(x.Request())
	d := problem.Of(err, lang)
	d.Status, d.Receipt = status, receipt
	state := stateRefused
	header := make([]continuity.Field, 0, 8)
	if receipt != "" {
		state = stateDoubt
		header = append(header, continuity.Field{Name: "Location", Value: receiptPrefix + receipt})
	}
	header = append(header, own(state, problem.ContentType, lang)...)
	if continuity.CodeOf(err) == continuity.CodeCaller {
		if r := e.table.Load().find(route); r != nil && r.caller != nil {
			header = append(header, continuity.Field{Name: "WWW-Authenticate", Value: r.caller.Challenge()})
		}
	}
	if after := e.again(route, continuity.CodeOf(err), status); after > 0 {
		header = append(header, retryAfter(after))
	}
	_ = x.Respond(status, header, d.JSON()) // a client that left can't be told
}

// again tells after how long it makes sense to send a refused request again.
func (e *Engine) again(route string, code continuity.Code, status int) time.Duration {
	switch {
	case code == continuity.CodeInFlight:
		return time.Second
	case status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage || status == http.StatusGatewayTimeout:
		return e.retryAfter(route)
	}
	return 0
}

func retryAfter(d time.Duration) continuity.Field {
	seconds := max(1, int64((d+time.Second-1)/time.Second))
	return continuity.Field{Name: "Retry-After", Value: strconv.FormatInt(seconds, 10)}
}

// own are the fields of an answer that the relay makes.
func own(state, contentType string, lang catalogue.Lang) []continuity.Field {
	return appendOwn(make([]continuity.Field, 0, ownFields), state, contentType, lang)
}

// ownFields is how many they are; the content's type is the first.
const ownFields = 5

func appendOwn(header []continuity.Field, state, contentType string, lang catalogue.Lang) []continuity.Field {
	return append(header,
		continuity.Field{Name: "Content-Type", Value: contentType},
		continuity.Field{Name: "Content-Language", Value: string(lang)},
		continuity.Field{Name: "Vary", Value: "Accept-Language"},
		continuity.Field{Name: "Cache-Control", Value: "no-store"},
		continuity.Field{Name: stateHeader, Value: state},
	)
}

// answerKept answers a request that was kept: with its final response if that is
// there, or may be waited for and comes; else as the route says. A client that
// never heard of being held learns that the outcome is unknown: that is all it
// can understand, and only after a loss is its request kept.
func (f *flight) answerKept(st ledger.Status, what What) {
	prefer := f.preference()
	if f.route.answer.same && st.State.Ended() { // whoever sends it again wants to hear the same again
		prefer.waits = false
		f.answerHeld(st, what, prefer)
		return
	}
	st, ended := f.wait(st, prefer)
	switch {
	case ended:
		prefer.async = false // the response itself is here
		f.final(st, what, prefer)
	case f.declared():
		f.answerHeld(st, what, prefer)
	default:
		f.done(what, http.StatusGatewayTimeout)
		f.engine.problem(f.x, f.route.ID, continuity.E(continuity.CodeOutcomeUnknown, nil), http.StatusGatewayTimeout, st.Receipt.String())
	}
}

func (f *flight) answerHeld(st ledger.Status, what What, prefer preference) {
	lang := f.engine.languages.of(f.req)
	a := &f.route.answer
	location := receiptPrefix + st.Receipt.String()
	receipt := location[len(receiptPrefix):]
	header := f.fields[:0]
	contentType := false
	for _, field := range a.header {
		contentType = contentType || strings.EqualFold(field.name, "Content-Type")
		header = append(header, continuity.Field{Name: field.name, Value: field.value.fill(receipt)})
	}
	if a.status == http.StatusNoContent {
		contentType = true
	} else {
		f.text = f.route.kept(lang, f.began).add(f.text[:0], receipt)
	}
	header = appendOwn(header, stateHeld, a.contentType, lang)
	if own := len(header) - ownFields; contentType {
		header = slices.Delete(header, own, own+1)
	}
	header = append(header, continuity.Field{Name: "Location", Value: location}, retryAfter(f.engine.retryAfter(f.route.ID)))
	if applied := prefer.applied(); applied != "" {
		header = append(header, continuity.Field{Name: "Preference-Applied", Value: applied})
	}
	f.fields = header
	f.done(what, a.status)
	_ = f.x.Respond(a.status, header, f.text) // kept all the same
	if _, done := f.x.(http1.Spender); !done {
		f.fields, f.text = nil, nil // it may go on reading them
	}
}

// wait waits for the record's end as long as the route or the client says.
func (f *flight) wait(st ledger.Status, prefer preference) (ledger.Status, bool) {
	if !st.State.Pending() {
		return st, true
	}
	most := f.route.answer.wait
	if prefer.waits {
		most = min(prefer.wait, mostWait)
	}
	if most <= 0 {
		return st, false
	}
	ctx, cancel := context.WithTimeout(f.x.Context(), most)
	defer cancel()
	defer context.AfterFunc(f.engine.waiting, cancel)()
	f.waiter().Block()
	if now := f.engine.ledger.Wait(ctx, st.Receipt); now.State.Ended() {
		return now, true
	}
	return st, false
}

// mostWait bounds how long a client may ask to wait.
const mostWait = time.Minute
