package relay

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// answer is a route's answer, ready to be filled in.
type answer struct {
	status      int
	contentType string
	header      []struct {
		name  string
		value template
	}
	body map[catalogue.Lang]template
	wait time.Duration
	same bool
}

// template is a text, cut where the receipt goes.
type template []string

func newTemplate(text string) template { return strings.Split(text, "{receipt}") }

func (t template) fill(receipt string) string { return strings.Join(t, receipt) }

// add is fill behind what a buffer holds.
func (t template) add(b []byte, receipt string) []byte {
	for i, part := range t {
		if i > 0 {
			b = append(b, receipt...)
		}
		b = append(b, part...)
	}
	return b
}

// newAnswer prepares a route's answer; that of a route without one is for
// clients that prefer it.
func newAnswer(a *continuity.Answer) answer {
	if a == nil {
		a = &continuity.Answer{}
	}
	n := answer{status: a.Status, contentType: a.ContentType, wait: a.Wait, same: a.Same, body: make(map[catalogue.Lang]template)}
	if n.status == 0 {
		n.status = http.StatusAccepted
	}
	if n.contentType == "" {
		n.contentType = "application/json"
	}
	for _, h := range a.Header {
		n.header = append(n.header, struct {
			name  string
			value template
		}{h.Name, newTemplate(h.Value)})
	}
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		text := a.Body
		if text == "" {
			text = catalogue.Text(lang, "relay.received", nil)
			if !strings.HasPrefix(n.contentType, "text/") {
				text = `{"state":"held","message":` + strconv.Quote(text) + `,"receipt":"{receipt}"}` + "\n"
			}
		}
		n.body[lang] = newTemplate(text)
	}
	return n
}
