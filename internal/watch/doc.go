// Package watch makes of single looks what is held to be true of a service.
//
// One node's looks at one check are a Trend: down needs N of the last M looks,
// up again K good ones in a row; what keeps changing has to be good for longer
// each time. A look that learnt nothing counts for neither side, and where
// nothing was learnt for M looks the state is unknown: it is never up for want of
// bad news.
//
// Several nodes' states become one by Agree: more than half of the nodes have to
// say the same. A node that can't reach its own anchors is isolated; what it says
// counts as unknown, as it can't tell its own fault from the service's.
package watch
