// Package figures takes the figures by which data that an upgrade works with is known:
// rows, hash totals that don't hang on the order of rows, and values of queries, all of
// one moment. Exact numbers are written alike whichever type a migration gave them.
package figures
