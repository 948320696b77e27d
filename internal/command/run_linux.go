package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"holdfast/internal/continuity"
)

const (
	shimName = "holdfast-command"
	// attemptName is the name in the environment by which what a program started is
	// found.
	attemptName = "HOLDFAST_ATTEMPT"
	// grace is how long a program has to end by itself when it is told to.
	grace = 2 * time.Second
	// drains is how long what a program left behind may hold its output.
	drains = time.Second
)

// Run runs a program with bound arguments. The attempt's name is nobody else's. What
// the program did wrong is no error: an error says that it was not begun.
func (s *Spec) Run(ctx context.Context, argv []string, attempt string) (Outcome, error) {
	if !prepared {
		return Outcome{}, continuity.E(continuity.CodeInternal, errors.New("command.Main was not called"))
	}
	limits, err := s.limits()
	if err != nil {
		return Outcome{}, err
	}
	limits.Attempt = attempt
	told, err := json.Marshal(limits)
	if err != nil {
		return Outcome{}, err
	}
	reports, said, err := os.Pipe()
	if err != nil {
		return Outcome{}, continuity.E(continuity.CodeInternal, err)
	}
	defer reports.Close() //nolint:errcheck // it is read
	// A child is told of its parent's death when the thread that made it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out := newOutput(s.Output, s.Hidden)
	cmd := exec.Command("/proc/self/exe") // #nosec G204 -- this program
	cmd.Args = append([]string{watchName, string(told)}, argv...)
	cmd.Dir, cmd.Env = "/", s.pairs()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{said}
	cmd.WaitDelay = drains
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGHUP}
	began := time.Now()
	err = cmd.Start()
	_ = said.Close()
	if err != nil {
		return Outcome{}, continuity.E(continuity.CodeInternal, err)
	}
	ended := make(chan struct{})
	var o Outcome
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		timer := time.NewTimer(s.Time)
		defer timer.Stop()
		select {
		case <-ended:
			return
		case <-timer.C:
			o.Late = true
		case <-ctx.Done():
			o.Ended = true
		}
		_ = cmd.Process.Signal(syscall.SIGTERM) // fails only where it has ended
		gone := time.NewTimer(2 * grace)
		defer gone.Stop()
		select {
		case <-ended:
		case <-gone.C: // somebody stopped what watches over it
			_ = cmd.Process.Kill() // the same
			Sweep(attempt)         // else one that is left may hold its output
		}
	}()
	err = cmd.Wait()
	close(ended)
	<-watched
	r := report{Status: -1, Signal: "killed"} // what watched over it died
	_ = json.NewDecoder(reports).Decode(&r)   // where it did not, it has said so
	o.Status, o.Signal, o.Left = r.Status, r.Signal, r.Left+Sweep(attempt)
	o.Took = time.Since(began).Round(time.Millisecond)
	o.Output, o.Cut = out.text()
	if cmd.ProcessState == nil {
		return o, continuity.E(continuity.CodeInternal, err)
	}
	return o, nil
}

// limits are what the shim sets.
type limits struct {
	UID, GID int // -1: as they are
	Groups   []int
	Folder   string
	CPU      uint64 // seconds
	Memory   uint64
	Files    uint64
	Size     uint64
	Many     uint64 // processes of the user
	Attempt  string
}

func (s *Spec) limits() (limits, error) {
	l := limits{UID: -1, GID: -1, Folder: "/", Files: 1024, Memory: uint64(s.Memory), Size: uint64(s.Size), Many: uint64(s.Many)} // #nosec G115 -- of the settings, not negative
	if s.Folder != "" {
		l.Folder = s.Folder
	}
	if s.Files > 0 {
		l.Files = uint64(s.Files)
	}
	if s.CPU > 0 {
		l.CPU = uint64((s.CPU + time.Second - 1) / time.Second)
	}
	if s.User == "" {
		return l, nil
	}
	who, err := user.Lookup(s.User)
	if err != nil {
		return l, refused("user", "user", s.User)
	}
	uid, err1 := strconv.Atoi(who.Uid)
	gid, err2 := strconv.Atoi(who.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return l, refused("user", "user", s.User)
	}
	if uid == os.Geteuid() {
		return l, nil
	}
	if os.Geteuid() != 0 {
		return l, refused("not-root", "user", s.User)
	}
	l.UID, l.GID, l.Groups = uid, gid, []int{gid}
	if ids, err := who.GroupIds(); err == nil {
		for _, id := range ids {
			if n, err := strconv.Atoi(id); err == nil && n != gid {
				l.Groups = append(l.Groups, n)
			}
		}
	}
	return l, nil
}

// mostSweeps bounds how often it is looked for what goes on starting others.
const mostSweeps = 100

// Sweep ends all processes of an attempt, whoever started them, and says how many
// there were.
func Sweep(attempt string) (ended int) {
	mark := []byte(attemptName + "=" + attempt)
	seen := map[string]bool{}
	for range mostSweeps {
		any := false
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return ended
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
			if err != nil || !slices.ContainsFunc(bytes.Split(env, []byte{0}), func(line []byte) bool { return bytes.Equal(line, mark) }) {
				continue
			}
			if syscall.Kill(pid, syscall.SIGKILL) == nil {
				any = true
				if !seen[e.Name()] {
					seen[e.Name()] = true
					ended++
				}
			}
		}
		if !any {
			return ended
		}
	}
	return ended
}
