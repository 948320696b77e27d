// Package watch looks at what it is given again and again, and makes of single
// looks what is held to be true of a service.
//
// A Scheduler looks: each check in its own phase, bounded, the slow ones in a
// lane of their own. A Board judges: one node's looks at one check are a Trend;
// down needs N of the last M looks, up again K good ones in a row; what keeps
// changing has to be good for longer each time. A look that learnt nothing counts
// for neither side. Where nothing was learnt for M looks, or nothing at all came
// for twice the interval and the time-out, the state is unknown: it is never up
// for want of bad news.
//
// Several nodes' states become one by Agree: more than half of the nodes have to
// say the same. A node that can't reach its own anchors is isolated; what it says
// counts as unknown, as it can't tell its own fault from the service's. Results
// that say down are believed only after a look at the anchors that began later.
//
// A Keeper writes verdicts into the node's state when they change, and only on
// the node that leads. Statuses makes of checks how components and services fare.
package watch
