package relay

import (
	"html"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/admission"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// waits answers a client whose turn in the waiting line has not come: a browser
// with a page that asks again by itself, a program with a problem.
func (f *flight) waits(no *admission.Refusal) {
	lang := f.engine.languages.of(f.req)
	t := &no.Ticket
	f.done(Shed, http.StatusServiceUnavailable)
	var contentType string
	var body []byte
	// A form's answer is no page: one that loads itself again would send it again.
	if f.safe() && prefersHTML(f.req) {
		contentType, body = htmlType, waitingPage(t, lang)
	} else {
		d := problem.Of(continuity.E(continuity.CodeWaiting, nil, "number", t.Number, "ahead", t.Ahead, "group", t.Batch, "open", t.Open,
			"groups", t.Batches, "expected_seconds", int64(math.Ceil(t.Expected.Seconds()))), lang)
		contentType, body = problem.ContentType, d.JSON()
	}
	header := append(negotiated(stateWaiting, contentType, lang), retryAfter(t.Again))
	if t.Token != "" {
		header = append(header, ticketFields(t)...)
	}
	_ = f.x.Respond(http.StatusServiceUnavailable, header, body) // a client that left can't be told
}

func waitingPage(t *admission.Ticket, lang catalogue.Lang) []byte {
	text := func(id string, args catalogue.Args) string {
		return html.EscapeString(catalogue.Text(lang, "relay.waiting."+id, args))
	}
	again := int64(t.Again / time.Second)
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="` + string(lang) + `"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		`<meta http-equiv="refresh" content="` + strconv.FormatInt(again, 10) + `"><title>` + text("title", nil) + `</title>` +
		`<style>body{font:1.1em/1.6 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em}b{font-size:1.6em}</style></head><body><h1>` +
		text("title", nil) + `</h1>`)
	paragraph := func(id string, args catalogue.Args) { b.WriteString("<p>" + text(id, args) + "</p>") }
	paragraph("why", nil)
	switch {
	case t.Number == 0:
		paragraph("number-follows", nil)
	case t.Batch <= t.Open:
		b.WriteString("<p><b>" + text("number", catalogue.Args{"number": t.Number}) + "</b></p>")
		paragraph("ahead", catalogue.Args{"ahead": t.Ahead})
	default:
		b.WriteString("<p><b>" + text("number", catalogue.Args{"number": t.Number}) + "</b></p>")
		paragraph("group", catalogue.Args{"group": t.Batch, "open": t.Open, "groups": t.Batches, "ahead": t.Ahead})
	}
	minutes := int64(math.Ceil(t.Expected.Minutes()))
	paragraph("expected", catalogue.Args{"minutes": max(1, minutes)})
	paragraph("stay", catalogue.Args{"seconds": again})
	b.WriteString("</body></html>\n")
	return []byte(b.String())
}
