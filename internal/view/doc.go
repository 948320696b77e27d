// Package view keeps a disposable SQLite copy of what the journal says, so
// that people can ask for lists, sums and histories without touching the data
// plane. It follows the journal from the position it saved, states how far it
// is behind, and decides nothing.
//
// Invariants:
//
//   - Rows and position change in one transaction: at any time, after any kill,
//     the file is the image of the journal up to its position.
//   - The file holds no body, header, target, key or Idempotency-Key; a key is
//     its keyed hash.
//   - The file may be deleted at any time. A file of another schema, a damaged
//     one, or one that does not continue the journal at hand is thrown away and
//     built again from the oldest entry, with a line in the log.
//   - Memory is bounded by one batch and a cache of rows, disk by the journal:
//     what the journal's horizon forgets, the view forgets.
//
// A machine's power may fail while SQLite writes, as nothing is synced here. The
// view therefore checks the whole file once after each boot of the machine.
package view
