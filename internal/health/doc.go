// Package health decides for each route whether its upstream can be used, and
// says so by one standing switch of the owner "health":
//
//	up     no switch
//	down   intake hold, replay off
//	trial  intake hold, replay trial: one kept request at a time
//
// Where a route says so, intake diverts or replies in place of hold.
//
// The switch is durable before the state counts, so that a restart finds the
// state in the journal; New takes the standing switch over.
//
//	up -> down     a clean failure, on the same request; Detect.Losses lost
//	               attempts within Detect.Within; Detect.Down failed checks
//	down -> trial  Detect.Up good checks in a row, or without an active check
//	               the end of a waiting time
//	trial -> up    Detect.Up attempts answered in a row; or, with an active
//	               check and nothing to replay, a good check
//	trial -> down  a failed attempt or check
//
// With nothing to replay (or with replay silent for ten seconds, because what
// is left waits behind a parked key) one live request at a time is let through
// as the trial.
//
// What keeps a shaky upstream from thrashing is the asymmetry: one failure is
// enough to go down, while the way back takes a row of successes, and each time
// the route goes down within a minute of having been up, or out of trial, the
// least time it stays down doubles, from one second to thirty. What is answered
// late by requests sent before the route went down counts for nothing.
package health
