// Package tally counts things and sums their hashes so that the order in which they
// come does not matter: the figures by which restored data is known again.
package tally
