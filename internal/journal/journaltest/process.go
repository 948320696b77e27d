package journaltest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"syscall"

	"holdfast/internal/journal"
)

// Process is a CrashFS as one process sees it: dead after a crash or kill.
type Process struct {
	fs   *CrashFS
	life int
}

// Process returns the view of a process that starts now.
func (c *CrashFS) Process() *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Process{fs: c, life: c.life}
}

var _ journal.FS = (*Process)(nil)

// Open implements journal.FS.
func (p *Process) Open(name string) (journal.File, error) { return p.OpenWrite(name) }

// OpenWrite implements journal.FS.
func (p *Process) OpenWrite(name string) (journal.File, error) {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashed || p.life != c.life {
		return nil, ErrCrashed
	}
	f := c.names[name]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &handle{fs: c, name: name, life: p.life, file: f}, nil
}

// Create implements journal.FS.
func (p *Process) Create(name string) (journal.File, error) {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	err, partly := c.step(p.life, OpCreate, name)
	if err != nil && !partly {
		return nil, err
	}
	f := &inode{}
	c.change(rename{to: name, file: f})
	if err != nil {
		return nil, err
	}
	return &handle{fs: c, name: name, life: p.life, file: f}, nil
}

// Rename implements journal.FS.
func (p *Process) Rename(from, to string) error {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.names[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	err, partly := c.step(p.life, OpRename, from)
	if err == nil || partly {
		c.change(rename{from: from, to: to, file: f})
	}
	return err
}

// Remove implements journal.FS.
func (p *Process) Remove(name string) error {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.names[name]
	if f == nil {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	err, partly := c.step(p.life, OpRemove, name)
	if err == nil || partly {
		c.change(rename{from: name, file: f})
	}
	return err
}

// SyncDir implements journal.FS.
func (p *Process) SyncDir() error {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	err, _ := c.step(p.life, OpSyncDir, "")
	if errors.Is(err, ErrCrashed) || c.lies[OpSyncDir] {
		return err
	}
	if err == nil {
		for _, r := range c.pending {
			c.commit(r)
		}
	}
	c.pending = nil
	return err
}

// List implements journal.FS.
func (p *Process) List() ([]string, error) {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashed || p.life != c.life {
		return nil, ErrCrashed
	}
	return slices.Sorted(maps.Keys(c.names)), nil
}

// Lock implements journal.FS.
func (p *Process) Lock(name string) (io.Closer, error) {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crashed || p.life != c.life {
		return nil, ErrCrashed
	}
	if c.locks[name] {
		return nil, journal.ErrLocked
	}
	c.locks[name] = true
	if c.names[name] == nil { // never lost: what matters is the lock, not the file
		f := &inode{}
		c.names[name], c.disk[name] = f, f
	}
	return &lock{fs: c, name: name, life: p.life}, nil
}

// Free implements journal.FS.
func (p *Process) Free() (int64, error) {
	c := p.fs
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, c.capacity-c.used()), nil
}

type lock struct {
	fs   *CrashFS
	name string
	life int
}

// Close implements io.Closer.
func (l *lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if l.life == l.fs.life {
		delete(l.fs.locks, l.name)
	}
	return nil
}

// handle is an open file.
type handle struct {
	fs     *CrashFS
	name   string
	life   int
	file   *inode
	closed bool
}

func (h *handle) check() error {
	if h.closed {
		return fmt.Errorf("%s: %w", h.name, fs.ErrClosed)
	}
	if h.fs.crashed || h.life != h.fs.life {
		return ErrCrashed
	}
	return nil
}

// ReadAt implements journal.File.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.check(); err != nil {
		return 0, err
	}
	if off >= int64(len(h.file.cache)) {
		return 0, io.EOF
	}
	n := copy(p, h.file.cache[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements journal.File.
func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.check(); err != nil {
		return 0, err
	}
	err, partly := h.fs.step(h.life, OpWrite, h.name)
	if err != nil && !partly {
		return 0, err
	}
	n := len(p)
	if err != nil && !errors.Is(err, ErrCrashed) {
		n = h.fs.random.IntN(n + 1)
	}
	if grow := off + int64(n) - int64(len(h.file.cache)); grow > 0 {
		if room := h.fs.capacity - h.fs.used(); grow > room && err == nil {
			n, err = max(0, n-int(grow-room)), syscall.ENOSPC
		}
	}
	if n > 0 {
		h.file.write(p[:n], off)
	}
	return n, err
}

// Sync implements journal.File.
func (h *handle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.check(); err != nil {
		return err
	}
	err, _ := h.fs.step(h.life, OpSync, h.name)
	switch {
	case errors.Is(err, ErrCrashed), h.fs.lies[OpSync]:
	case err != nil:
		h.file.disk = resize(h.file.disk, len(h.file.cache))
		h.file.dirty = nil // clean, and lost
	default:
		h.file.sync()
	}
	return err
}

const zeroStep = 64 << 10

// Zero implements journal.File.
func (h *handle) Zero(size int64, each func(done int64) error) error {
	zeros := make([]byte, min(zeroStep, size))
	for off := int64(0); off < size; off += int64(len(zeros)) {
		part := zeros[:min(int64(len(zeros)), size-off)]
		if _, err := h.WriteAt(part, off); err != nil {
			return err
		}
		if err := each(off + int64(len(part))); err != nil {
			return err
		}
	}
	return nil
}

// SyncAll implements journal.File.
func (h *handle) SyncAll() error { return h.Sync() }

// Truncate implements journal.File.
func (h *handle) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.check(); err != nil {
		return err
	}
	err, partly := h.fs.step(h.life, OpTruncate, h.name)
	if err == nil || partly {
		h.file.cache = resize(h.file.cache, int(size))
	}
	return err
}

// Size implements journal.File.
func (h *handle) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.check(); err != nil {
		return 0, err
	}
	return int64(len(h.file.cache)), nil
}

// Close implements journal.File.
func (h *handle) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return fmt.Errorf("%s: %w", h.name, fs.ErrClosed)
	}
	h.closed = true
	return nil
}
