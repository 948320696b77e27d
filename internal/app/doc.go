// Package app puts the relay together: it is the only place that knows every
// part. It opens them in the order in which they need each other, puts a
// configuration into use, exchanges it while requests go on, and takes
// everything down in the reverse order.
//
// Start opens, in this order: the configuration (or the last good one, so that
// the relay always starts), the admin listener, the master key, the journal,
// the ledger with its recovery, the view, the routes with their health and
// replay, and last the listener for clients. That one is bound only after
// recovery, so that a load balancer goes on to another server while the relay
// can't answer yet; the admin listener answers /healthz and /readyz before.
//
// Where a journal exists but its master key doesn't, the relay runs keyless:
// everything passes and nothing is held, and it says so wherever it can.
//
// Invariants:
//
//   - What a resource needs outlives it: teardown is registered right after
//     each resource opens, and runs last in, first out.
//   - A configuration is put into use whole or not at all; a bad one leaves
//     the one before it running.
//   - For each route there is one health monitor and one drainer at a time;
//     who holds an older one reports to the present one.
package app
