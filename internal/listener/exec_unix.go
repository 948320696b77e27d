//go:build unix

package listener

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exec puts another program in the place of this one, in the same process, with
// its sockets. It returns only on an error, with everything as it was. Nothing
// else of this program goes on: whatever must be on disk is there before.
func (h *Handover) Exec(program string, args, env []string) error {
	numbers := make([]string, len(h.files))
	for i, f := range h.files {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, firstHanded) // stays open over the exec
		if err != nil {
			return fmt.Errorf("listener: hand over: %w", err)
		}
		defer unix.Close(fd)
		numbers[i] = strconv.Itoa(fd)
	}
	env = append(env, left+"="+strconv.Itoa(os.Getpid())+":"+strings.Join(numbers, ","))
	return fmt.Errorf("listener: exec %s: %w", program, syscall.Exec(program, args, env)) // #nosec G204 -- this program's own path
}
