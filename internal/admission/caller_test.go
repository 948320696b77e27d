package admission

import (
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// verified is a caller as its route verified it; empty: nobody.
type verified struct {
	name   string
	rights []string
}

func (v verified) Verified() (string, []string, bool) { return v.name, v.rights, v.name != "" }

func TestClassIsTheVerifiedCallers(t *testing.T) {
	g := New(Options{Route: &continuity.Route{ID: "orders", Admission: &continuity.Admission{Classes: continuity.AdmissionClasses{
		Header: "X-Class", Order: []string{"checkout", "normal", "crawler"}, Otherwise: "normal",
		Members: [][]string{{"jwt:till-1", "checkout"}, nil, {"jwt:bot"}},
	}}}})
	boast := []continuity.Field{{Name: "X-Class", Value: "checkout"}}
	for _, c := range []struct {
		who  Caller
		want int
	}{
		{verified{name: "jwt:till-1"}, 0},
		{verified{name: "jwt:till-2", rights: []string{"read", "checkout"}}, 0},
		{verified{name: "jwt:bot"}, 2},
		{verified{name: "jwt:somebody"}, 1},
		{verified{rights: []string{"checkout"}}, 1}, // not verified: its rights are nobody's
		{nil, 1},
	} {
		if got := g.class(&Request{Who: c.who, Trusted: true, Header: boast}); got != c.want {
			t.Errorf("%+v is of class %d, want %d", c.who, got, c.want)
		}
	}
}

// A verified caller keeps its place wherever it comes from; who is not verified
// is told apart as before.
func TestUsersOfALineAreVerifiedCallers(t *testing.T) {
	now := time.Now()
	l := newLine(&continuity.Route{ID: "shop", Line: &continuity.WaitingLine{
		User: continuity.SourceCaller, Shares: []float64{0.5, 1}, Groups: []continuity.LineGroup{{Name: "tills", Values: []string{"jwt:till-1", "till"}}},
	}}, []byte("secret"), now)
	from := func(who Caller, remote, program string) uint64 {
		r := &Request{At: now, Remote: remote, Who: who, Header: []continuity.Field{{Name: "User-Agent", Value: program}}}
		if name, ok := l.named(r); ok {
			return name
		}
		return l.stranger(r, r.client())
	}
	a := from(verified{name: "jwt:a"}, "192.0.2.1:1", "browser")
	if a != from(verified{name: "jwt:a"}, "198.51.100.7:9", "phone") {
		t.Error("the same caller is another user from another place")
	}
	if a == from(verified{name: "jwt:b"}, "192.0.2.1:1", "browser") {
		t.Error("two callers behind one address are one user")
	}
	if from(verified{}, "192.0.2.1:1", "browser") != from(nil, "192.0.2.1:2", "browser") {
		t.Error("who is not verified is not told apart by address and program")
	}
	for _, c := range []struct {
		who   Caller
		group bool
	}{{verified{name: "jwt:till-1"}, true}, {verified{name: "jwt:x", rights: []string{"till"}}, true}, {verified{name: "jwt:x"}, false}, {nil, false}} {
		if got := l.batchOf(&Request{Who: c.who}, 1, 1) == 0; got != c.group {
			t.Errorf("%+v in the group: %v, want %v", c.who, got, c.group)
		}
	}
}

// What lets one caller in lets nobody else in who carries it.
func TestLineTokensAreTheCallersOwn(t *testing.T) {
	now := time.Now()
	l := newLine(&continuity.Route{ID: "shop", Line: &continuity.WaitingLine{
		User: continuity.SourceCaller, Shares: []float64{0.5, 1}, Stays: time.Hour,
		Groups: []continuity.LineGroup{{Name: "tills", Values: []string{"jwt:till-1"}}},
	}}, []byte("secret"), now)
	state := &continuity.LineState{Since: now, Step: 1, Stepped: now}
	ask := func(name, carried string) Ticket {
		r := &Request{At: now, Remote: "192.0.2.1:1", Who: verified{name: name}}
		if carried != "" {
			r.Header = []continuity.Field{{Name: TokenHeader, Value: carried}}
		}
		return l.ask(r, state, r.client())
	}
	till := ask("jwt:till-1", "")
	if !till.In || !ask("jwt:till-1", till.Token).In {
		t.Fatalf("the first group is not in: %+v", till)
	}
	if lent := ask("jwt:guest", till.Token); lent.In || lent.Batch != ask("jwt:guest", "").Batch {
		t.Errorf("a guest came in with a till's token: %+v", lent)
	}
}
