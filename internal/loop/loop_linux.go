package loop

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// base is when all clocks of loops began.
var base = time.Now()

// Loop is one poll loop.
type Loop struct {
	group  *Group
	epfd   int
	evfd   int
	number int

	// state is odd during a turn, and never has the same odd value twice: whoever
	// moves it on from that value owns the loop.
	state atomic.Uint64
	clock atomic.Int64

	// The owner's alone.
	ready  []*Task
	first  int // of ready that has not had its turn
	timers timers
	events []unix.EpollEvent
	spare  []letter
	ended  bool
	polite int64 // when other goroutines of this processor could last run

	mu       sync.Mutex
	inbox    []letter
	slots    []slot
	free     []int32
	filled   atomic.Bool // there is something in inbox
	sleeping atomic.Bool

	waking sync.Mutex // of evfd, which the loop closes when it ends
}

// politely is how long a busy loop may keep other goroutines that came to its
// processor from running, if no other processor takes them over. That is rare, and
// each look wakes another thread, which as often as not takes the loop with it.
const politely = time.Millisecond

// letter is what others have to tell the owner of a loop.
type letter struct {
	t    *Task // nil: the loop ends
	what uint8
}

const (
	letterReady  = iota // a new task, or one that was elsewhere and waits again
	letterWake          // look at what it waits for
	letterNudge         // resume it whatever it waits for
	letterEnd           // the loop ends
	letterLeaves        // a task that was elsewhere has ended
)

// slot finds a connection by its number in the epoll instance. A slot is used
// again, so events carry how often it was.
type slot struct {
	conn *Conn
	used int32
}

func newLoop(g *Group, number int) (*Loop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	evfd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epfd)
		return nil, err
	}
	l := &Loop{group: g, epfd: epfd, evfd: evfd, number: number, events: make([]unix.EpollEvent, 128)}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: -1}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, evfd, &ev); err != nil {
		unix.Close(epfd)
		unix.Close(evfd)
		return nil, err
	}
	l.clock.Store(int64(time.Since(base)))
	return l, nil
}

// Now is the loop's clock.
func (l *Loop) Now() int64 { return l.clock.Load() }

// Time is the loop's clock as a time.
func (l *Loop) Time() time.Time { return base.Add(time.Duration(l.clock.Load())) }

// Late is how long ago the loop last looked at its sockets.
func (l *Loop) Late() time.Duration { return time.Since(base) - time.Duration(l.clock.Load()) }

// post puts a letter into the inbox, and wakes the loop if it sleeps.
func (l *Loop) post(m letter) {
	l.mu.Lock()
	l.inbox = append(l.inbox, m)
	l.filled.Store(true)
	l.mu.Unlock()
	if l.sleeping.Load() && l.sleeping.Swap(false) {
		one := [8]byte{1}
		l.waking.Lock() // not mu, which the loop asks for as soon as it wakes
		_, _ = unix.Write(l.evfd, one[:])
		l.waking.Unlock()
	}
}

// own runs the loop until it ends or is handed over.
func (l *Loop) own() {
	for {
		if l.filled.Load() {
			l.read()
		}
		if l.ended {
			l.close()
			return
		}
		l.poll()
		l.ring()
		for n := len(l.ready); l.first < n; {
			t := l.ready[l.first]
			l.ready[l.first] = nil
			l.first++
			if !l.turn(t) {
				return
			}
		}
		if l.first == len(l.ready) {
			l.ready, l.first = l.ready[:0], 0
		} else if l.first > 1024 {
			n := copy(l.ready, l.ready[l.first:])
			clear(l.ready[n:])
			l.ready, l.first = l.ready[:n], 0
		}
		if now := l.clock.Load(); now-l.polite > int64(politely) {
			l.polite = now
			runtime.Gosched()
		}
	}
}

// turn lets a task run. It reports whether the loop is still ours afterwards; if
// not, nothing of it may be touched.
func (l *Loop) turn(t *Task) (mine bool) {
	state := l.state.Load() + 1
	t.turn = state
	l.state.Store(state)
	done := false
	defer func() {
		if !done && l.state.CompareAndSwap(state, state+1) {
			go l.own() // the task called runtime.Goexit, which ends this goroutine too
		}
	}()
	_, more := t.next()
	done = true
	if !l.state.CompareAndSwap(state, state+1) {
		what := uint8(letterReady)
		if !more {
			what = letterLeaves
		}
		l.post(letter{t, what})
		return false
	}
	if !more {
		l.timers.drop(t)
		return true
	}
	l.settle(t)
	return true
}

// handOver gives the loop to another goroutine if the turn is still on.
func (l *Loop) handOver(turn uint64) {
	if turn&1 == 1 && l.state.CompareAndSwap(turn, turn+1) {
		go l.own()
	}
}

// settle deals with a task that has given its thread back.
func (l *Loop) settle(t *Task) {
	if t.satisfied() {
		l.ready = append(l.ready, t)
		return
	}
	t.parked = true
	l.timers.arm(t)
}

func (l *Loop) resume(t *Task) {
	if t.parked {
		t.parked = false
		l.ready = append(l.ready, t)
	}
}

// read empties the inbox.
func (l *Loop) read() {
	l.mu.Lock()
	l.spare, l.inbox = l.inbox, l.spare[:0]
	l.filled.Store(false)
	l.mu.Unlock()
	for _, m := range l.spare {
		switch m.what {
		case letterReady:
			l.settle(m.t)
		case letterWake:
			if m.t.parked && m.t.satisfied() {
				l.resume(m.t)
			}
		case letterNudge:
			l.resume(m.t)
		case letterLeaves:
			l.timers.drop(m.t)
		case letterEnd:
			l.ended = true
		}
	}
	clear(l.spare)
}

// poll waits for sockets: not at all while there is something to do.
func (l *Loop) poll() {
	n := l.look()
	if n == 0 && l.first == len(l.ready) {
		l.sleeping.Store(true)
		if l.filled.Load() {
			l.sleeping.Store(false)
			return
		}
		n = l.sleep()
		l.sleeping.Store(false)
		l.group.active()
	}
	l.clock.Store(int64(time.Since(base)))
	if n == 0 {
		return
	}
	l.mu.Lock()
	for i := range l.events[:n] {
		ev := &l.events[i]
		if ev.Fd < 0 {
			continue // only to end the sleep; edge-triggered, its count may grow
		}
		s := &l.slots[ev.Fd]
		if s.used != ev.Pad || s.conn == nil {
			continue
		}
		l.event(s.conn, ev.Events)
	}
	l.mu.Unlock()
}

func (l *Loop) event(c *Conn, events uint32) {
	var bits uint32
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		bits |= canRead
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		bits |= canWrite
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		bits |= hungUp
	}
	c.flags.Or(bits)
	if t := c.task.Load(); t != nil && t.parked && t.want == wantIO && t.conn == c && t.bits&bits != 0 {
		l.resume(t)
	}
}

// ring resumes tasks whose time is up. A timer that rang early is set again.
func (l *Loop) ring() {
	now := l.clock.Load()
	for t := l.timers.due(now); t != nil; t = l.timers.due(now) {
		switch {
		case !t.parked || t.deadline == 0:
		case t.deadline <= now:
			l.resume(t)
		default:
			l.timers.arm(t)
		}
	}
}

// patience is how long the loop may sleep, in milliseconds.
func (l *Loop) patience() int {
	next := l.timers.next()
	if next == 0 {
		return -1
	}
	left := time.Duration(next - int64(time.Since(base)))
	return int(max(0, (left+time.Millisecond-1)/time.Millisecond))
}

func (l *Loop) close() {
	unix.Close(l.epfd)
	l.waking.Lock()
	defer l.waking.Unlock()
	unix.Close(l.evfd)
	l.evfd = -1
}

// watch adds a socket to an epoll instance; a test has it fail.
var watch = func(epfd, fd int, ev *unix.EpollEvent) error {
	return unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, ev)
}

// enrol makes c known to the epoll instance.
func (l *Loop) enrol(c *Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		c.slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		c.slot = int32(len(l.slots))
		l.slots = append(l.slots, slot{})
	}
	s := &l.slots[c.slot]
	s.conn = c
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: c.slot, Pad: s.used}
	if err := watch(l.epfd, c.fd, &ev); err != nil {
		l.strikeLocked(c)
		return err
	}
	return nil
}

// strike forgets c; its descriptor is closed or leaves.
func (l *Loop) strike(c *Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strikeLocked(c)
}

func (l *Loop) strikeLocked(c *Conn) {
	s := &l.slots[c.slot]
	s.conn = nil
	s.used++
	l.free = append(l.free, c.slot)
}
