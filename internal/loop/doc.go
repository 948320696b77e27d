// Package loop lets many connections share a thread. A [Group] has a few poll
// loops, each with an epoll instance of its own; each connection is served by a
// [Task], ordinary code that runs as a coroutine of its loop. Where that code
// would wait for a socket it gives the thread back to the loop, which goes on
// with whoever is ready: no scheduler, no wake-up of another thread, and no
// read that finds nothing.
//
// # Who owns what
//
// At any time one goroutine owns a loop: it polls, keeps the timers and resumes
// tasks. What it resumes runs its turn until it waits. A task uses its own
// connections only, and others reach it only by [Task.Wake] and [Conn.Nudge],
// which go through the loop's inbox.
//
// # Tasks that block
//
// A task may wait in any other way too: for a lock, a channel, a file. A loop
// behind it would stand still, so the loop is handed over: at once where the
// task announces it by [Task.Block], and otherwise by a watcher that finds the
// same turn still on after a few milliseconds. Another goroutine owns the loop
// then; the task goes on where it is, as an ordinary goroutine, and returns to
// its loop when it next waits for a socket or for a Wake.
//
// # Fairness
//
// A task that always finds its sockets ready lets others go first after a
// bounded number of reads and writes. Connections stay with the loop that got
// them.
//
// # Time
//
// Deadlines are measured by the clock of the loop, read once a round. Each task
// has one timer, which moves only when a deadline comes closer.
//
// Elsewhere than on Linux there are no loops, and [NewGroup] says so.
package loop
