package relay_test

import (
	"bytes"
	"context"
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
}

func (d *desk) Context() context.Context { return context.Background() }
func (d *desk) Request() *http1.Request  { d.body.Reset(d.text); return &d.request }
func (d *desk) Started() bool            { return d.status != 0 }
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

// echo is an upstream without a socket.
type echo struct{}

func (echo) Send(context.Context, upstream.Attempt) upstream.Result {
	return upstream.Result{Class: upstream.Answered, Status: 201, Length: 0, Body: io.NopCloser(nil)}
}

func bench(b *testing.B, books *books, d *desk, status int) {
	e := relay.New(relay.Options{Ledger: books, Hasher: identity.New([]byte("secret"))})
	route := continuity.Route{
		ID: "orders", Match: continuity.Match{Paths: []string{"/orders/**"}},
		Key:    continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"},
		Hold:   continuity.Hold{State: continuity.HoldOn, Methods: []string{"POST"}, ItemBytes: 1 << 20},
		Answer: &continuity.Answer{Status: 202},
	}
	if err := e.SetRoutes([]relay.Binding{{Route: route, Sender: echo{}}}, continuity.Limits{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.status = 0
		e.Handle(d)
	}
	if d.status != status {
		b.Fatalf("answered %d, want %d", d.status, status)
	}
}

// BenchmarkPass passes 1 KB requests of a route that would hold them, without
// sockets: what the relay itself costs.
func BenchmarkPass(b *testing.B) {
	b.Run("bare", func(b *testing.B) { bench(b, newBooks(), newDesk(1000), 201) })
	b.Run("with a repeat key", func(b *testing.B) {
		bench(b, newBooks(), newDesk(1000, continuity.Field{Name: "Idempotency-Key", Value: "8e03978e-40d5-43dd-bc93-6894a57f9324"}), 201)
	})
	b.Run("with a gate that is not empty", func(b *testing.B) {
		books := newBooks()
		books.Accept(&continuity.Record{Route: "orders", Key: 1}, false)
		bench(b, books, newDesk(1000), 201)
	})
}

// BenchmarkRepeat answers a repeat of a kept request.
func BenchmarkRepeat(b *testing.B) {
	books := newBooks()
	books.hold("operator")
	bench(b, books, newDesk(1000, continuity.Field{Name: "Idempotency-Key", Value: "k"}), 202)
}
