package watch

import (
	"container/heap"
	"time"
)

// task is a check that is looked at, where it stands in the queues.
type task struct {
	Task
	when  time.Time // it is due: what comes first of
	next  time.Time // on the grid
	first time.Time // zero, or a look before it
	began time.Time // of the look under way

	queued  bool // waits or runs
	tardy   bool // the last look was slow
	bad     bool // the last look that learnt something was
	gone    bool
	lane    *lane
	skipped uint64
	place   int // in dues

	before, after *task // in a line
	in            *line
}

// at is when the check is to be looked at.
func (t *task) at() time.Time {
	if !t.first.IsZero() {
		return t.first
	}
	return t.next
}

// advance goes on to the next look after now and says how many it left out.
func (t *task) advance(now time.Time) uint64 {
	defer func() { t.when = t.at() }()
	if !t.first.IsZero() {
		t.first = time.Time{}
		if t.next.After(now) {
			return 0
		}
	}
	n := now.Sub(t.next)/t.Every + 1
	t.next = t.next.Add(n * t.Every)
	return uint64(n - 1) //nolint:gosec // the next look was due
}

// dues orders tasks by when they are due.
type dues struct{ heap dueHeap }

func (d *dues) push(t *task) { heap.Push(&d.heap, t) }
func (d *dues) fix(t *task)  { heap.Fix(&d.heap, t.place) }
func (d *dues) remove(t *task) {
	heap.Remove(&d.heap, t.place)
}

func (d *dues) first() *task {
	if len(d.heap) == 0 {
		return nil
	}
	return d.heap[0]
}

type dueHeap []*task

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].when.Before(h[j].when) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *dueHeap) Push(x any) {
	t := x.(*task)
	t.place = len(*h)
	*h = append(*h, t)
}

func (h *dueHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}

// lane is how many looks of one sort run, and what waits for them to end.
type lane struct {
	most, running int
	waiting       line
}

// next takes who waited longest.
func (l *lane) next() *task {
	for t := l.waiting.first; t != nil; t = l.waiting.first {
		l.waiting.remove(t)
		if !t.gone {
			return t
		}
	}
	return nil
}

// line is a list in the order of coming; a task is in one at most.
type line struct {
	first, last *task
	n           int
}

func (l *line) len() int { return l.n }

func (l *line) push(t *task) {
	t.in, t.before, t.after = l, l.last, nil
	if l.last != nil {
		l.last.after = t
	} else {
		l.first = t
	}
	l.last = t
	l.n++
}

func (l *line) remove(t *task) {
	if t.in != l {
		return
	}
	if t.before != nil {
		t.before.after = t.after
	} else {
		l.first = t.after
	}
	if t.after != nil {
		t.after.before = t.before
	} else {
		l.last = t.before
	}
	t.in, t.before, t.after = nil, nil, nil
	l.n--
}
