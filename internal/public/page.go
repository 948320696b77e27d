package public

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"mime"
	"net/http"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// policy lets a browser load nothing but the page's own style, and send its form
// nowhere else.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// view is what the page shows: one of the first fields.
type view struct {
	Gone    bool // there is nothing
	Busy    bool // too many requests
	Trouble bool // it can't be said at present
	Notice  *notice

	Lang, Other string
	OtherName   string
	Style       template.CSS
	T           map[string]string
}

type notice struct {
	Subject, Text, Service string
	Since, Clock           string // for programs, and for people
	Urgent, Test           bool
	Done                   string // who acknowledged, and when
	Again                  bool   // what was sent was not this page's form
	Ask                    bool   // who they are
	Form                   string // proves that the page was read
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	shown, err := s.o.Acks.Look(r.Context(), token)
	s.answer(w, r, http.StatusOK, &shown, err, false)
}

// acknowledge takes the page's form, and nothing else: whoever only follows a link,
// or sends what another page made, acknowledges nothing.
func (s *Server) acknowledge(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if !s.ownOrigin(r) || kind != "application/x-www-form-urlencoded" || r.ParseForm() != nil || !hmac.Equal([]byte(r.PostForm.Get("form")), []byte(formOf(token))) {
		shown, err := s.o.Acks.Look(r.Context(), token)
		s.answer(w, r, http.StatusForbidden, &shown, err, true)
		return
	}
	shown, err := s.o.Acks.Acknowledge(r.Context(), token, r.PostForm.Get("by"))
	s.answer(w, r, http.StatusOK, &shown, err, false)
}

// formOf is what the form of a token's page bears. Any node can make it, and nobody
// who has not the token.
func formOf(token string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("holdfast form 1"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// ownOrigin refuses what a browser says comes from another page. One that says
// null, as some do where no referrer is to be told, or nothing, is left to the
// form's proof, which no other page can read.
func (s *Server) ownOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "null" || origin == s.origin
}

// answer shows what a token is for. That it is for nothing is one answer, whatever
// was sent.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, status int, shown *notify.Shown, err error, again bool) {
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
		s.page(w, r, http.StatusNotFound, view{Gone: true})
		return
	case err != nil:
		if r.Context().Err() == nil {
			s.o.Log.Error("a link can't be looked up", "code", continuity.CodeOf(err), "error", err)
		}
		w.Header().Set("Retry-After", "5")
		s.page(w, r, http.StatusServiceUnavailable, view{Trouble: true})
		return
	}
	lang := langOf(r)
	n := &notice{
		Subject: said(lang, shown.Subject), Text: said(lang, shown.Text), Service: shown.Service, Urgent: shown.Urgent, Test: shown.Trial != "",
		Since: shown.Since.UTC().Format(time.RFC3339), Clock: clock(shown.Since), Again: again && !shown.Done,
		Ask: shown.Person == "" && shown.Trial == "", Form: formOf(r.PathValue("token")),
	}
	switch {
	case shown.Trial != "":
		n.Subject = catalogue.Text(lang, "public.test", catalogue.Args{"channel": shown.Trial})
		if shown.Done {
			n.Done = catalogue.Text(lang, "public.test-done", nil)
		}
	case shown.Done:
		n.Done = catalogue.Text(lang, "public.done", catalogue.Args{"by": shown.By, "at": clock(shown.At)})
	}
	if n.Subject == "" {
		n.Subject = catalogue.Text(lang, "public.something", nil)
	}
	s.page(w, r, status, view{Notice: n})
}

func (s *Server) page(w http.ResponseWriter, r *http.Request, status int, v view) {
	lang := langOf(r)
	v.Lang, v.Other, v.OtherName, v.Style = "en", "zh", "中文", template.CSS(style) // #nosec G203 -- the program's own
	if lang == catalogue.Zh {
		v.Lang, v.Other, v.OtherName = "zh-CN", "en", "English"
	}
	v.T = map[string]string{}
	for _, id := range []string{"acknowledge", "test-button", "service", "since", "urgent", "name", "again", "gone", "gone-more", "busy", "trouble", "hint", "title"} {
		v.T[id] = catalogue.Text(lang, "public."+id, nil)
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		s.o.Log.Error("a page can't be made", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.Lang)
	h.Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // who has gone reads nothing
}

func langOf(r *http.Request) catalogue.Lang {
	switch lang := r.URL.Query().Get("lang"); lang {
	case "en", "zh":
		return catalogue.Lang(lang)
	}
	return catalogue.Accept(r.Header.Get("Accept-Language"))
}

// said is a text in a language, or in the other where it has none.
func said(lang catalogue.Lang, t continuity.Text) string {
	if lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04 (UTC-07:00)") }

// in hands what a provider says to its channel.
func (s *Server) in(w http.ResponseWriter, r *http.Request) {
	in, ok := s.o.Inbound(r.PathValue("channel"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, mostBody)); err != nil {
		status := http.StatusBadRequest
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, http.StatusText(status), status)
		return
	}
	answer, events, err := in.Receiver.Receive(r, body.Bytes())
	if err != nil {
		// What is not signed is nobody's word; what is wrong with it is told nobody.
		s.o.Log.Warn("what came for a channel was refused", "channel", r.PathValue("channel"), "from", from(r).String())
		http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		return
	}
	if len(events) > 0 {
		if err := in.Take(r.Context(), events); err != nil {
			// The provider says it again.
			s.o.Log.Error("what a provider said can't be noted", "channel", r.PathValue("channel"), "code", continuity.CodeOf(err), "error", err)
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
	}
	if answer.Type == "" {
		answer.Type = "text/plain; charset=utf-8"
	}
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	w.Header().Set("Content-Type", answer.Type)
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}
