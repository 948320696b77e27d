package bia

import (
	"time"

	"holdfast/internal/catalogue"
)

// Row is what a sheet says of one process.
type Row struct {
	Sheet                    string
	Line                     int
	At                       string // the cell that names the process
	Department, Process      string
	MTD, RTO, RPO            Span
	Loss                     Loss
	OverTime                 []Stage // in the order of time
	Effects, Needs, Meantime string  // in the sheet's words
	Owner                    string
}

// Span is a time that a sheet says, or doesn't.
type Span struct {
	time.Duration
	Said bool
}

// Money is an amount in ten-thousandths of its currency's unit.
type Money struct {
	Parts    int64
	Currency string
}

// Loss is money over time; Per is zero where none is said.
type Loss struct {
	Money
	Per time.Duration
}

// Stage is what an outage has cost after a time.
type Stage struct {
	After time.Duration
	Money
}

// Problem is what can't be read, and where.
type Problem struct {
	Sheet, Cell string // empty: it concerns all of the file or the sheet
	ID          string
	Args        catalogue.Args
}

// Message says where, what, and what to do.
func (p Problem) Message(lang catalogue.Lang) string {
	text := catalogue.Text(lang, p.ID, p.Args)
	switch {
	case p.Cell != "":
		return catalogue.Text(lang, "bia.at-cell", catalogue.Args{"sheet": p.Sheet, "cell": p.Cell, "text": text})
	case p.Sheet != "":
		return catalogue.Text(lang, "bia.at-sheet", catalogue.Args{"sheet": p.Sheet, "text": text})
	}
	return text
}
