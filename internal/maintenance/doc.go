// Package maintenance leads a service through the times in which it is worked on:
// windows are proposed where they disturb least, announced step by step, begun when
// all is ready, and brought to an end that was checked.
//
// A window is one object, and its state names the phase that it is in. Each phase is
// a function of the window, the plan and the time (see phases): it changes the
// window and asks for what is to become true with it. The engine does nothing else,
// so that a new one over the same store goes on where the last one was killed: a
// step is told in the transaction that writes that it was.
//
// What people do to windows is in Acts, by the same functions.
package maintenance
