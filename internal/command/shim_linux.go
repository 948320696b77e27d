package command

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// prepared is whether Main was called. Without it what Run starts would do all that this
// program does, and start a third.
var prepared bool

// Main becomes another program, or watches over one, where this one was started for it,
// and returns else.
// A program that uses Run calls it first thing: Run starts the program anew.
func Main() {
	prepared = true
	if len(os.Args) < 3 || os.Args[0] != shimName && os.Args[0] != watchName {
		return
	}
	as := become
	if os.Args[0] == watchName {
		as = watch
	}
	err := as(os.Args[1], os.Args[2:])
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "not run:", err)
	os.Exit(126)
}

const rlimitProcesses = 6 // RLIMIT_NPROC, but for MIPS and SPARC

// become sets the bounds and becomes the program. The bound of memory comes last, by
// calls that need none.
func become(told string, argv []string) error {
	var l limits
	if err := json.Unmarshal([]byte(told), &l); err != nil {
		return err
	}
	if err := syscall.Chdir(l.Folder); err != nil {
		return err
	}
	if l.UID >= 0 {
		if err := syscall.Setgroups(l.Groups); err != nil {
			return err
		}
		if err := syscall.Setgid(l.GID); err != nil {
			return err
		}
		if err := syscall.Setuid(l.UID); err != nil {
			return err
		}
	}
	path, err := syscall.BytePtrFromString(argv[0])
	if err != nil {
		return err
	}
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	bounds := []struct {
		what int
		most uint64
	}{{syscall.RLIMIT_CORE, 0}, {syscall.RLIMIT_NOFILE, l.Files}, {syscall.RLIMIT_CPU, l.CPU}, {syscall.RLIMIT_FSIZE, l.Size}, {rlimitProcesses, l.Many}, {syscall.RLIMIT_AS, l.Memory}}
	// A change of user has put this back.
	if _, _, e := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0); e != 0 {
		return e
	}
	for i := range bounds {
		b := &bounds[i]
		if b.most == 0 && b.what != syscall.RLIMIT_CORE {
			continue
		}
		limit := syscall.Rlimit{Cur: b.most, Max: b.most}
		_, _, e := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(b.what), uintptr(unsafe.Pointer(&limit)), 0, 0, 0) // #nosec G103 -- as syscall does
		if e != 0 {
			return e
		}
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0]))) // #nosec G103 -- the same
	return e
}
