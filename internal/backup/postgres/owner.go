package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"

	"holdfast/internal/backup"
)

// owner is who a server of ours runs as, and to whom its files belong: ourselves, or
// another one where we are root, as which PostgreSQL refuses to run.
type owner struct {
	name string // empty: ourselves
	uid  int
	gid  int
}

func findOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if errors.Join(err1, err2) == nil {
			return owner{name, uid, gid}, nil
		}
	}
	return owner{}, backup.Here(errors.New("PostgreSQL refuses to run as root, and this machine has no user postgres"))
}

// take gives a file to the owner.
func (o owner) take(in *os.Root, name string) error {
	if o.name == "" {
		return nil
	}
	return in.Lchown(name, o.uid, o.gid)
}

// as has a program run as the owner.
func (o owner) as(cmd *exec.Cmd) {
	if o.name == "" {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}} // #nosec G115 -- as the system has it
}

// reaches says that the owner gets to a folder.
func (o owner) reaches(dir, program string) error {
	err := o.enters(dir, program)
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("PostgreSQL runs as user %s, who can't get to %s: let everybody pass through the folders above it (chmod o+x), or name another place", o.name, dir)
	}
	return backup.Here(err)
}

// enters has a program that does nothing start in a folder.
func (o owner) enters(dir, program string) error {
	cmd := exec.Command(program, "--version") // #nosec G204 -- one of PostgreSQL's, or true
	cmd.Dir = dir
	o.as(cmd)
	return cmd.Run()
}

// Shut names the user that servers of ours run as where that one can't get to a folder in
// which they are to run: nothing can be restored there, so nothing proven. Otherwise it is
// empty.
func Shut(folder string) string {
	own, err := findOwner()
	if err != nil || own.name == "" {
		return ""
	}
	program, err := exec.LookPath("true")
	if err != nil || os.MkdirAll(folder, 0o711) != nil { // #nosec G301 -- servers of that user pass through
		return ""
	}
	if err := own.enters(folder, program); !errors.Is(err, os.ErrPermission) {
		return ""
	}
	return own.name
}
