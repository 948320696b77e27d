package folder

import (
	"io/fs"
	"syscall"
	"time"
)

// stat is by what a file is known to be as it was.
type stat struct {
	inode        uint64
	size         int64
	mtime, ctime int64
	uid, gid     int
}

func statOf(info fs.FileInfo) stat {
	s := info.Sys().(*syscall.Stat_t)
	return stat{s.Ino, info.Size(), info.ModTime().UnixNano(), time.Unix(s.Ctim.Unix()).UnixNano(), int(s.Uid), int(s.Gid)}
}
