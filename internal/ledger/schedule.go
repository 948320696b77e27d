package ledger

import (
	"container/heap"

	"holdfast/internal/continuity"
)

// schedule knows which keys' first records can be claimed, by route. It is
// rebuilt at start and decides nothing that the state does not say: an entry
// that no longer fits is dropped when it comes up.
type schedule struct {
	routes []*routeSchedule // by the state's route number
}

type routeSchedule struct {
	ready   [continuity.Classes]fifo
	turns   [continuity.Classes]uint8 // of a class in a row, while lower ones wait
	delayed delays
	signal  chan struct{}
}

func (s *schedule) route(n uint16) *routeSchedule {
	for int(n) >= len(s.routes) {
		s.routes = append(s.routes, &routeSchedule{signal: make(chan struct{}, 1)})
	}
	return s.routes[n]
}

func (r *routeSchedule) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// lowerTurn is how often what stands below a class has its turn: one time in
// ten (rule 6.4).
const lowerTurn = 10

// pop takes the next key: of the highest class that waits, but for each tenth
// time, when the same is done with those below it.
func (r *routeSchedule) pop() (uint32, bool) {
	last := -1
	for c := range r.ready {
		if r.ready[c].n == 0 {
			continue
		}
		if last >= 0 {
			r.turns[last] = 0
		}
		last = c
		if r.turns[c]++; r.turns[c] < lowerTurn {
			break
		}
	}
	if last < 0 {
		return 0, false
	}
	r.turns[last] = min(r.turns[last], lowerTurn-1) // nobody waits below: the next who comes has its turn
	return r.ready[last].pop()
}

// fifo is a queue of slot references in chunks that are let go as they empty:
// four bytes a waiting key.
type fifo struct {
	chunks [][]uint32
	head   int // into the first chunk
	n      int
}

const fifoChunk = 4096

func (q *fifo) push(ref uint32) {
	if n := len(q.chunks); n == 0 || len(q.chunks[n-1]) == fifoChunk {
		q.chunks = append(q.chunks, make([]uint32, 0, fifoChunk))
	}
	last := &q.chunks[len(q.chunks)-1]
	*last = append(*last, ref)
	q.n++
}

func (q *fifo) pop() (uint32, bool) {
	if q.n == 0 {
		return 0, false
	}
	ref := q.chunks[0][q.head]
	q.head++
	q.n--
	if q.head == len(q.chunks[0]) && (q.n > 0 || q.head == fifoChunk) {
		q.chunks, q.head = q.chunks[1:], 0
	}
	return ref, true
}

type delay struct {
	until tick
	ref   uint32
}

// delays is a heap, the soonest first.
type delays []delay

func (d delays) Len() int           { return len(d) }
func (d delays) Less(i, j int) bool { return d[i].until < d[j].until }
func (d delays) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *delays) Push(x any)        { *d = append(*d, x.(delay)) }
func (d *delays) Pop() any {
	old := *d
	x := old[len(old)-1]
	*d = old[:len(old)-1]
	return x
}

// claimable says whether a slot can be handed out, once its time has come.
func claimable(t *slot) bool {
	return t.is(flagHead) && !t.is(flagClaimed) && (t.state() == continuity.Queued || t.state() == continuity.InDoubt)
}

// consider queues a key's first record, if it can be claimed.
func (l *Ledger) consider(ref uint32) {
	t := l.state.slots.at(ref)
	if !l.begun || t.is(flagReady) || !claimable(t) { // begin considers every key
		return
	}
	l.state.slots.edit(ref).flags |= flagReady
	r := l.schedule.route(t.route)
	if now := floorTick(l.now()); t.notBefore > now {
		heap.Push(&r.delayed, delay{until: t.notBefore, ref: ref})
	} else {
		r.ready[t.class()].push(ref)
	}
	r.wake()
}

// due moves what has waited long enough to the ready queue.
func (l *Ledger) due(r *routeSchedule) {
	now := floorTick(l.now())
	for len(r.delayed) > 0 && r.delayed[0].until <= now {
		ref := heap.Pop(&r.delayed).(delay).ref
		r.ready[l.state.slots.at(ref).class()].push(ref)
	}
}
