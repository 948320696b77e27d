package http1

import "golang.org/x/sys/unix"

// hungUp reports whether the peer has closed its side, which bytes that wait to
// be read would hide from a look at the socket: an encrypted connection ends
// with some.
func hungUp(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	const closeWait = 8 // TCP_CLOSE_WAIT in linux/tcp_states.h
	return err == nil && info.State == closeWait
}
