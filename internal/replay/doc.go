// Package replay sends what the journal keeps to the upstream that is back: in
// the order of each key, once as far as that can be known, and no faster than
// the upstream bears.
//
// One Drainer serves one route. It claims the first record of a key from the
// ledger, makes "attempt n started" durable, sends, and makes the outcome
// durable; many keys at once, of each key one record at a time (the ledger
// sees to that). What an attempt's end means is decided by the pure functions
// Judge and Settle, what may be sent in a second by the Ramp.
//
// Invariants:
//
//   - no byte leaves before its attempt is on stable storage
//   - every attempt of a record bears the same Idempotency-Key
//   - an attempt that is known as not processed puts its record back where it
//     stood: queued, or in doubt because of an earlier attempt
//   - a record in doubt is repeated only after settle, and only if its route's
//     idempotency or a look-up at the upstream allows it; it is never made dead
//   - after Stop returned no record is attempting, unless the journal failed
//
// A stuck key costs the others nothing: its record waits in the ledger, with a
// growing delay between tries, and is not read from the journal meanwhile.
package replay
