package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/backup"
)

// Process is a program that was started.
type Process struct {
	cmd  *exec.Cmd
	said tail
	done chan struct{}
	err  error // once done
}

// Start starts a program whose standard error nobody reads but we.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &p.said
	tie(cmd)
	started := make(chan error)
	go func() {
		// On Linux a child dies with the thread that started it, which has to live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Run runs a program to its end. Its error is that of Wait.
func Run(cmd *exec.Cmd) (*Process, error) {
	p, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	return p, p.Wait()
}

// Done is closed once the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait returns once the program has ended; where it failed, with what it said.
func (p *Process) Wait() error {
	<-p.done
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", filepath.Base(p.cmd.Path), p.err, p.Reason())
}

// Reason is the end of what the program said. It is syscall.ENOSPC where a disk is full,
// and backup.ErrHere where this machine does not let the program do its work.
func (p *Process) Reason() error {
	said, all := errors.New(p.said.String()), p.said.all()
	for _, full := range []string{syscall.ENOSPC.Error(), "No space left on device", "Disk is full", "with error 28"} {
		if strings.Contains(all, full) {
			return backup.NoRoom(said)
		}
	}
	for _, fault := range []string{"Permission denied", "Cannot allocate memory", "could not create shared memory", "Too many open files"} {
		if strings.Contains(all, fault) {
			return backup.Here(said)
		}
	}
	return said
}

// Said is what is kept of what the program said so far: the last 8 KiB.
func (p *Process) Said() string { return p.said.all() }

// Stop asks the program to end, and makes it.
func (p *Process) Stop(ask os.Signal, within time.Duration) {
	_ = p.cmd.Process.Signal(ask) // it may have ended just now
	select {
	case <-p.done:
	case <-time.After(within):
		p.Kill()
	}
}

// Kill ends the program, whatever it does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended just now
	<-p.done
}
