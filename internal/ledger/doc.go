// Package ledger owns what is known of every record: its state, its place in
// the order of its key, who may repeat it, and the counts that must balance.
//
// One sequencer puts events into the journal, in batches, synced before anyone
// is answered; one deterministic State.Apply turns each synced event into
// state, in the journal's order. The live path, recovery and verification all
// go through that same Apply, so that a restart can't know anything else than
// the running relay did. What is proposed and not yet synced is kept apart (in
// flight): a batch that fails leaves no trace in the state.
//
// Invariants, at every position:
//
//   - accepted = delivered + refused + dead + discarded + pending, per route
//   - a key is in the gate exactly while it has a pending record, or one in flight
//   - of each key only the first pending record can be claimed, by one claimant
//   - a receipt names at most one record that has not been forgotten
package ledger
