// Package reconcile compares a route's records with the upstream's own list,
// read by a query from the upstream's own database: what was delivered and is
// missing there, what is there more often than it was delivered, what differs,
// and what is there although here it never was delivered.
//
// It covers records. Things in the upstream's list under keys that no record
// has were passed, not kept; they are counted and left alone.
//
// Invariants:
//
//   - Nothing is ever written to the upstream: SQLite is opened with mode=ro,
//     PostgreSQL with a read-only transaction and a statement time-out.
//   - Amounts are exact decimals; 12.5 equals 12.50.
//   - The list is streamed; memory is bounded by the records compared, and by a
//     limit on rows. A list that was not read to its end gives no report.
//   - No part of a DSN appears in an error or a log.
package reconcile
