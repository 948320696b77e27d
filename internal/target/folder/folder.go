package folder

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"holdfast/internal/target"
)

// Folder is a target. Nothing in it leads out of it, neither names nor links.
type Folder struct{ path string }

// New takes a folder that is there. It is not made: where a disk is not mounted, its
// backups would fill another one.
func New(dir string) (*Folder, error) {
	f := &Folder{dir}
	root, err := f.open()
	if err != nil {
		return nil, err
	}
	return f, root.Close()
}

func (f *Folder) open() (*os.Root, error) {
	root, err := os.OpenRoot(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, target.NoPlace(f.path, err)
	}
	return root, target.OfSystem(f.path, "", err)
}

// within does something in the folder, and says of its errors what they are.
func (f *Folder) within(name string, do func(*os.Root) error) error {
	if err := target.CheckName(name); err != nil {
		return err
	}
	root, err := f.open()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // what was done has been synced
	return target.OfSystem(f.path, name, do(root))
}

// Put writes a file.
func (f *Folder) Put(ctx context.Context, name string, r io.Reader) error {
	in := target.NewInput(ctx, r)
	err := f.within(name, func(root *os.Root) (err error) {
		dir := path.Dir(name)
		if err := makeFolder(root, dir); err != nil {
			return err
		}
		temp := path.Join(dir, target.TempPrefix+rand.Text())
		file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_ = root.Remove(temp) // else it is swept up later
			}
		}()
		_, err = io.Copy(file, in)
		if err == nil {
			err = file.Sync()
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := root.Rename(temp, name); err != nil {
			return err
		}
		return sync(root, dir)
	})
	if in.Err() != nil {
		return in.Err()
	}
	return err
}

// makeFolder makes a folder and what is above it, durably.
func makeFolder(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := root.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeFolder(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(root, path.Dir(dir))
}

func sync(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open reads a file.
func (f *Folder) Open(_ context.Context, name string) (io.ReadCloser, int64, error) {
	var file *os.File
	var size int64
	err := f.within(name, func(root *os.Root) (err error) {
		if file, err = root.Open(name); err != nil {
			return err
		}
		info, err := file.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = fs.ErrNotExist
		}
		if err != nil {
			return errors.Join(target.Missing(f.path, name, err), file.Close())
		}
		size = info.Size()
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return file, size, nil
}

// Stat tells of a file.
func (f *Folder) Stat(_ context.Context, name string) (o target.Object, err error) {
	err = f.within(name, func(root *os.Root) error {
		info, err := root.Stat(name)
		if err == nil && !info.Mode().IsRegular() {
			err = target.Missing(f.path, name, fs.ErrNotExist)
		}
		if err == nil {
			o = target.Object{Name: name, Size: info.Size(), Modified: info.ModTime()}
		}
		return err
	})
	return o, err
}

// List lists files.
func (f *Folder) List(ctx context.Context, prefix string) ([]target.Object, error) {
	return target.ListTree(ctx, f, prefix)
}

// Walk goes through files.
func (f *Folder) Walk(ctx context.Context, from string, each func(string, fs.FileInfo, func() error) error) error {
	root, err := f.open()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // what was done has been synced
	err = fs.WalkDir(root.FS(), from, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile, or was never there
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return each(name, info, func() error { return root.Remove(name) })
	})
	return target.OfSystem(f.path, from, err)
}

// Delete removes a file.
func (f *Folder) Delete(_ context.Context, name string) error {
	return f.within(name, func(root *os.Root) error {
		if err := root.Remove(name); err != nil {
			return err
		}
		return sync(root, path.Dir(name))
	})
}

// Sweep removes what was not finished.
func (f *Folder) Sweep(ctx context.Context, age time.Duration) (int, error) {
	return target.SweepTree(ctx, f, age)
}

// Close does nothing: each act opens the folder anew, as it may be mounted anew.
func (f *Folder) Close() error { return nil }

var _ target.Target = (*Folder)(nil)
