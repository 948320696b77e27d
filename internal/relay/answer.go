package relay

import (
	"encoding/json"
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

	usual bool // the body is ours, and repeats need not get the very same
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
		if n.usual = a.Body == ""; n.usual {
			n.body[lang] = n.received(lang, "")
		} else {
			n.body[lang] = newTemplate(a.Body)
		}
	}
	n.usual = n.usual && !n.same
	return n
}

// received is the usual body: that the request was received and is to be confirmed,
// and what is said meanwhile.
func (n *answer) received(lang catalogue.Lang, notice string) template {
	text := catalogue.Text(lang, "relay.received", nil)
	if strings.HasPrefix(n.contentType, "text/") {
		if notice != "" {
			text += "\n" + notice
		}
		return newTemplate(text)
	}
	text = `{"state":"held","message":` + strconv.Quote(text) + `,"receipt":"{receipt}"`
	if notice != "" {
		quoted, _ := json.Marshal(notice) // a string: cannot fail
		text += `,"notice":` + string(quoted)
	}
	return newTemplate(text + "}\n")
}
