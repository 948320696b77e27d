package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// folders are those whose files are read. Without any, all files are: those that
// a person names on a command line.
type folders []string

// place tells in which folder a file lies after all links, and where there.
func (in folders) place(path string) (folder, inner string, err error) {
	if len(in) == 0 {
		return "", "", nil
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", "", err
	}
	for _, folder := range in {
		base, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue // it is not there
		}
		if inner, err := filepath.Rel(base, target); err == nil && filepath.IsLocal(inner) {
			return base, inner, nil
		}
	}
	return "", "", fmt.Errorf("%w: %s", ErrFolder, path)
}

// file opens a file for reading. What takes its place meanwhile, such as a link
// that leads elsewhere or a pipe, is not read and not waited for.
func (in folders) file(path string) (*os.File, error) {
	folder, inner, err := in.place(path)
	if err != nil {
		return nil, err
	}
	file, err := openIn(folder, inner, path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("logs: %s is not a regular file", path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func openIn(folder, inner, path string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if folder == "" {
		return os.OpenFile(path, flags, 0) // #nosec G304 -- a person names it, and reads with rights of their own
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	file, err := root.OpenFile(inner, flags, 0)
	return file, errors.Join(err, root.Close())
}
