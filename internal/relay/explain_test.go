package relay_test

import (
	"slices"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

// What is explained is what then happens, and explaining does nothing.
func TestExplainedIsWhatHappens(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*house)
		body   string
		header []continuity.Field
		what   relay.What
		status int // that the client then gets
	}{
		"passes":      {func(*house) {}, order("A"), nil, relay.Passed, 201},
		"held":        {func(h *house) { h.books.hold("operator") }, order("A"), nil, relay.Held, 202},
		"behind":      {func(h *house) { h.books.hold("operator"); h.post(order("A")); h.books.pass() }, order("A"), nil, relay.Held, 202},
		"credentials": {func(h *house) { h.books.hold("operator") }, order("A"), []continuity.Field{{Name: "Cookie", Value: "a=b"}}, relay.Refused, 503},
		"no key":      {func(h *house) { h.books.hold("operator") }, `{}`, nil, relay.Refused, 503},
		"too large":   {func(h *house) { h.books.hold("operator") }, big, nil, relay.Refused, 503},
		"blocked":     {func(h *house) { h.books.set("operator", continuity.IntakeBlock) }, order("A"), nil, relay.Blocked, 403},
		"replied":     {func(h *house) { h.books.set("operator", continuity.IntakeReply) }, order("A"), nil, relay.Maintenance, 503},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			c.before(h)
			kept, sent := len(h.books.kept()), len(h.shop.requests())
			x, err := h.engine.Explain(&continuity.Question{Method: "POST", Target: "/orders/1", Host: "shop", Header: c.header, Body: []byte(c.body)})
			if err != nil {
				t.Fatal(err)
			}
			if len(h.books.kept()) != kept || len(h.shop.requests()) != sent {
				t.Error("explaining kept or sent something")
			}
			if x.Now.What != string(c.what) || !x.Live {
				t.Errorf("explained as %+v, want %s; %+v", x.Now, c.what, x.Points)
			}
			var pairs []string
			for _, f := range c.header {
				pairs = append(pairs, f.Name+": "+f.Value)
			}
			wantStatus(t, h.post(c.body, pairs...), c.status)
			if x.Now.Status != 0 && x.Now.Status != c.status {
				t.Errorf("explained with %d, got %d", x.Now.Status, c.status)
			}
		})
	}
}

func TestExplainTellsABlockByPath(t *testing.T) {
	h := open(t)
	h.route.Block = []continuity.Block{{Paths: []string{"/orders/export"}, Reason: "too big"}}
	h.use(continuity.Limits{})
	x, err := h.engine.Explain(&continuity.Question{Method: "GET", Target: "//orders/export", Host: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(x.Points, func(p continuity.Point) bool { return p.ID == "block" }) {
		t.Errorf("the block is not among %+v", x.Points)
	}
}
