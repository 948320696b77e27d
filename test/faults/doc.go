// Package faults proves that the suites would notice. It seeds one fault at a
// time into the product's source, by an overlay that leaves the files alone,
// and runs the suite that must catch it: a suite that stays green fails.
package faults
