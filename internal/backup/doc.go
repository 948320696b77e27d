// Package backup says what a backup is, apart from where it lies and what it is of:
// names, manifests, chains of pieces and what is wrong with them, which ones are kept,
// which one brings a moment back.
//
// A backup of a data set is a full piece, deltas after it, and pieces of a log. Each
// piece is one file with a signed manifest beside it, which is written last: a file
// without one is nothing. A piece is proven once it was restored elsewhere and the
// figures that were taken when it was captured were found again.
//
// A driver knows one kind of data. It never sees keys, targets or files of backups:
// it writes and reads plain streams.
package backup
