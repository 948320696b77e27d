package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a server under test in its own process.
type child struct {
	kind string
	addr string
	dir  string
	cmd  *exec.Cmd
	in   io.Closer
}

// start runs a server of this program, with a delay added to each sync.
func start(kind, dir string, delay time.Duration) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startOf(self, kind, dir, delay)
}

func startOf(self, kind, dir string, delay time.Duration, more ...string) (*child, error) {
	dir, err := os.MkdirTemp(dir, kind+"-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{"-serve", kind, "-dir", dir, "-delay", delay.String()}, more...)...)
	cmd.Stderr = os.Stderr
	if kind == "sqlite" && delay > 0 {
		shim, err := preload(dir)
		if err != nil {
			return nil, err
		}
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+shim, fmt.Sprintf("SLOW_SYNC_US=%d", delay.Microseconds()))
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s did not start: %w", kind, err)
	}
	return &child{kind: kind, dir: dir, addr: strings.TrimSpace(addr), cmd: cmd, in: in}, nil
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// preload compiles the shim that slows the C library's syncs.
func preload(dir string) (string, error) {
	out := filepath.Join(dir, "slow_sync.so")
	text, err := exec.Command("gcc", "-shared", "-fPIC", "-O2", "-o", out, filepath.Join("preload", "slow_sync.c"), "-ldl").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("gcc: %w\n%s", err, text)
	}
	return out, nil
}

// usage is what a process has used so far.
type usage struct {
	cpu     time.Duration
	written int64 // bytes that its device wrote, for anyone
	counters
}

func (c *child) usage() (usage, error) {
	var u usage
	var err error
	if u.cpu, err = cpuOf(c.cmd.Process.Pid); err != nil {
		return u, err
	}
	if u.written, err = deviceBytes(c.dir); err != nil {
		return u, err
	}
	res, err := http.Get("http://" + c.addr + "/stats")
	if err != nil {
		return u, err
	}
	defer res.Body.Close()
	return u, json.NewDecoder(res.Body).Decode(&u.counters)
}

// cpuOf is the time that a process has computed, in itself and for it in the
// kernel, with the children that it has.
func cpuOf(pid int) (cpu time.Duration, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	for _, i := range []int{11, 12} { // utime, stime, in hundredths of a second
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, err
		}
		cpu += time.Duration(n) * 10 * time.Millisecond
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		for _, child := range strings.Fields(string(children)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				return 0, err
			}
			of, err := cpuOf(n)
			if err != nil {
				return 0, err
			}
			cpu += of
		}
	}
	return cpu, nil
}

// deviceBytes is what has been written to the device under a folder, by anyone.
// A process's own count in /proc says more than the truth where the page cache
// keeps large folios: it counts all of one for a write into it.
func deviceBytes(dir string) (int64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(dir, &st); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/sys/dev/block/%d:%d/stat", unix.Major(st.Dev), unix.Minor(st.Dev)))
	if err != nil {
		return 0, err
	}
	sectors, err := strconv.ParseInt(strings.Fields(string(text))[6], 10, 64)
	return sectors * 512, err
}

func (u usage) since(v usage) usage {
	return usage{cpu: u.cpu - v.cpu, written: u.written - v.written, counters: counters{u.Syncs - v.Syncs, u.Bytes - v.Bytes}}
}
