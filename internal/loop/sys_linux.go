package loop

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What does not block goes past the runtime's books about system calls, which
// would cost as much as a coroutine's switch.

// look polls without waiting.
func (l *Loop) look() int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// sleep polls until something comes or the next timer rings.
func (l *Loop) sleep() int {
	n, err := unix.EpollWait(l.epfd, l.events, l.patience())
	if err != nil {
		return 0 // EINTR
	}
	return n
}

func read(fd int, p []byte) (int, syscall.Errno) {
	for {
		if raced {
			n, err := syscall.Read(fd, p)
			if errno := number(err); errno != unix.EINTR {
				return n, errno
			}
			continue
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func write(fd int, p []byte) (int, syscall.Errno) {
	for {
		if raced {
			n, err := syscall.Write(fd, p)
			if errno := number(err); errno != unix.EINTR {
				return n, errno
			}
			continue
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func number(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return unix.EIO
	}
	return errno
}
