// Package command runs programs of this machine that somebody allowed beforehand. The
// arguments are fixed but for whole elements that stand for a parameter, whose value
// has to fit a pattern: no shell is involved, and nothing is put together.
//
// A program gets a user, a folder and an environment of its own, bounds of processor
// time, memory, open files and of what it writes, and a time after which it is ended
// with everything that it started, also what left its process group. It dies with
// Holdfast; what it started is found by a name in its environment and ended when the
// attempt is looked at again.
//
// The bounds are set by this program itself, which is started in the place of the
// other, sets them and becomes it: Main has to be called first thing.
package command
