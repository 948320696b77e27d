// Package store keeps the control plane's state in a SQLite file or in
// PostgreSQL, by the same SQL. It is the only room that speaks to that database;
// it decides nothing about what the state means.
//
// State is objects of a kind, with an id, a version and a JSON body. Whatever
// changes them goes through Commit: in one transaction the changes, one audit
// event for each, and the timers that belong to them.
//
// Invariants:
//
//   - Every change of an object has exactly one event, in the same transaction;
//     the object's version is that event's number.
//   - Events form one chain of hashes, whoever writes: a commit first locks the
//     head of the chain. So numbers have no gaps and become visible in their
//     order, and who has read up to n never misses one by going on at n+1.
//   - A commit is durable when it has returned: SQLite syncs its log at each
//     commit, and PostgreSQL is not let off it.
//   - A timer's effect in the store happens once: who claims it gets a fence, and
//     a commit that ends a timer under an older fence changes nothing.
//   - Migrations go forward only, and a node refuses a database that a newer
//     program has migrated.
//
// Expected failures have codes: CodeVersion where somebody else was faster,
// CodeNotFound, CodeInvalid, CodeStateFull, CodeDatabase, CodeArchive. After
// CodeDatabase a commit may have happened: the object's version tells.
package store
