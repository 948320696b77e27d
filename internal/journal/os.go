package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// Dir returns the FS of a real directory.
func Dir(path string) FS { return &osDir{dir: path} }

type osDir struct {
	dir string
	// The directory stays open once it was synced, so that a process without
	// spare descriptors can still sync it.
	mu     sync.Mutex
	handle *os.File
}

func (d *osDir) path(name string) string { return filepath.Join(d.dir, name) }

func (d *osDir) Open(name string) (File, error) { return d.open(name, os.O_RDONLY) }

func (d *osDir) OpenWrite(name string) (File, error) { return d.open(name, os.O_RDWR) }

func (d *osDir) Create(name string) (File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d *osDir) open(name string, flag int) (File, error) {
	f, err := os.OpenFile(d.path(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d *osDir) Rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d *osDir) Remove(name string) error { return os.Remove(d.path(name)) }

func (d *osDir) List() ([]string, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d *osDir) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.handle == nil {
		f, err := os.Open(d.dir)
		if err != nil {
			return err
		}
		d.handle = f
	}
	return d.handle.Sync()
}

func (d *osDir) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(d.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := retryEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("journal: lock %s: %w", d.path(name), err)
	}
	return f, nil
}

func (d *osDir) Free() (int64, error) {
	var st unix.Statfs_t
	if err := retryEINTR(func() error { return unix.Statfs(d.dir, &st) }); err != nil {
		return 0, fmt.Errorf("journal: statfs %s: %w", d.dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil // #nosec G115 -- no disk has 2^63 bytes
}

// makeDir creates the directory and makes its name durable.
func makeDir(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(filepath.Clean(path)))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

type osFile struct{ *os.File }

func (f osFile) Sync() error {
	return retryEINTR(func() error { return unix.Fdatasync(int(f.Fd())) })
}

func (f osFile) SyncAll() error { return f.File.Sync() }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// retryEINTR calls again what a signal interrupted before it did anything.
func retryEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
