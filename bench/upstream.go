package main

import (
	"bytes"
	"errors"
	"net"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// buffers are a reverse proxy's, used again.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

var (
	stuckOrder = []byte(`{"order_no":"P`) // of a key that the upstream never takes
	created    = append([]byte("HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n"), bytes.Repeat([]byte("y"), 200)...)
	later      = []byte("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
)

// serveUpstream is the system behind all proxies: one thread with a poll of its
// own, which answers 200 with 200 bytes to whatever has a body of 1 KB.
func serveUpstream(ln *net.TCPListener) error {
	file, err := ln.File()
	if err != nil {
		return err
	}
	defer file.Close()
	listener := int(file.Fd()) // blocking from here on
	if err := unix.SetNonblock(listener, true); err != nil {
		return err
	}
	runtime.LockOSThread()
	poll, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	watch := func(fd int) error {
		return unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
	}
	if err := watch(listener); err != nil {
		return err
	}
	conns := map[int]*[]byte{}
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := pollWait(poll, events, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			if fd == listener {
				if fd, _, err = unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC); err != nil {
					continue
				}
				_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // only faster
				b := make([]byte, 0, 16<<10)
				conns[fd] = &b
				if err := watch(fd); err != nil {
					return err
				}
				continue
			}
			b := conns[fd]
			n, err := unix.Read(fd, (*b)[len(*b):cap(*b)])
			switch {
			case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
				continue
			case err != nil || n == 0:
				delete(conns, fd)
				_ = unix.Close(fd) // nobody is there
				continue
			}
			*b = (*b)[:len(*b)+n]
			at := bytes.Index(*b, headEnd)
			if at < 0 || len(*b)-at-len(headEnd) < bodyBytes {
				continue
			}
			text := created
			if bytes.HasPrefix((*b)[at+len(headEnd):], stuckOrder) {
				text = later
			}
			*b = (*b)[:0]
			_, _ = unix.Write(fd, text) // who is gone is seen by the next read
		}
	}
}
