//go:build !race

package relay_test

import (
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/relay"
)

// steady are books whose settings nobody changes.
type steady struct{ *books }

func (steady) Settings() uint64 { return 1 }

// A request that is only passed costs no memory of its own.
func TestPassingAllocatesNothing(t *testing.T) {
	e := relay.New(relay.Options{Ledger: steady{newBooks()}, Hasher: identity.New([]byte("secret"))})
	route := continuity.Route{ID: "pages", Match: continuity.Match{Paths: []string{"/orders"}}}
	if err := e.SetRoutes([]relay.Binding{{Route: route, Sender: echo}}, continuity.Limits{}); err != nil {
		t.Fatal(err)
	}
	e.SetTransport(continuity.Transport{Marks: continuity.Secret(strings.Repeat("k", 32))}) // requests without a mark cost nothing
	d := newDesk(1000, continuity.Field{Name: "Content-Length", Value: "1000"})
	d.request.Waiter = continuity.NewWaiter()
	if n := testing.AllocsPerRun(1000, func() { d.status = 0; e.Handle(d) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
	if d.status != 201 {
		t.Errorf("answered %d", d.status)
	}
}
