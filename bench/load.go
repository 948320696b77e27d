package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const bodyBytes = 1024

// figures are what one round of load showed.
type figures struct {
	requests int
	took     time.Duration
	latency  []time.Duration // sorted; empty for a closed loop
}

func (f figures) rate() float64 { return float64(f.requests) / f.took.Seconds() }

func (f figures) percentile(p float64) time.Duration {
	if len(f.latency) == 0 {
		return 0
	}
	return f.latency[min(len(f.latency)-1, int(p*float64(len(f.latency))))]
}

var serial atomic.Int64

var padding = bytes.Repeat([]byte("x"), bodyBytes)

// appendPost writes one order: 1 KB, one of 10,000 keys, an Idempotency-Key of
// its own.
func appendPost(b []byte, host string, order func([]byte, int64) []byte) []byte {
	n := serial.Add(1)
	b = append(b, "POST /orders HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\nContent-Type: application/json\r\nIdempotency-Key: bench-"...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, "\r\nContent-Length: 1024\r\n\r\n"...)
	if order != nil {
		return order(b, n)
	}
	return appendOrder(b, n)
}

func appendOrder(b []byte, n int64) []byte {
	start := len(b)
	b = append(b, `{"order_no":"N`...)
	b = strconv.AppendInt(b, n%10000, 10)
	b = append(b, `","note":"`...)
	b = append(b, padding[:bodyBytes-2-(len(b)-start)]...)
	return append(b, `"}`...)
}

// connection is one client. The load comes from one thread with a poll of its
// own, for goroutines would take more of the cores that the server needs too,
// and their timers are no finer than a millisecond.
type connection struct {
	conn     *net.TCPConn
	fd       int
	asked    bool // and not answered yet
	intended time.Time
	in, out  []byte
}

// closed has every connection ask again as soon as it has been answered.
func closed(addr string, conns int, d time.Duration) (figures, error) {
	return drive(addr, conns, 0, d)
}

// openLoop asks at a stated rate, whether or not answers come; latency counts
// from the intended time.
func openLoop(addr string, conns int, rate float64, d time.Duration) (figures, error) {
	return drive(addr, conns, rate, d)
}

type driver struct {
	addr    string
	poll    int
	clients []*connection
	idle    []*connection
	rate    float64 // 0: as fast as it goes
	start   time.Time
	last    time.Duration
	asked   int
	figures figures
	note    func(*answered) // nil: whatever is no 202 ends the round
	order   func([]byte, int64) []byte
	ended   atomic.Bool // nothing is asked any more
}

func drive(addr string, conns int, rate float64, d time.Duration) (figures, error) {
	return (&driver{addr: addr, rate: rate, last: d}).load(conns)
}

func (dr *driver) load(conns int) (figures, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	poll, err := unix.EpollCreate1(0)
	if err != nil {
		return figures{}, err
	}
	defer unix.Close(poll)
	dr.poll = poll
	defer func() {
		for _, c := range dr.clients {
			c.conn.Close()
		}
	}()
	for n := range conns {
		c, err := dial(dr.addr)
		if err != nil {
			return figures{}, err
		}
		dr.clients, dr.idle = append(dr.clients, c), append(dr.idle, c)
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(n)}
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, c.fd, &event); err != nil {
			return figures{}, err
		}
	}
	dr.start = time.Now()
	if err := dr.run(); err != nil {
		return figures{}, err
	}
	dr.figures.took = time.Since(dr.start)
	slices.Sort(dr.figures.latency)
	return dr.figures, nil
}

func dial(addr string) (*connection, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &connection{conn: conn.(*net.TCPConn), in: make([]byte, 0, 4096)}
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return c, raw.Control(func(fd uintptr) { c.fd = int(fd) })
}

// due is when the next request is to be sent, and whether there is one.
func (d *driver) due(now time.Time) (at time.Time, more bool) {
	if d.ended.Load() {
		return now, false
	}
	if d.rate == 0 {
		return now, now.Sub(d.start) < d.last
	}
	after := time.Duration(float64(d.asked+1) / d.rate * float64(time.Second))
	return d.start.Add(after), after < d.last
}

func (d *driver) run() error {
	events := make([]unix.EpollEvent, len(d.clients))
	for {
		now := time.Now()
		at, more := d.due(now)
		for ; more && len(d.idle) > 0 && !at.After(now); at, more = d.due(now) {
			if err := d.ask(at); err != nil {
				return err
			}
		}
		if !more && len(d.idle) == len(d.clients) {
			return nil
		}
		wait := patient
		if more && len(d.idle) > 0 {
			wait = max(0, time.Until(at))
		}
		timeout := unix.NsecToTimespec(int64(wait))
		n, err := pollWait(d.poll, events, &timeout)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if err == nil && n == 0 && wait == patient {
			return errors.New("the server does not answer")
		}
		for _, e := range events[:max(n, 0)] {
			if err := d.hear(d.clients[e.Fd]); err != nil {
				return err
			}
		}
	}
}

func (d *driver) ask(at time.Time) error {
	c := d.idle[len(d.idle)-1]
	d.idle = d.idle[:len(d.idle)-1]
	d.asked++
	c.intended, c.asked = at, true
	c.out = appendPost(c.out[:0], d.addr, d.order)
	if d.note != nil && left(c.fd) {
		if err := d.redial(c); err != nil {
			return err
		}
	}
	n, err := unix.Write(c.fd, c.out)
	if err == nil && n < len(c.out) {
		err = errors.New("a request did not fit into the socket")
	}
	return err
}

func (d *driver) hear(c *connection) error {
	if d.note != nil {
		return d.hearAny(c)
	}
	n, err := unix.Read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return err
	case n == 0:
		return errors.New("the server closed a connection")
	}
	c.in = c.in[:len(c.in)+n]
	whole, err := accepted(c.in)
	if err != nil || !whole {
		return err
	}
	d.free(c)
	return nil
}

// free makes a connection that has been answered ready for the next request.
func (d *driver) free(c *connection) {
	c.in, c.asked = c.in[:0], false
	d.figures.requests++
	if d.rate > 0 {
		d.figures.latency = append(d.figures.latency, time.Since(c.intended))
	}
	d.idle = append(d.idle, c)
}

var (
	headEnd       = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
	lowerLength   = []byte("\r\ncontent-length: ") // HAProxy's
)

// accepted reports whether a whole answer has come, which must be a 202, or a
// 200 from the upstream.
func accepted(b []byte) (whole bool, err error) {
	head, body, ok := bytes.Cut(b, headEnd)
	if !ok {
		return false, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 202 ")) && !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return false, fmt.Errorf("answered %s", b)
	}
	_, rest, ok := bytes.Cut(head, contentLength)
	if !ok {
		_, rest, ok = bytes.Cut(head, lowerLength)
	}
	if !ok {
		return false, fmt.Errorf("no length: %s", head)
	}
	digits, _, _ := bytes.Cut(rest, headEnd[:2])
	length, err := strconv.Atoi(string(digits))
	return len(body) >= length, err
}
