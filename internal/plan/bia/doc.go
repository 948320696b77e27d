// Package bia reads a business impact analysis from a spreadsheet (XLSX), as
// departments fill it in: one row for each process, with its department, how
// long it may be down (MTD), in which time it has to be back (RTO), how much of
// its data may be lost (RPO), and what an hour costs.
//
// Headings may be Chinese or English, over one row or two, below titles and
// notes; columns may stand in any order, cells may be merged, and several
// sheets may each hold a part. What a cell shows is what counts: formulas are
// not computed, their stored results are read.
//
// Nothing is guessed. A number without a unit, a range, money without a
// currency is a Problem with sheet, cell and advice. A file is looked through
// before it is read (bounds.go), so that one made to exhaust the machine is
// refused.
package bia
