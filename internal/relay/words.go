package relay

import (
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

// words are what a control node has a route say for a time, where the relay itself
// answers.
type words = atomic.Pointer[wording]

type wording struct {
	page  *page
	until time.Time
}

// Say has a route's maintenance answer say a text until a time; an empty one takes
// back what was said. It reports whether there is such a route.
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
	r.words.Store(&wording{newPage(&reply), until})
	return true
}

// says is what the maintenance answer is now.
func (r *route) says(now time.Time) *page {
	if w := r.words.Load(); w != nil && now.Before(w.until) {
		return w.page
	}
	return r.page
}
