package relay

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
)

// What the relay answers itself, on every host, whatever the routes say.
const (
	ownPrefix     = "/.holdfast/"
	receiptPrefix = ownPrefix + "receipts/"
)

// serveOwn answers what lies below ownPrefix. Whatever is not there, an unknown
// receipt as well as no receipt at all, gets the same answer.
func (e *Engine) serveOwn(x http1.Exchange, path string) {
	req := x.Request()
	token, ok := strings.CutPrefix(path, receiptPrefix)
	if !ok || e.ledger == nil || (req.Method != http.MethodGet && req.Method != http.MethodHead) {
		e.refuse(x, "", continuity.E(continuity.CodeNotFound, nil))
		return
	}
	receipt, err := continuity.ParseReceipt(token)
	if err != nil {
		e.refuse(x, "", continuity.E(continuity.CodeNotFound, nil))
		return
	}
	st, ok := e.ledger.Status(receipt)
	if !ok {
		e.refuse(x, "", continuity.E(continuity.CodeNotFound, nil))
		return
	}
	rec, err := e.ledger.Record(st.Position)
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound, err == nil && (rec.Erased && !rec.Expired || !e.mayRead(rec, req)):
		e.refuse(x, "", continuity.E(continuity.CodeNotFound, nil))
		return
	case err != nil:
		e.log.Warn("record of a receipt not readable", "receipt", receipt.Short(), "error", err)
		e.problem(x, st.Route, continuity.E(continuity.CodeOutcomeUnknown, err), http.StatusServiceUnavailable, "")
		return
	}
	response, err := e.response(st)
	if err != nil {
		e.log.Warn("final response not readable", "receipt", receipt.Short(), "error", err)
		e.problem(x, st.Route, continuity.E(continuity.CodeOutcomeUnknown, err), http.StatusServiceUnavailable, "")
		return
	}
	lang := e.languages.of(req)
	header := own(stateReceipt, "application/json", lang)
	if st.State.Pending() {
		header = append(header, retryAfter(e.retryAfter(st.Route)))
	}
	_ = x.Respond(http.StatusOK, header, e.tell(st, response, rec.Expired, lang)) // a client that left can't be told
}

// Receipt is what a client reads of its request.
type Receipt struct {
	Receipt  string   `json:"receipt"`
	State    string   `json:"state"`
	Reason   string   `json:"reason,omitempty"`
	Message  string   `json:"message"`
	Attempts int      `json:"attempts,omitempty"`
	Gone     string   `json:"gone,omitempty"` // why request and response can't be read any more: retention
	Response *Outcome `json:"response,omitempty"`
}

// Outcome is the final response as far as it was kept. A body that is no text
// is in base64.
type Outcome struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type,omitempty"`
	Body        string `json:"body"`
	Encoding    string `json:"encoding,omitempty"`
	Cut         bool   `json:"cut"`
}

// tell is a record's receipt in a language. gone says that its content has had
// its time.
func (e *Engine) tell(st ledger.Status, response *continuity.Response, gone bool, lang catalogue.Lang) []byte {
	r := Receipt{
		Receipt: st.Receipt.String(), State: st.State.String(), Reason: string(st.Reason), Attempts: st.Attempts,
		Message: catalogue.Text(lang, "relay.state."+st.State.String(), nil),
	}
	if gone {
		r.Gone = "retention"
		r.Message = catalogue.Text(lang, "relay.gone", catalogue.Args{"state": r.Message})
	}
	if response != nil {
		o := &Outcome{Status: response.Status, ContentType: http1.Get(response.Header, "Content-Type"), Cut: response.Cut}
		if utf8.Valid(response.Body) && http1.Get(response.Header, "Content-Encoding") == "" {
			o.Body = string(response.Body)
		} else {
			o.Body, o.Encoding = base64.StdEncoding.EncodeToString(response.Body), "base64"
		}
		r.Response = o
	}
	b, _ := json.Marshal(r) // strings, numbers and bools: cannot fail
	return append(b, '\n')
}
