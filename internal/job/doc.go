// Package job does what was put off to a time: it claims the timers of the
// control plane's store that are due and hands each to the handler of its kind.
//
// Several nodes share the timers. While a handler works, its claim is renewed; a
// node that dies holds a timer up for one lease. What a handler made becomes true
// in one transaction with the end of its timer, or, where the timer was lost
// meanwhile, not at all. Effects outside the store may happen again after a crash:
// derive their ids from the timer's, which stays the same.
package job
