// Package binding says what the words of a plan mean to the engines: it makes
// their specs of a plan's values, and names what an engine refuses by file, line
// and column. Everything here is a pure function of a plan: nothing runs, dials,
// looks at a clock or reads a file, so that `plan check` without a node and
// `plan apply` on one refuse the same. What hangs on a node's channels and people
// (channels.go, reach.go) is asked of who calls.
//
// Each engine has a file of its own, with functions that make its specs and one
// that reports what it refuses; the latter stands in the table of check.go.
//
// A plan that was applied once stays in force as far as it can be read, also
// where a newer program refuses some of it. So specs are made entry by entry:
// what is refused is left out, and the rest goes on.
package binding
