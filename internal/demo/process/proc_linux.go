package process

import "syscall"

// attributes put a child in a process group of its own, so that ctrl-C reaches
// it by way of the demo, and end it if the demo is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
