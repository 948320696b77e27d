package relay_test

import (
	"context"
	"io"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

var echo = sends(func(context.Context) upstream.Result {
	return upstream.Result{Class: upstream.Answered, Status: 201, Length: 0, Body: noBody}
})

var noBody = io.NopCloser(nil)

// bench handles one request over and over.
func bench(b *testing.B, books *books, d *desk, status int) {
	e := engineFor(b, books, nil, echo)
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
