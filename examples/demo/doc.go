// Demo shows what Holdfast is for, with nothing staged: it starts a shop and a
// relay as processes of their own, lets customers order and look things up
// through the relay, kills the shop with SIGKILL in the middle of it, starts
// it again, and when the relay has delivered what it kept, compares what the
// customers were told with what the shop's own database holds.
//
// The customers keep their own ledger, which no part of Holdfast sees. An
// order that a customer was told is accepted must be in the shop's database
// exactly once, with the requests of one order in the sequence in which its
// customer sent them, and the amounts must be equal. The exit status is 0 only
// if that holds and no customer met an error while ordering.
package main
