package relay

import (
	"sync/atomic"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// words are what a control node has a route say for a time, where the relay itself
// answers.
type words = atomic.Pointer[wording]

type wording struct {
	page  *page
	body  map[catalogue.Lang]template // of the usual answer to what is kept
	until time.Time
}

// Say has a route's maintenance answer, and its usual answer to what is kept, say a
// text until a time; an empty one takes back what was said. It reports whether there
// is such a route.
func (e *Engine) Say(route string, text continuity.Said, until time.Time) bool {
	r := e.table.Load().find(route)
	if r == nil {
		return false
	}
	if text == (continuity.Said{}) {
		r.words.Store(nil)
		return true
	}
	reply := continuity.Reply{}
	if r.Reply != nil {
		reply = *r.Reply
	}
	reply.Text = text
	w := &wording{newPage(&reply), map[catalogue.Lang]template{}, until}
	for lang := range r.answer.body {
		w.body[lang] = r.answer.received(lang, say(text, lang, "").Text)
	}
	r.words.Store(w)
	return true
}

// says is what the maintenance answer is now.
func (r *route) says(now time.Time) *page {
	if w := r.words.Load(); w != nil && now.Before(w.until) {
		return w.page
	}
	return r.page
}

// kept is the body of the answer to a request that was kept. What is said besides is
// of now, as is the time to ask again: a repeat hears what is said then.
func (r *route) kept(lang catalogue.Lang, now time.Time) template {
	if w := r.words.Load(); w != nil && r.answer.usual && now.Before(w.until) {
		return w.body[lang]
	}
	return r.answer.body[lang]
}
