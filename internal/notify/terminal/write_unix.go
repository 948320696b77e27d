//go:build unix

package terminal

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// write writes a text as a whole and waits for nobody who does not read.
func write(path, text string, flags int) error {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK|flags, 0o600) // #nosec G304 -- what the settings name, or a terminal
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if info, unseen := f.Stat(); err == nil && unseen == nil && info.Mode().IsRegular() {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ownerOf is whose terminal it is; ok is false where nobody is logged in, or is and
// wants nobody to write there (mesg n).
func ownerOf(path string) (owner string, ok bool) {
	info, err := os.Stat(path)
	if err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		return "", false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Perm()&0o020 == 0 {
		return "", false
	}
	return strconv.FormatUint(uint64(stat.Uid), 10), true
}
