package relay

import (
	"log/slog"
	"net/http"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// repeat answers a request whose identity the ledger knows: as its record was
// answered, or with its final response. It goes no further.
func (f *flight) repeat(st ledger.Status) {
	rec, err := f.engine.ledger.Record(st.Position)
	if err != nil {
		f.event(slog.LevelError, "record of a repeat not readable", "error", err)
		f.refuseWith(continuity.E(continuity.CodeOutcomeUnknown, err), http.StatusServiceUnavailable, "")
		return
	}
	// A body over the item limit can't be that of a record.
	if !f.whole || rec.Fingerprint != f.fingerprint() {
		f.refuse(continuity.E(continuity.CodeMismatch, nil))
		return
	}
	if rec.Erased && !rec.Expired {
		f.refuse(continuity.E(continuity.CodeErased, nil))
		return
	}
	f.answerKept(st, Repeated)
}

// final answers for a record that has ended: with the upstream's response where
// there is one, else with what its receipt tells.
func (f *flight) final(st ledger.Status, what What, prefer preference) {
	response, err := f.engine.response(st)
	if err != nil {
		f.event(slog.LevelError, "final response not readable", "error", err)
		f.refuseWith(continuity.E(continuity.CodeOutcomeUnknown, err), http.StatusServiceUnavailable, "")
		return
	}
	receipt := st.Receipt.String()
	gone := response != nil && response.Expired
	if response != nil && !gone {
		header := make([]continuity.Field, 0, len(response.Header)+4)
		header = append(header, response.Header...)
		header = append(header, continuity.Field{Name: stateHeader, Value: stateRepeat}, continuity.Field{Name: receiptHeader, Value: receipt})
		if response.Cut {
			header = append(header, continuity.Field{Name: cutHeader, Value: "?1"})
		}
		if applied := prefer.applied(); applied != "" {
			header = append(header, continuity.Field{Name: "Preference-Applied", Value: applied})
		}
		f.done(what, response.Status)
		_ = f.x.Respond(response.Status, header, response.Body) // it is in the journal all the same
		return
	}
	status, state := http.StatusOK, stateRepeat
	if st.State == continuity.Dead || st.State == continuity.Discarded {
		status, state = http.StatusGone, stateEnded
	}
	lang := f.engine.languages.of(f.req)
	header := append(own(state, "application/json", lang), continuity.Field{Name: "Location", Value: receiptPrefix + receipt})
	f.done(what, status)
	_ = f.x.Respond(status, header, f.engine.tell(st, response, gone, lang)) // as above
}

// Fields of a final response that comes from the journal.
const (
	receiptHeader = "Holdfast-Receipt"
	cutHeader     = "Holdfast-Cut" // the body was longer than the route keeps
)

// response reads the response that ended a record; nil where there is none.
func (e *Engine) response(st ledger.Status) (*continuity.Response, error) {
	if st.Outcome == 0 || !st.State.Ended() {
		return nil, nil
	}
	response, err := e.ledger.Response(st.Outcome)
	if err != nil || response == nil || response.Status == 0 {
		return nil, err
	}
	return response, nil
}
