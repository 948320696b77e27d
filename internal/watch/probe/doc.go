// Package probe is what all kinds of check have in common. A kind is a package
// beside this one with a function New; package kinds lists them.
//
// A probe looks once at each Run, within its time, and always comes to a result:
//
//   - up: it did what the spec expects
//   - degraded: it did, but slower than Slow, or its certificate ends soon
//   - down: it did not; the reason says what was seen
//   - unknown: nothing was learnt about the service, as the look was ended, the
//     outgoing rules don't let it out, or this machine is out of something
//
// A probe holds no goroutine and no connection of its own between two looks
// (kept HTTP connections belong to the shared client), and may run on several
// goroutines. A reason is an id of the catalogue with arguments that come from
// the spec or are numbers: what a service sends is never repeated, as it may
// bear a secret.
package probe
