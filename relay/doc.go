// Package relay runs Holdfast's relay inside a Go program: before its own
// handlers' upstream, or on its way to a provider. What the relay promises is
// the same as for the program of its own: a request that is answered 202 is on
// disk, and reaches its upstream once and in order.
//
// Open reads the same configuration file as the program, with the same checks,
// and opens the journal in its data folder. Then
//
//   - [Relay.Handler] serves requests of a net/http server: the relay stands
//     before the upstreams of its routes;
//   - [Relay.Transport] sends requests of a net/http client: the relay stands
//     between this program and a provider, and a call that the provider can't
//     take now is kept and answered 202 with a receipt;
//   - [Relay.Hold], [Relay.Pass] and [Relay.Auto] switch a route, [Relay.Routes]
//     tells how each fares.
//
// The admin API listens where the configuration says, so that the command line
// works as ever: holdfast status, backlog, dead, reconcile.
//
// A journal belongs to one process; a second one that opens it gets an error
// with [Code] "locked". Close waits for what is under way. A process that dies
// without it loses nothing that was acknowledged.
//
// Errors have a stable code, see [Code], the same as the program's; their texts
// are for logs.
package relay
