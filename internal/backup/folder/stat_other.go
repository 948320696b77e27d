//go:build unix && !linux

package folder

import (
	"io/fs"
	"syscall"
)

// stat is by what a file is known to be as it was.
type stat struct {
	inode        uint64
	size         int64
	mtime, ctime int64 // of the latter nothing is known here
	uid, gid     int
}

func statOf(info fs.FileInfo) stat {
	s := info.Sys().(*syscall.Stat_t)
	return stat{inode: uint64(s.Ino), size: info.Size(), mtime: info.ModTime().UnixNano(), uid: int(s.Uid), gid: int(s.Gid)}
}
