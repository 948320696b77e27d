package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// daemon is a program of the distribution, run for one peer and ended with it.
type daemon struct {
	cmd   *exec.Cmd
	quit  syscall.Signal
	ended chan struct{}
	log   bytes.Buffer // read once it has ended
}

// installed says where a program is, or what brings it.
func installed(program, debian string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s is missing; run: apt-get install -y %s", filepath.Base(program), debian)
	}
	return path, nil
}

// place makes a folder the daemons' own, and what slows their syncs.
type place struct {
	dir string
	who *syscall.Credential
	env []string
}

func newPlace(dir string, delay time.Duration) (p place, err error) {
	p = place{dir: dir, env: append(os.Environ(), "LC_ALL=C", "HOME="+dir)}
	if delay > 0 {
		shim, err := preload(dir)
		if err != nil {
			return p, err
		}
		p.env = append(p.env, "LD_PRELOAD="+shim, fmt.Sprintf("SLOW_SYNC_US=%d", delay.Microseconds()))
	}
	p.who, err = nobody()
	if p.who == nil || err != nil {
		return p, err
	}
	return p, os.Chown(dir, int(p.who.Uid), int(p.who.Gid))
}

// nobody is whom a daemon runs as where the benchmark is root, as which some
// refuse to run; nil otherwise.
func nobody() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
}

// write leaves a file that the daemon may read.
func (p place) write(name, text string) (string, error) {
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil || p.who == nil {
		return path, err
	}
	return path, os.Chown(path, int(p.who.Uid), int(p.who.Gid))
}

func (p place) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.who, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (p place) daemon(name string, args ...string) (*daemon, error) {
	d := &daemon{cmd: p.command(name, args...), quit: syscall.SIGKILL, ended: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = d.cmd.Wait() // the log tells
		close(d.ended)
	}()
	return d, nil
}

// stop ends it at once: what it keeps is thrown away.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(d.quit) // fails only where it has ended
	<-d.ended
}

// failed ends it and adds the end of what it said to the reason.
func (d *daemon) failed(reason error) error {
	d.stop()
	said := d.log.String()
	return fmt.Errorf("%w: %s", reason, said[max(0, len(said)-400):])
}

// freePort is one that nobody listens on just now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port), nil
}
