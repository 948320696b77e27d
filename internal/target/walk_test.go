package target_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/target"
	"holdfast/internal/target/folder"
)

// raced takes each file away just before it would be removed, as another sweep may.
type raced struct {
	*folder.Folder
	dir string
}

func (r raced) Walk(ctx context.Context, from string, each func(string, fs.FileInfo, func() error) error) error {
	return r.Folder.Walk(ctx, from, func(name string, info fs.FileInfo, remove func() error) error {
		if filepath.Base(name) == target.TempPrefix+"1" {
			if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
				return err
			}
		}
		return each(name, info, remove)
	})
}

func TestASweepGoesOnWhereAFileWentMeanwhile(t *testing.T) {
	dir := t.TempDir()
	f, err := folder.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), "a/kept.bak", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1", "2", "3"} {
		if err := os.WriteFile(filepath.Join(dir, "a", target.TempPrefix+name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := target.SweepTree(t.Context(), raced{f, dir}, 0); n != 2 || err != nil {
		t.Error(n, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "a")); err != nil || len(left) != 1 || left[0].Name() != "kept.bak" {
		t.Error(left, err)
	}
}
