package loop

import (
	"context"
	"iter"
	"sync/atomic"
)

// what a task waits for when it gives its thread back.
type want uint8

const (
	wantTurn want = iota // only that others go first
	wantIO               // one of bits on conn
	wantWake             // a Wake
)

// Task is what runs on a loop. It is a continuity.Waiter. Except for Wake, its
// methods are for the code that it runs.
type Task struct {
	loop  *Loop
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	own   context.Context

	// Set by the task before it gives its thread back, read by the loop's owner.
	want     want
	conn     *Conn
	bits     uint32
	deadline int64 // when it wants to go on anyway; 0: never

	turn   uint64 // the loop's state during its present turn
	spent  int    // reads and writes in this turn
	permit atomic.Bool
	nudged atomic.Bool // since it was last resumed

	// The loop's owner's alone.
	parked bool
	place  int   // in the timers, from 1; 0: not there
	rings  int64 // when its timer rings
}

func (l *Loop) newTask(f func(*Task)) *Task {
	t := &Task{loop: l}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f(t)
	})
	return t
}

// Own names the context whose end is followed by a Nudge, so that waits need not
// watch it otherwise.
func (t *Task) Own(ctx context.Context) { t.own = ctx }

// Owns reports whether ctx was named so.
func (t *Task) Owns(ctx context.Context) bool { return t.own == ctx }

// Loop returns where the task runs.
func (t *Task) Loop() *Loop { return t.loop }

// park gives the thread back until the task is resumed, which may be for no
// reason.
func (t *Task) park(w want, c *Conn, bits uint32, deadline int64) {
	t.want, t.conn, t.bits, t.deadline = w, c, bits, deadline
	t.yield(struct{}{})
	t.nudged.Store(false) // before it looks
	t.spent = 0
}

// Wait implements continuity.Waiter.
func (t *Task) Wait() { t.WaitUntil(0) }

// WaitUntil is Wait that ends at a time of the loop's clock.
func (t *Task) WaitUntil(deadline int64) {
	if !t.permit.Load() {
		t.park(wantWake, nil, 0, deadline)
	}
	t.permit.Store(false)
}

// Wake implements continuity.Waiter.
func (t *Task) Wake() {
	if !t.permit.Swap(true) {
		t.loop.post(letter{t, letterWake})
	}
}

// Block implements continuity.Waiter.
func (t *Task) Block() { t.loop.handOver(t.turn) }

// spend counts a read or write and lets others go first when there were many.
func (t *Task) spend() {
	if t.spent++; t.spent >= turnLength {
		t.park(wantTurn, nil, 0, 0)
	}
}

// turnLength is how many reads and writes a task may do before others go first.
const turnLength = 64

// satisfied reports whether what the task waits for is there.
func (t *Task) satisfied() bool {
	if t.nudged.Load() {
		return true
	}
	switch t.want {
	case wantIO:
		return t.conn.flags.Load()&t.bits != 0
	case wantWake:
		return t.permit.Load()
	}
	return true
}

// Nudge has the task look again at what it waits for; anyone may call it. It
// reaches also a task that is just about to wait.
func (t *Task) Nudge() {
	t.nudged.Store(true)
	t.loop.post(letter{t, letterNudge})
}
