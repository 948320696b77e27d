package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// answered is what came of one request under a load that expects anything.
type answered struct {
	status int  // 0: the connection ended before a whole head
	begun  bool // a byte of an answer came
	cut    bool
	sent   time.Duration // intended, since the load began
	took   time.Duration
}

// openLoopOf asks at a stated rate and keeps what came of each request. A client
// whose connection has ended connects anew, as clients do.
func openLoopOf(addr string, conns int, rate float64, d time.Duration) ([]answered, error) {
	var all []answered
	dr := &driver{addr: addr, rate: rate, last: d, note: func(a *answered) { all = append(all, *a) }}
	_, err := dr.load(conns)
	return all, err
}

// hearAny is hear for a load that expects anything.
func (d *driver) hearAny(c *connection) error {
	if len(c.in) == cap(c.in) {
		c.in = slices.Grow(c.in, cap(c.in))
	}
	n, err := unix.Read(c.fd, c.in[len(c.in):cap(c.in)])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return nil
	}
	ended := err != nil || n <= 0 // an error is the connection's end
	if !ended {
		c.in = c.in[:len(c.in)+n]
	}
	status, whole, closes, err := readAnswer(c.in)
	switch {
	case err != nil:
		return err
	case ended && !c.asked:
		return d.redial(c)
	case whole || ended:
		d.note(&answered{status: status, begun: len(c.in) > 0, cut: !whole, sent: c.intended.Sub(d.start), took: time.Since(c.intended)})
		d.free(c)
	}
	if ended || whole && closes {
		return d.redial(c)
	}
	return nil
}

// left reports whether the server has closed a connection that it was not asked
// over, as it may after a time.
func left(fd int) bool {
	n, _, err := unix.Recvfrom(fd, make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n == 0 || err != nil && !errors.Is(err, unix.EAGAIN)
}

func (d *driver) redial(c *connection) error {
	_ = c.conn.Close() // which ends its polling
	fresh, err := dial(d.addr)
	if err != nil {
		return err
	}
	c.conn, c.fd = fresh.conn, fresh.fd
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slices.Index(d.clients, c))}
	return unix.EpollCtl(d.poll, unix.EPOLL_CTL_ADD, c.fd, &event)
}

// readAnswer reads what has come of an answer.
func readAnswer(b []byte) (status int, whole, closes bool, err error) {
	head, body, ok := bytes.Cut(b, headEnd)
	if !ok {
		return 0, false, false, nil
	}
	if len(head) < len("HTTP/1.1 200") {
		return 0, false, false, fmt.Errorf("no answer: %s", head)
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, false, false, err
	}
	closes = bytes.Contains(head, []byte("\r\nConnection: close"))
	_, rest, ok := bytes.Cut(head, contentLength)
	if !ok {
		return status, false, closes, fmt.Errorf("no length: %s", head)
	}
	digits, _, _ := bytes.Cut(rest, headEnd[:2])
	length, err := strconv.Atoi(string(digits))
	return status, len(body) >= length, closes, err
}

// percentileOf is that of the answers which are meant, and how many they are.
func percentileOf(all []answered, p float64, meant func(*answered) bool) (time.Duration, int) {
	var f figures
	for i := range all {
		if meant(&all[i]) {
			f.latency = append(f.latency, all[i].took)
		}
	}
	slices.Sort(f.latency)
	return f.percentile(p), len(f.latency)
}
