// Package sqlite backs up one SQLite database while programs write to it.
//
// A full piece is every page of one moment. A delta is the pages that are not as they
// were in the piece before, by their hashes in the spool. Which pages may have changed is
// read from the write-ahead log while that goes on from where it was, so that a delta can
// be taken each second; after the log began anew, and without one, all pages are looked
// at. The source is only read, through SQLite and under its locks; where it has no
// write-ahead log, its writers wait while pages are read into the spool, and never for a
// target.
//
// Every piece has a figure over its pages; full ones, and from time to time deltas, have
// those of tables, too.
package sqlite
