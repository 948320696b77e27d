//go:build unix

package exec

import (
	"errors"
	"os/exec"
	"syscall"
)

// group has a program run in a process group of its own, and end with all of it.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { endGroup(cmd); return nil }
}

func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // none may be left

// isPipe reports that a program did not read all that it was told, which is its own
// business.
func isPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
