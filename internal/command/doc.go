// Package command runs programs of this machine that somebody allowed beforehand. The
// arguments are fixed but for whole elements that stand for a parameter, whose value
// has to fit a pattern: no shell is involved, and nothing is put together.
//
// A program gets a user, a folder and an environment of its own, bounds of processor
// time, memory, processes, open files and of what it writes, and a time after which it is
// ended with everything that it started, whatever group, session or environment that
// has. It dies with Holdfast, with all of that. Where what watches over it was killed,
// what it started is found by a name in its environment and ended when the attempt is
// looked at again.
//
// This program is started in the place of the other twice: once to watch over it, as the
// parent to whom all that loses its own falls, and once to set the bounds and become it.
// Main has to be called first thing.
package command
