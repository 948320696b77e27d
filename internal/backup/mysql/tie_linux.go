package mysql

import (
	"os/exec"
	"syscall"
)

// tie ends a child if we are killed, and keeps ctrl-C at the terminal for us.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
