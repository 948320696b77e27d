package target

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Tree is a place that has folders.
type Tree interface {
	// Walk goes through the regular files below a folder, which need not be there. Remove
	// takes away the file that each is told of.
	Walk(ctx context.Context, from string, each func(name string, info fs.FileInfo, remove func() error) error) error
}

// ListTree is List of a place that has folders.
func ListTree(ctx context.Context, tree Tree, prefix string) ([]Object, error) {
	if err := CheckPrefix(prefix); err != nil {
		return nil, err
	}
	var all []Object
	err := tree.Walk(ctx, path.Dir(prefix+"x"), func(name string, info fs.FileInfo, _ func() error) error {
		if strings.HasPrefix(name, prefix) && CheckName(name) == nil {
			all = append(all, Object{Name: name, Size: info.Size(), Modified: info.ModTime()})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Object) int { return cmp.Compare(a.Name, b.Name) })
	return all, err
}

// SweepTree is Sweep of a place that has folders.
func SweepTree(ctx context.Context, tree Tree, age time.Duration) (int, error) {
	n := 0
	err := tree.Walk(ctx, ".", func(name string, info fs.FileInfo, remove func() error) error {
		if !strings.HasPrefix(path.Base(name), TempPrefix) || time.Since(info.ModTime()) < age {
			return nil
		}
		err := remove()
		switch {
		case errors.Is(err, fs.ErrNotExist): // another sweep took it, or its put has ended
			return nil
		case err == nil:
			n++
		}
		return err
	})
	return n, err
}
