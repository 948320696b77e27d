// Package replace puts a new version of the real program in the place of a
// running one, under load.
package replace
