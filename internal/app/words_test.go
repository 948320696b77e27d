package app

import (
	"testing"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// TestWordsAreRefusedThatCantBeSaid has a control node's words be taken for a route
// that is there, for a bounded time, of a bounded length.
func TestWordsAreRefusedThatCantBeSaid(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	c := client(t, a)
	good := api.WordsRequest{Route: "orders", En: "x", For: 45, Node: "control-1"}
	if err := c.Words(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if err := c.Words(t.Context(), api.WordsRequest{Route: "orders", Node: "control-1"}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*api.WordsRequest){
		"no time":  func(r *api.WordsRequest) { r.For = 0 },
		"too long": func(r *api.WordsRequest) { r.For = 3600 },
		"no node":  func(r *api.WordsRequest) { r.Node = " " },
		"much":     func(r *api.WordsRequest) { r.Zh = string(make([]byte, 3000)) },
	} {
		r := good
		change(&r)
		if err := c.Words(t.Context(), r); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := good
	other.Route = "none"
	if err := c.Words(t.Context(), other); continuity.CodeOf(err) != continuity.CodeNoRoute {
		t.Error(err)
	}
}
