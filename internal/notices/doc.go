// Package notices turns what providers announce into proposals that a person
// confirms: a window of maintenance, or a warning of trouble.
//
// A source is a place where a provider tells: a status page's JSON, a feed, a
// calendar, a web page, a mailbox. Each kind is a package here with New, and a
// line in notices/kinds. A source gives Items; package extract reads what they
// say; the Desk keeps a proposal of each.
//
// Invariants:
//
//   - Nothing is raised and no window counts before a person confirmed it, and
//     what could not be read has to be filled in first.
//   - One announcement is one proposal, whichever way and however often it comes:
//     by its key in the source, else by its content.
//   - What the provider changes of a confirmed one asks the person again; what
//     was confirmed holds until they answer.
//   - A source that can't be read is not one without news: its state is failing,
//     or unknown, and it is shown.
//   - A source is read by one node at a time: its timer in the store says when,
//     bears where reading goes on, and ends in one transaction with what was
//     found.
package notices
