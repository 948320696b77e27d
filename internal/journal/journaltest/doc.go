// Package journaltest has what tests of the journal and its users need: a
// conformance suite that holds for every implementation of journal.Log, and a
// file system in memory that loses, tears and damages what was not synced.
package journaltest
