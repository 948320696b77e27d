package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const (
	zeroChunk = 256 << 10
	// writeZeroes is FALLOC_FL_WRITE_ZEROES of Linux 6.17: blocks that count as
	// written and are zero, made by the disk itself where it can.
	writeZeroes = 0x80
)

// zeroBytes is shared and never written to. A slice of this size begins on a
// page, as writing past the page cache demands.
var zeroBytes = make([]byte, zeroChunk)

// Zero implements File. Zeros that went through the page cache would cost as
// much of it, copying, and a long sync that those of batches have to wait for.
func (f osFile) Zero(size int64, each func(done int64) error) error {
	fd := int(f.Fd())
	switch err := retryEINTR(func() error { return unix.Fallocate(fd, writeZeroes, 0, size) }); {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EIO), errors.Is(err, unix.EDQUOT):
		return err
	}
	// All at once the blocks lie together; a file system that can't, does without.
	err := retryEINTR(func() error { return unix.Fallocate(fd, 0, 0, size) })
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return err
	}
	direct := f.direct(true) == nil
	for off := int64(0); off < size; off += zeroChunk {
		part := zeroBytes[:min(zeroChunk, size-off)]
		_, err := f.WriteAt(part, off)
		if direct && errors.Is(err, unix.EINVAL) {
			direct = false
			if err = f.direct(false); err == nil {
				_, err = f.WriteAt(part, off)
			}
		}
		if err == nil && !direct {
			err = f.Sync()
		}
		if err == nil {
			err = each(off + int64(len(part)))
		}
		if err != nil {
			return err
		}
	}
	if !direct {
		return nil
	}
	return f.direct(false)
}

// direct has writes go past the page cache, or through it again.
func (f osFile) direct(on bool) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if flags &^= unix.O_DIRECT; on {
		flags |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	return os.NewSyscallError("fcntl", err)
}
