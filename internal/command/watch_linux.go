package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// watchName is the name under which this program watches over another one: what that
// one leaves behind becomes its own child, whatever it does to get away.
const watchName = "holdfast-watch"

// reportFile is where it says how the other one ended.
const reportFile = 3

// report is how a program ended.
type report struct {
	Status int
	Signal string
	Left   int
}

// watch starts the program in its bounds, and ends it with all that it started when it
// ends, when it is told to (first asking, by SIGTERM), and when Holdfast dies (SIGHUP).
func watch(told string, argv []string) error {
	var l limits
	if err := json.Unmarshal([]byte(told), &l); err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	syscall.CloseOnExec(reportFile)
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); e != 0 {
		return e
	}
	runtime.LockOSThread() // the program dies with the thread that made it
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{shimName, told}, argv...), &syscall.ProcAttr{
		Dir: "/", Env: append(os.Environ(), attemptName+"="+l.Attempt), Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return err
	}
	ended := make(chan syscall.WaitStatus, 1)
	go reap(pid, ended)
	var status syscall.WaitStatus
	left := 0
	select {
	case status = <-ended:
		left = endAll(pid)
	case s := <-signals:
		if s == syscall.SIGTERM {
			_ = syscall.Kill(-pid, syscall.SIGTERM) // fails only where it has ended
			select {
			case status = <-ended:
				ended <- status
			case <-signals: // Holdfast has no more time
			case <-time.After(grace):
			}
		}
		left = endAll(pid)
		status = <-ended
	}
	r := report{Status: status.ExitStatus(), Left: left}
	if status.Signaled() {
		r.Signal = status.Signal().String()
	}
	return json.NewEncoder(os.NewFile(reportFile, "report")).Encode(r)
}

const prSetChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER

// reap takes note of the end of each child, whoever its parent was before.
func reap(pid int, ended chan<- syscall.WaitStatus) {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return // there is none any more
		}
		if got == pid {
			ended <- status
		}
	}
}

// endAll ends all processes below this one, and says how many there were besides the
// program itself. They are stopped first, as what is stopped starts nothing.
func endAll(program int) (left int) {
	seen := map[int]bool{}
	for range mostSweeps {
		for more := true; more; {
			more = false
			for _, pid := range below(os.Getpid()) {
				if !seen[pid] {
					seen[pid], more = true, true
					_ = syscall.Kill(pid, syscall.SIGSTOP) // it may have ended meanwhile
				}
			}
		}
		all := below(os.Getpid())
		if len(all) == 0 {
			break
		}
		for _, pid := range all {
			_ = syscall.Kill(pid, syscall.SIGKILL) // the same
		}
	}
	delete(seen, program)
	return len(seen)
}

// below are the processes that one started, and those that these did, but for the dead.
func below(root int) (all []int) {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		at := bytes.LastIndexByte(text, ')') // its name may hold anything
		if err != nil || at < 0 {
			continue
		}
		var state string
		var parent int
		if _, err := fmt.Sscan(string(text[at+1:]), &state, &parent); err == nil && state != "Z" && state != "X" {
			children[parent] = append(children[parent], pid)
		}
	}
	for next := []int{root}; len(next) > 0; next = next[1:] {
		all = append(all, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return all
}

// pairs are the environment that somebody declared, with a PATH.
func (s *Spec) pairs() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, name+"="+s.Env[name])
	}
	return env
}
