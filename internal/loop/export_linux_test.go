package loop

import "golang.org/x/sys/unix"

// RefuseNext has the kernel refuse to watch the next n sockets, as it does where
// its user watches as many as may be.
func RefuseNext(n int) (restore func()) {
	before := watch
	watch = func(epfd, fd int, ev *unix.EpollEvent) error {
		if n--; n >= 0 {
			return unix.ENOSPC
		}
		return before(epfd, fd, ev)
	}
	return func() { watch = before }
}
