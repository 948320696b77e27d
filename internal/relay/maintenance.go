package relay

import (
	"bytes"
	_ "embed"
	"encoding/json"
	htmltemplate "html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/problem"
)

//go:embed maintenance.html
var maintenanceHTML string

var maintenancePage = htmltemplate.Must(htmltemplate.New("maintenance").Parse(maintenanceHTML))

// page is a route's maintenance answer, written out in every language.
type page struct {
	json, html map[catalogue.Lang][]byte
	after      time.Duration // what clients are told to wait; 0: what is expected
}

// said is a text in the language of the answer, or in another one.
type said struct {
	Text  string
	Other string // the language, if it is not the answer's
}

type channel struct {
	Name said
	URL  string
	Link htmltemplate.URL
	Text *said
}

// notice is a problem document with the channels that people may use meanwhile.
type notice struct {
	problem.Document
	Channels []noticeChannel `json:"channels,omitempty"`
}

type noticeChannel struct {
	Name string `json:"name"`
	URL  string `json:"url,omitempty"`
	Text string `json:"text,omitempty"`
}

func newPage(r *continuity.Reply) *page {
	if r == nil {
		r = &continuity.Reply{}
	}
	p := &page{json: make(map[catalogue.Lang][]byte), html: make(map[catalogue.Lang][]byte), after: r.After}
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		title, text := say(r.Title, lang, "relay.maintenance.title"), say(r.Text, lang, "relay.maintenance.text")
		n := notice{Document: problem.Of(continuity.E(continuity.CodeMaintenance, nil), lang)}
		n.Title, n.Detail = title.Text, text.Text
		var channels []channel
		for _, c := range r.Channels {
			shown := channel{Name: say(c.Name, lang, ""), URL: c.URL, Link: htmltemplate.URL(c.URL)} // #nosec G203 -- of the configuration, which takes known schemes only
			told := noticeChannel{Name: shown.Name.Text, URL: c.URL}
			if c.Text != (continuity.Said{}) {
				text := say(c.Text, lang, "")
				shown.Text, told.Text = &text, text.Text
			}
			channels, n.Channels = append(channels, shown), append(n.Channels, told)
		}
		body, _ := json.Marshal(n) // strings and numbers: cannot fail
		p.json[lang] = append(body, '\n')
		var html bytes.Buffer
		_ = maintenancePage.Execute(&html, map[string]any{ // as above, and a test renders it
			"Lang": string(lang), "Title": title, "Text": text, "Channels": channels,
			"Meanwhile": catalogue.Text(lang, "relay.maintenance.meanwhile", nil),
		})
		p.html[lang] = html.Bytes()
	}
	return p
}

// say picks the text of a language, or the other one's, or the catalogue's.
func say(s continuity.Said, lang catalogue.Lang, usual string) said {
	own, other, foreign := s.En, s.Zh, catalogue.Zh
	if lang == catalogue.Zh {
		own, other, foreign = s.Zh, s.En, catalogue.En
	}
	switch {
	case own != "":
		return said{Text: own}
	case other != "":
		return said{Text: other, Other: string(foreign)}
	case usual == "":
		return said{}
	}
	return said{Text: catalogue.Text(lang, usual, nil)}
}

// maintenance answers with the route's maintenance answer, as a page where the
// client prefers one, else as a problem document.
func (f *flight) maintenance() { f.close(f.route.says(f.began)) }

// close answers with a page, and when to come again.
func (f *flight) close(p *page) {
	const status = http.StatusServiceUnavailable
	lang := f.engine.languages.of(f.req)
	contentType, body := problem.ContentType, p.json[lang]
	if prefersHTML(f.req) {
		contentType, body = htmlType, p.html[lang]
	}
	header := negotiated(stateClosed, contentType, lang)
	after := p.after
	if after <= 0 {
		after = f.engine.retryAfter(f.route.ID)
	}
	header = append(header, retryAfter(after))
	if contentType != problem.ContentType {
		header = append(header, continuity.Field{Name: "Content-Security-Policy", Value: "default-src 'none'; style-src 'unsafe-inline'"})
	}
	f.done(Maintenance, status)
	_ = f.x.Respond(status, header, body) // a client that left can't be told
}

const htmlType = "text/html; charset=utf-8"

// negotiated are the fields of an answer whose type goes by Accept.
func negotiated(state, contentType string, lang catalogue.Lang) []continuity.Field {
	header := own(state, contentType, lang)
	for i := range header {
		if header[i].Name == "Vary" {
			header[i].Value = "Accept, Accept-Language"
		}
	}
	return header
}

// prefersHTML reports whether a client names HTML and likes nothing better that
// the relay could write.
func prefersHTML(req *http1.Request) bool {
	html, other := 0.0, 0.0
	for _, f := range req.Header {
		if !strings.EqualFold(f.Name, "Accept") {
			continue
		}
		for item := range strings.SplitSeq(strings.ToLower(f.Value), ",") {
			media, parameters, _ := strings.Cut(item, ";")
			q := quality(parameters)
			switch strings.TrimSpace(media) {
			case "text/html", "application/xhtml+xml":
				html = max(html, q)
			case "application/json", problem.ContentType, "application/*":
				other = max(other, q)
			}
		}
	}
	return html > 0 && html >= other
}

func quality(parameters string) float64 {
	for item := range strings.SplitSeq(parameters, ";") {
		if text, ok := strings.CutPrefix(strings.ReplaceAll(item, " ", ""), "q="); ok {
			q, err := strconv.ParseFloat(text, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}
