// Package control is a control node: it opens the state, the engines that plan
// and watch, and the API, in that order, and closes them in reverse.
//
// Several nodes may share one PostgreSQL. Each serves the API and looks for
// itself; the one that holds the lease "control" leads, and only it writes what
// was seen into the state. An engine hands what it does as the leader to
// whileLeading, and the lease it is given along to the store with each commit
// (Batch.Leader): a node that lost the lease without knowing it commits nothing.
//
// There is one file for each engine, with a method that opens it: a line in open,
// in control.go. It takes what it needs from Node, sets its field of Node.api,
// and pushes its closing. What an engine needs more stands in files that begin with
// its name (checks_open.go opens the checks); desks.go shows engines' values to the
// API where their own methods don't. probe.go is a probe node, which is no Node.
package control
