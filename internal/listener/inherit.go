package listener

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// The environment by which a service manager hands over sockets (systemd's
// sd_listen_fds), from descriptor 3 on.
const (
	handedCount = "LISTEN_FDS"
	handedTo    = "LISTEN_PID"
	handedNames = "LISTEN_FDNAMES"
	firstHanded = 3
	mostHanded  = 64
)

// left is the variable by which a program leaves its sockets to the one that
// takes its place: the process, a colon, and descriptors with commas between.
const left = "HOLDFAST_SOCKETS"

// Inheritance holds listening sockets that were open when the program began. A
// connection that comes before somebody accepts it waits in them, so nobody is
// refused while one program takes the place of another.
type Inheritance struct {
	mu   sync.Mutex
	open []net.Listener
}

// Inherit takes over the sockets that the environment names, and takes their
// names out of it. It must be called once, before other files are opened.
func Inherit() (*Inheritance, error) {
	var fds []int
	if own, numbers, _ := strings.Cut(os.Getenv(left), ":"); own == strconv.Itoa(os.Getpid()) {
		for number := range strings.SplitSeq(numbers, ",") {
			fd, err := strconv.Atoi(number)
			if err != nil || fd < firstHanded {
				return nil, fmt.Errorf("listener: %s is %q", left, os.Getenv(left))
			}
			fds = append(fds, fd)
		}
	}
	if os.Getenv(handedTo) == strconv.Itoa(os.Getpid()) {
		n, err := strconv.Atoi(os.Getenv(handedCount))
		if err != nil || n < 0 || n > mostHanded {
			return nil, fmt.Errorf("listener: %s is %q", handedCount, os.Getenv(handedCount))
		}
		for i := range n {
			fds = append(fds, firstHanded+i)
		}
	}
	for _, name := range []string{left, handedCount, handedTo, handedNames} { // not for programs that this one starts
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	in := &Inheritance{}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
		file := os.NewFile(uintptr(fd), "inherited") // #nosec G115 -- not negative
		l, err := net.FileListener(file)             // a duplicate
		if err = errors.Join(err, file.Close()); err != nil {
			in.Close()
			return nil, fmt.Errorf("listener: inherited socket %d: %w", fd, err)
		}
		in.open = append(in.open, l)
	}
	return in, nil
}

// Take returns the socket that listens on an address of the form host:port, if
// it was inherited. It is the caller's from then on.
func (in *Inheritance) Take(address string) (net.Listener, bool) {
	if in == nil {
		return nil, false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.IndexFunc(in.open, func(l net.Listener) bool { return same(l.Addr().String(), address) })
	if i < 0 {
		return nil, false
	}
	l := in.open[i]
	in.open = slices.Delete(in.open, i, i+1)
	return l, true
}

// Close closes what nobody took: no configuration listens there any more.
func (in *Inheritance) Close() {
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, l := range in.open {
		_ = l.Close() // nobody uses it
	}
	in.open = nil
}

// same reports whether a socket listens where a configuration wants to. An
// address without a host, and each way to write every interface, are one.
func same(socket, wanted string) bool {
	a, portA, errA := net.SplitHostPort(socket)
	b, portB, errB := net.SplitHostPort(wanted)
	return errA == nil && errB == nil && portA == portB && host(a) == host(b)
}

func host(text string) string {
	switch text {
	case "", "0.0.0.0":
		return "::"
	case "localhost":
		return "127.0.0.1"
	}
	return strings.ToLower(text)
}

// Handover holds duplicates of listening sockets for the program that is to
// take this one's place. They stay open when the listeners are closed.
type Handover struct{ files []*os.File }

// NewHandover duplicates the sockets of listeners.
func NewHandover(listeners []net.Listener) (*Handover, error) {
	h := &Handover{}
	for _, l := range listeners {
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			h.Close()
			return nil, fmt.Errorf("listener: %T can't be handed over", l)
		}
		file, err := tcp.File()
		if err != nil {
			h.Close()
			return nil, fmt.Errorf("listener: hand over: %w", err)
		}
		h.files = append(h.files, file)
	}
	return h, nil
}

// Close closes the duplicates.
func (h *Handover) Close() {
	for _, f := range h.files {
		_ = f.Close() // nobody uses it
	}
	h.files = nil
}

// Keep gives the sockets back to this program, where the other one could not
// be started.
func (h *Handover) Keep() (*Inheritance, error) {
	in := &Inheritance{}
	for _, f := range h.files {
		l, err := net.FileListener(f)
		if err != nil {
			in.Close()
			return nil, err
		}
		in.open = append(in.open, l)
	}
	h.Close()
	return in, nil
}
