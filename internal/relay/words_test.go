package relay_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// TestWordsOfAControlNodeEndByThemselves has the maintenance answer say what a control
// node gives it, over a new configuration, and what the route says before and after.
func TestWordsOfAControlNodeEndByThemselves(t *testing.T) {
	h := open(t, replying)
	h.use(cached)
	h.books.set("operator", continuity.IntakeReply)
	says := func(want, lang string) {
		t.Helper()
		r := h.do("GET", "/orders/A", "", "Accept-Language: "+lang)
		if r.status != 503 || !strings.Contains(r.body, want) {
			t.Errorf("answered %s, want %q", r, want)
		}
	}
	const own = "Call us: we are back at ten."
	before := h.do("GET", "/orders/A", "").body
	if !h.engine.Say("orders", continuity.Said{En: own, Zh: "请致电我们。"}, time.Now().Add(time.Hour)) {
		t.Fatal("there is no such route")
	}
	says(own, "en")
	says("请致电我们。", "zh")
	h.use(cached)
	says(own, "en")
	if !h.engine.Say("orders", continuity.Said{}, time.Time{}) {
		t.Fatal("there is no such route")
	}
	if got := h.do("GET", "/orders/A", "").body; got != before {
		t.Errorf("answered %s, want %s", got, before)
	}
	h.engine.Say("orders", continuity.Said{En: own}, time.Now().Add(-time.Second))
	if got := h.do("GET", "/orders/A", "").body; got != before {
		t.Errorf("answered %s after the words' end", got)
	}
	if h.engine.Say("none", continuity.Said{En: own}, time.Now()) {
		t.Error("a route that is not there says something")
	}
}
