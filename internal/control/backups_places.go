package control

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"holdfast/internal/backup/engine"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
)

// target is a place of the settings as the engine wants it.
func (v *vault) target(t *controlconfig.Target) (engine.Target, error) {
	dir := strings.TrimPrefix(t.URL, "folder:")
	if !filepath.IsAbs(dir) {
		return engine.Target{}, continuity.E(continuity.CodeConfig, nil, "detail_id", "keeping.invalid.target", "target", t.ID)
	}
	return engine.Target{Name: t.ID, Copy: t.Copy, At: folderPlace(dir)}, nil
}

// folderPlace is a folder of this machine, or one that is mounted, as a place for
// backups. It has to be there: an empty mount point takes nothing.
type folderPlace string

// Put implements engine.Place: a file is there whole and on disk, or not at all.
func (p folderPlace) Put(ctx context.Context, name string, r io.Reader) (err error) {
	if _, err := os.Stat(string(p)); err != nil {
		return p.gone(err)
	}
	path := filepath.Join(string(p), filepath.FromSlash(name))
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return p.gone(err)
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return p.gone(err)
	}
	_, err = io.Copy(f, ending{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return p.gone(errors.Join(err, os.Remove(f.Name())))
	}
	for at := dir; ; at = filepath.Dir(at) { // folders that are new are kept in theirs
		if err := syncFolder(at); err != nil {
			return p.gone(err)
		}
		if at == string(p) || len(at) <= len(string(p)) {
			return nil
		}
	}
}

// ending ends with its context.
type ending struct {
	ctx context.Context
	r   io.Reader
}

func (r ending) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

func syncFolder(path string) error {
	d, err := os.Open(path) // #nosec G304 -- of the settings
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// gone is what is wrong with the folder, for people.
func (p folderPlace) gone(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return continuity.E(continuity.CodeDiskFull, err, "detail_id", "keeping.invalid.full", "folder", string(p))
	}
	var known *continuity.Error
	if errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err // who is read from, or nobody waits any more
	}
	return continuity.E(continuity.CodeUnreachable, err, "detail_id", "keeping.invalid.gone", "folder", string(p), "cause", err.Error())
}

// Open implements engine.Place.
func (p folderPlace) Open(_ context.Context, name string) (io.ReadCloser, int64, error) {
	f, err := os.OpenInRoot(string(p), filepath.FromSlash(name))
	if err != nil {
		return nil, 0, p.missing(name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, p.gone(errors.Join(err, f.Close()))
	}
	return f, info.Size(), nil
}

func (p folderPlace) missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Stat(string(p)); there == nil {
			return continuity.E(continuity.CodeNotFound, err, "kind", "file", "id", name)
		}
	}
	return p.gone(err)
}

// List implements engine.Place. What is under way has no name yet.
func (p folderPlace) List(ctx context.Context, prefix string) (all []engine.Object, err error) {
	if _, err := os.Stat(string(p)); err != nil {
		return nil, p.gone(err)
	}
	top := filepath.Join(string(p), filepath.FromSlash(prefix))
	if !strings.HasSuffix(prefix, "/") {
		top = filepath.Dir(filepath.Join(string(p), prefix+"x"))
	}
	err = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile, or was never there
		}
		if err = errors.Join(err, ctx.Err()); err != nil || d.IsDir() || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".tmp-") {
			return err
		}
		name, err := filepath.Rel(string(p), path)
		if err != nil || !strings.HasPrefix(filepath.ToSlash(name), prefix) {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			all = append(all, engine.Object{Name: filepath.ToSlash(name), Size: info.Size(), Modified: info.ModTime()})
		}
		return err
	})
	return all, p.gone(err)
}

// Delete implements engine.Place.
func (p folderPlace) Delete(_ context.Context, name string) error {
	root, err := os.OpenRoot(string(p))
	if err != nil {
		return p.gone(err)
	}
	err = errors.Join(root.Remove(filepath.FromSlash(name)), root.Close())
	if err != nil {
		return p.missing(name, err)
	}
	return nil
}
