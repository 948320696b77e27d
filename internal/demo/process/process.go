package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Spawner starts the demo's processes and ends all that still run.
type Spawner struct {
	Env []string // of all children; nil: as here

	jobs chan func()

	mu      sync.Mutex
	running []*Process
}

// Process is a child with its output in a file.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // closed when it has ended
	err  error         // how, once done
}

// New makes a Spawner; Close ends it.
func New() *Spawner {
	s := &Spawner{jobs: make(chan func())}
	go func() {
		// On Linux a child dies with the thread that started it, so that thread
		// must live as long as the demo.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread() // or it ends, with what others started on it before
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// Start runs a program; its standard output and error go to a log file.
func (s *Spawner) Start(name, logFile string, args ...string) (*Process, error) {
	return s.StartAs(nil, name, logFile, args...)
}

// StartAs runs a program as another user; nil: as this one.
func (s *Spawner) StartAs(user *syscall.Credential, name, logFile string, args ...string) (*Process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	p := &Process{name: name, cmd: exec.Command(args[0], args[1:]...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr, p.cmd.Env = attributes(), s.Env
	p.cmd.SysProcAttr.Credential = user
	started := make(chan error)
	s.jobs <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go func() {
		p.err = errors.Join(p.cmd.Wait(), log.Close())
		close(p.done)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = append(s.running, p)
	return p, nil
}

func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Log is the end of what it wrote.
func (p *Process) Log() string { return tail(p.log.Name()) }

// Kill ends the process as a crash would.
func (p *Process) Kill() error {
	err := p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	return err
}

// Stop asks the process to end and insists after a while.
func (p *Process) Stop() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.Kill()
	}
}

// Close ends every process and the spawner.
func (s *Spawner) Close() {
	s.StopAll()
	close(s.jobs)
}

// StopAll ends every process, the last started first.
func (s *Spawner) StopAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.running) - 1; i >= 0; i-- {
		s.running[i].Stop()
	}
	s.running = nil
}

// tail returns the end of a log, to show why a process did not come up.
func tail(logFile string) string {
	f, err := os.Open(logFile)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 2000 {
		if _, err := f.Seek(-2000, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Ready waits until probe succeeds or the process ends.
func (p *Process) Ready(probe func() error, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %v\n%s", p.name, p.err, tail(p.log.Name()))
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer after %s: %w\n%s", p.name, within, err, tail(p.log.Name()))
		}
	}
}
