// Package planbook keeps a node's plans: which versions there are, who wrote,
// read and approved them, which one of each service holds, and what of it needs
// looking after.
//
// A plan becomes a version by Submit and holds by Submit or Apply:
//
//	texts ── read and checked ──► draft ── approved, part by part ──► applied ──► replaced
//
// Invariants:
//
//   - Nothing of a plan that has a mistake is stored.
//   - A version says which applied version its texts were written from, and holds
//     only in that one's place. Of several that started from one, the first wins;
//     the others are told what changed meanwhile, and what of it they would undo.
//   - The business part (X.yaml) and the technical part (X.tech.yaml with the files
//     it names) are approved apart, each only where it changed, and never by who
//     wrote the version. Who may approve which is the scopes' business.
//   - What was applied stays in force as far as it can be read, whatever a later
//     program or a later list of people finds wrong with it; that is a flag.
//   - Texts come back byte by byte.
//
// The store is the truth; the book in memory follows it, also what other nodes
// apply, by the events. Engines read the book: Current says what holds, and when
// something else does.
package planbook
