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

// TestWordsAreInTheAnswerToWhatIsKept has the answer to a kept request say what a
// control node gives it, beside what was promised, and no answer that a route gives
// in words of its own, or gives the very same again.
func TestWordsAreInTheAnswerToWhatIsKept(t *testing.T) {
	const own, zh = "Call 4000008826: \"orders\" are back at ten.", "请致电 4000008826。"
	for name, c := range map[string]struct {
		answer   continuity.Answer
		lang     string
		with     string // in the body while it is said
		contains string // always
	}{
		"usual":         {continuity.Answer{}, "en", `,"notice":"Call 4000008826: \"orders\" are back at ten."}`, `"state":"held","message":"Received, to be confirmed.`},
		"in Chinese":    {continuity.Answer{}, "zh", `,"notice":"请致电 4000008826。"}`, `"state":"held","message":"已收到，待确认`},
		"as text":       {continuity.Answer{ContentType: "text/plain"}, "en", "\n" + own, "Received, to be confirmed."},
		"words":         {continuity.Answer{Body: "we have it"}, "en", "", "we have it"},
		"the very same": {continuity.Answer{Same: true}, "en", "", "Received, to be confirmed."},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.route.Answer = &c.answer
			h.use(continuity.Limits{})
			h.books.hold("operator")
			before := h.post(order("A"), "Idempotency-Key: a", "Accept-Language: "+c.lang)
			if before.status != 202 || !strings.Contains(before.body, c.contains) || strings.Contains(before.body, "4000008826") {
				t.Fatalf("answered %s", before)
			}
			h.engine.Say("orders", continuity.Said{En: own, Zh: zh}, time.Now().Add(time.Hour))
			during := h.post(order("B"), "Idempotency-Key: b", "Accept-Language: "+c.lang)
			if during.status != 202 || !strings.Contains(during.body, c.contains) || !strings.Contains(during.body, c.with) || (c.with == "") == strings.Contains(during.body, "4000008826") {
				t.Errorf("answered %s", during)
			}
			h.engine.Say("orders", continuity.Said{}, time.Time{})
			after := h.post(order("A"), "Idempotency-Key: a", "Accept-Language: "+c.lang)
			if after.status != 202 || after.body != before.body || after.header.Get("Location") != before.header.Get("Location") {
				t.Errorf("answered %s, then %s", before, after)
			}
		})
	}
}
