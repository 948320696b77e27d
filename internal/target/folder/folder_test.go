package folder_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/target"
	"holdfast/internal/target/folder"
	"holdfast/internal/target/targettest"
)

func open(t *testing.T, dir string) target.Target {
	t.Helper()
	f, err := folder.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	targettest.Run(t, open(t, dir), func(t *testing.T) target.Target { return open(t, dir) })
}

func TestAFolderThatIsNotThereIsNotMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	_, err := folder.New(dir)
	targettest.Fails(t, err, continuity.CodeUnreachable)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	if err := os.Remove(dir); err != nil { // as if unmounted
		t.Fatal(err)
	}
	targettest.Vanished(t, f)
}

func TestWritesAreDenied(t *testing.T) {
	dir := targettest.SmallDisk(t, "1m")
	f := open(t, dir)
	if err := f.Put(t.Context(), "a/b.bak", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	targettest.NoMoreWrites(t, dir)
	targettest.MayOnlyRead(t, f, "a/b.bak", []byte("x"))
}

func TestDiskFull(t *testing.T) {
	dir := targettest.SmallDisk(t, "8m")
	f := open(t, dir)
	small := targettest.Noise(1, 1<<20)
	if err := f.Put(t.Context(), "a/small", bytes.NewReader(small)); err != nil {
		t.Fatal(err)
	}
	for range 3 { // what is left of one does not take the room of the next
		targettest.Fails(t, f.Put(t.Context(), "a/large", bytes.NewReader(targettest.Noise(2, 10<<20))), continuity.CodeDiskFull)
	}
	if got := targettest.Names(t, f, ""); len(got) != 1 {
		t.Error(got)
	}
	targettest.Holds(t, f, "a/small", small)
	if err := f.Put(t.Context(), "a/other", bytes.NewReader(targettest.Noise(3, 5<<20))); err != nil {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	if err := f.Put(t.Context(), "a/kept", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(dir, "a", target.TempPrefix+"old"), filepath.Join(dir, "a", target.TempPrefix+"fresh")
	for _, path := range []string{old, fresh, filepath.Join(dir, "a", "kept")} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if long := time.Now().Add(-25 * time.Hour); path != fresh {
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := f.Sweep(t.Context(), target.SweepAge); n != 1 || err != nil {
		t.Error(n, err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error(err)
	}
	targettest.Holds(t, f, "a/kept", []byte("x"))
	if got := targettest.Names(t, f, ""); len(got) != 1 {
		t.Error(got)
	}
}

func TestLinksLeadNowhere(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	f := open(t, dir)
	if _, _, err := f.Open(t.Context(), "out/secret"); err == nil {
		t.Error("a link out of the folder was followed")
	}
	if err := f.Put(t.Context(), "out/new", bytes.NewReader(nil)); err == nil {
		t.Error("a link out of the folder was followed")
	}
	if err := f.Delete(t.Context(), "out/secret"); err == nil {
		t.Error("a link out of the folder was followed")
	}
}
