package child

import (
	"os/exec"
	"syscall"
)

// tie ends a child if we are killed, and keeps ctrl-C at the terminal for us.
func tie(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig, cmd.SysProcAttr.Setpgid = syscall.SIGKILL, true
}
