// Package journal keeps entries on stable storage: an append-only log in
// segments, synced before Append returns. docs/formats/journal.md describes
// its files, what it assumes of the disk, and every state a crash can leave.
package journal
