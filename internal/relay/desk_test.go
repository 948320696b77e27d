package relay_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/relay"
	"holdfast/internal/upstream"
)

// desk is an exchange without a socket.
type desk struct {
	request http1.Request
	body    bytes.Reader
	text    []byte
	status  int
	ctx     context.Context // nil: the client stays
}

func (d *desk) Context() context.Context {
	if d.ctx == nil {
		return context.Background()
	}
	return d.ctx
}
func (d *desk) Request() *http1.Request { d.body.Reset(d.text); return &d.request }
func (d *desk) Started() bool           { return d.status != 0 }
func (d *desk) Respond(status int, _ []continuity.Field, _ []byte) error {
	d.status = status
	return nil
}
func (d *desk) Stream(status int, _ []continuity.Field, _ int64, _ io.Reader) error {
	d.status = status
	return nil
}

func newDesk(size int, header ...continuity.Field) *desk {
	d := &desk{text: append([]byte(order("A")), bytes.Repeat([]byte(" "), size)...)}
	d.request = http1.Request{
		Method: "POST", Target: "/orders", Host: "shop.example", Remote: "127.0.0.1:4000", Length: int64(len(d.text)), Body: &d.body,
		Header: append([]continuity.Field{{Name: "Content-Type", Value: "application/json"}, {Name: "User-Agent", Value: "app/1"}, {Name: "Accept", Value: "*/*"}}, header...),
	}
	return d
}

// sends is an upstream without a socket.
type sends func(ctx context.Context) upstream.Result

func (s sends) Send(ctx context.Context, _ upstream.Attempt) upstream.Result { return s(ctx) }

func engineFor(t testing.TB, books *books, health relay.Health, sender upstream.Sender) *relay.Engine {
	t.Helper()
	e := relay.New(relay.Options{Ledger: books, Hasher: identity.New([]byte("secret"))})
	route := continuity.Route{
		ID: "orders", Match: continuity.Match{Paths: []string{"/orders/**"}},
		Key:    continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"},
		Hold:   continuity.Hold{State: continuity.HoldOn, Methods: []string{"POST"}, ItemBytes: 1 << 20},
		Answer: &continuity.Answer{Status: 202},
	}
	if err := e.SetRoutes([]relay.Binding{{Route: route, Sender: sender, Health: health}}, continuity.Limits{}); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestClientGone(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	b := newBooks()
	d := &doctor{books: b}
	var seen context.Context
	result := upstream.Result{Class: upstream.Clean, Err: errors.New("refused")}
	e := engineFor(t, b, d, sends(func(ctx context.Context) upstream.Result { seen = ctx; return result }))

	write := newDesk(10)
	write.ctx = gone
	e.Handle(write)
	if seen.Err() != nil || len(b.kept()) != 0 || d.told() != "ok 0 clean 1 lost 0" {
		t.Errorf("not processed: context %v, %d kept, health heard %q", seen.Err(), len(b.kept()), d.told())
	}
	b.pass()
	result = upstream.Result{Class: upstream.Lost, Err: errors.New("reset")}
	e.Handle(write)
	if seen.Err() != nil || len(b.kept()) != 1 || !b.kept()[0].Lost {
		t.Errorf("lost: context %v, %d kept", seen.Err(), len(b.kept()))
	}
	read := newDesk(0)
	read.request.Method, read.ctx = "GET", gone
	result = upstream.Result{Class: upstream.Lost, Err: context.Canceled}
	e.Handle(read)
	if seen.Err() == nil || d.told() != "ok 0 clean 1 lost 1" {
		t.Errorf("a read goes on without its client, or health hears of its end: %q", d.told())
	}
}

// A pool that has no connection to spare speaks of the load, not of the
// upstream's health: the request is kept, the route does not go down.
func TestBlamelessFailureIsKeptWithoutASwitch(t *testing.T) {
	b := newBooks()
	d := &doctor{books: b}
	e := engineFor(t, b, d, sends(func(context.Context) upstream.Result {
		return upstream.Result{Class: upstream.Clean, Err: http1.ErrBusy}
	}))
	x := newDesk(10)
	e.Handle(x)
	if x.status != 202 || len(b.kept()) != 1 || d.told() != "ok 0 clean 0 lost 0" {
		t.Errorf("answered %d, %d kept, health heard %q", x.status, len(b.kept()), d.told())
	}
}
