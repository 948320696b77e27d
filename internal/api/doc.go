// Package api is the relay's admin interface: JSON over HTTP on a loopback
// listener of its own, with one bearer token. It shows what the relay does and
// takes the acts of named persons; nothing a customer's request needs passes
// through it, and it holds no state.
//
// Reads come from the ledger, which is exact, and from the view, which is a
// disposable reader of the journal: answers built from the view bear its
// position and lag. Acts go to the ledger and are durable when they return.
//
// The package declares the narrow interfaces it needs; app provides them. It
// also holds the client that the command line uses.
package api
