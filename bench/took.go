package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// took is what a command took, with all that it started.
type took struct {
	wall, cpu time.Duration
	answered  time.Duration    // until it said something
	peaks     map[string]int64 // bytes resident at the most, by program
}

// measured runs a command, and what comes after it, which tells its own CPU. The server
// works for whoever copies it: what its processes compute meanwhile counts, too.
func measured(cmd *exec.Cmd, server int, then func() (time.Duration, error)) (t took, out []byte, err error) {
	var before time.Duration
	if server != 0 {
		if before, err = spent(server); err != nil {
			return t, nil, err
		}
	}
	var said stamped
	var wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &wrong
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return t, nil, err
	}
	done, peaks := make(chan struct{}), make(chan map[string]int64)
	go func() { peaks <- watch(cmd.Process.Pid, done) }()
	err = cmd.Wait()
	close(done)
	t.peaks = <-peaks
	if err != nil {
		return t, nil, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, wrong.Bytes()[max(0, wrong.Len()-800):])
	}
	t.cpu = cpuOfEnded(cmd.ProcessState)
	if then != nil {
		more, err := then()
		if err != nil {
			return t, nil, err
		}
		t.cpu += more
	}
	t.wall, t.answered = time.Since(began), said.first.Sub(began)
	if server != 0 {
		after, err := spent(server)
		if err != nil {
			return t, nil, err
		}
		t.cpu += after - before
	}
	return t, said.text.Bytes(), nil
}

// stamped keeps what a command says, and when it began to.
type stamped struct {
	text  bytes.Buffer
	first time.Time
}

func (s *stamped) Write(p []byte) (int, error) {
	if s.first.IsZero() {
		s.first = time.Now()
	}
	return s.text.Write(p)
}

// spent is what a process has computed, with its children: those that it has, and those
// that have ended.
func spent(pid int) (cpu time.Duration, err error) {
	err = tree(pid, func(pid int, stat []string) {
		for _, i := range []int{11, 12, 13, 14} { // own and waited for, user and system, in hundredths of a second
			n, _ := strconv.ParseInt(stat[i], 10, 64) // the kernel writes numbers there
			cpu += time.Duration(n) * 10 * time.Millisecond
		}
	})
	return cpu, err
}

// watch looks how much memory each program below a process ever had, until done.
func watch(pid int, done <-chan struct{}) map[string]int64 {
	peaks := map[string]int64{}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		_ = tree(pid, func(pid int, _ []string) { // what has ended meanwhile was seen before
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				return
			}
			_, name, _ := strings.Cut(string(text), "Name:\t")
			name, _, _ = strings.Cut(name, "\n")
			_, peak, _ := strings.Cut(string(text), "VmHWM:")
			if fields := strings.Fields(peak); len(fields) > 0 {
				n, _ := strconv.ParseInt(fields[0], 10, 64) // the kernel writes numbers there
				peaks[name] = max(peaks[name], n<<10)
			}
		})
		select {
		case <-done:
			return peaks
		case <-tick.C:
		}
	}
}

// tree visits a process and all below it.
func tree(pid int, visit func(pid int, stat []string)) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	visit(pid, strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:])))
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return err
	}
	for _, task := range tasks {
		children, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				_ = tree(n, visit) // it may have ended, and its parent has its time then
			}
		}
	}
	return nil
}

// most keeps the highest of each program.
func most(into, from map[string]int64) {
	for name, n := range from {
		into[name] = max(into[name], n)
	}
}

// told is who had how much, the most first.
func told(peaks map[string]int64) string {
	names := slices.SortedFunc(maps.Keys(peaks), func(a, b string) int { return int(peaks[b] - peaks[a]) })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d MB", name, peaks[name]>>20)
	}
	return strings.Join(names, ", ")
}

// cpuOfEnded is what a process that has ended computed, with those that it waited for.
func cpuOfEnded(state *os.ProcessState) time.Duration { return state.UserTime() + state.SystemTime() }
