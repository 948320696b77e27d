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
	cmd := exec.Command(program, "--version") // #nosec G204 -- one of PostgreSQL's
	cmd.Dir = dir
	o.as(cmd)
	err := cmd.Run()
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("PostgreSQL runs as user %s, who can't get to %s: let everybody pass through the folders above it (chmod o+x), or name another place", o.name, dir)
	}
	return backup.Here(err)
}
