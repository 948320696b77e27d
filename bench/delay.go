package main

import (
	"sync/atomic"
	"time"

	"holdfast/internal/journal"
)

// slowFS counts syncs and adds a delay to each: a machine whose fdatasync takes
// 30 us says little about disks that take a millisecond.
type slowFS struct {
	journal.FS
	delay time.Duration
	syncs *atomic.Int64
	bytes *atomic.Int64
	reads atomic.Int64 // of files that are written to
	zeros atomic.Int64 // of the bytes
}

type slowFile struct {
	journal.File
	fs *slowFS
}

func (s *slowFS) wrap(f journal.File, err error) (journal.File, error) {
	if err != nil {
		return nil, err
	}
	return &slowFile{f, s}, nil
}

func (s *slowFS) OpenWrite(name string) (journal.File, error) { return s.wrap(s.FS.OpenWrite(name)) }
func (s *slowFS) Create(name string) (journal.File, error)    { return s.wrap(s.FS.Create(name)) }

func (f *slowFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.reads.Add(1)
	return f.File.ReadAt(p, off)
}

func (f *slowFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.bytes.Add(int64(len(p)))
	return f.File.WriteAt(p, off)
}

func (f *slowFile) Zero(size int64, each func(int64) error) error {
	f.fs.bytes.Add(size)
	f.fs.zeros.Add(size)
	return f.File.Zero(size, each)
}

func (f *slowFile) SyncAll() error {
	f.fs.syncs.Add(1)
	pause(f.fs.delay)
	return f.File.SyncAll()
}

func (f *slowFile) Sync() error {
	f.fs.syncs.Add(1)
	pause(f.fs.delay)
	return f.File.Sync()
}

// pause waits as a thread in a system call does: the scheduler's timers are not
// as fine.
func pause(d time.Duration) {
	if d > 0 {
		nanosleep(d)
	}
}
