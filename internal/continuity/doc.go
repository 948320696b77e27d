// Package continuity is the domain of Holdfast: what a record, a key, a route
// and a switch are, which states a record passes through, and which errors
// people and programs meet. It imports the standard library only, so that
// every other package can share its words.
//
// A record is a request that Holdfast has promised to deliver. Its states:
//
//	queued -> attempting -> delivered | refused | in-doubt | parked | dead | discarded
//
// and back to queued from attempting (clean failure), in-doubt (settled) and,
// by a person, from parked and dead. Pending is queued + attempting + in-doubt
// + parked; at every position of the journal
//
//	accepted = delivered + refused + dead + discarded + pending
package continuity
