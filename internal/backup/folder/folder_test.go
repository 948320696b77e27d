package folder_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/folder"
	"holdfast/internal/continuity"
)

func open(t testing.TB, path, spool string) *folder.Driver {
	t.Helper()
	d, err := folder.New(folder.Options{Path: path, Spool: spool})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// taken is a chain as an engine keeps it.
type taken struct {
	driver *folder.Driver
	pieces []backup.Piece
}

func piece(id, parent, kind string, c backup.Captured, content []byte) backup.Piece {
	return backup.Piece{
		Manifest: backup.Manifest{ID: id, Parent: parent, Type: kind, Taken: c.Taken, From: c.From, To: c.To, Figures: c.Figures, Exact: c.Exact},
		Open:     func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

func (c *taken) take(t testing.TB) {
	t.Helper()
	var out bytes.Buffer
	id, parent, kind := fmt.Sprintf("p%d", len(c.pieces)), "", backup.TypeFull
	var captured backup.Captured
	var err error
	if len(c.pieces) == 0 {
		captured, err = c.driver.Full(t.Context(), &out, nil, nil)
	} else {
		parent, kind = c.pieces[len(c.pieces)-1].ID, backup.TypeDelta
		captured, err = c.driver.Delta(t.Context(), parent, &out, nil, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.pieces = append(c.pieces, piece(id, parent, kind, captured, out.Bytes()))
	if err := c.driver.Published(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func (c *taken) manifests() (all []backup.Manifest) {
	for _, p := range c.pieces {
		all = append(all, p.Manifest)
	}
	return all
}

func restore(t testing.TB, r backup.Restore) backup.Instance {
	t.Helper()
	r.Dir = t.TempDir()
	d, err := folder.New(folder.Options{}) // nothing is known but the pieces
	if err != nil {
		t.Fatal(err)
	}
	i, err := d.Restore(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(r.Dir)
	if err != nil || len(left) != 1 {
		t.Errorf("beside what was restored: %v, %v", left, err)
	}
	return i
}

func figures(t testing.TB, i backup.Instance) []backup.Figure {
	t.Helper()
	f, err := i.Figures(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// tree tells everything of a folder, not by the driver's own eyes.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		said := fmt.Sprintf("%v %v", info.Mode(), info.ModTime().UnixNano())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			said = "-> " + link
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			said += fmt.Sprintf(" %x", sha256.Sum256(b))
		case !info.IsDir():
			return nil
		}
		all[strings.TrimPrefix(path, dir)] = said
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameTree(t testing.TB, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if got[p] != want[p] {
			t.Errorf("%q: got %q, want %q", p, got[p], want[p])
		}
	}
	for p := range got {
		if _, ok := want[p]; !ok {
			t.Errorf("%q should not be there", p)
		}
	}
	t.FailNow()
}

var names = []string{"a", "a.b", "A", "ab", "数据", "with space", "-dash", "x\xff\xfe", "line\nbreak", ".hidden", "data", "back\\slash", strings.Repeat("n", 200)}

// change does something at random to a tree.
func change(t testing.TB, r *rand.Rand, dir string) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	folders, all := []string{dir}, []string{}
	must(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && path != dir {
			all = append(all, path)
			if e.IsDir() {
				folders = append(folders, path)
			}
		}
		return err
	}))
	for range 1 + r.IntN(8) {
		parent := folders[r.IntN(len(folders))]
		if _, err := os.Lstat(parent); err != nil {
			continue // went meanwhile
		}
		if info, _ := os.Lstat(parent); !info.IsDir() {
			continue
		}
		path := filepath.Join(parent, names[r.IntN(len(names))])
		switch r.IntN(9) {
		case 0, 1, 2:
			must(os.RemoveAll(path))
			content := make([]byte, r.IntN(3)*r.IntN(1<<20)+r.IntN(100))
			for i := range content {
				content[i] = byte(r.Uint32())
			}
			must(os.WriteFile(path, content, 0o600))
			must(os.Chmod(path, fs.FileMode(0o400|r.IntN(0o400))))
		case 3, 4:
			must(os.RemoveAll(path))
			must(os.Mkdir(path, 0o700))
			folders = append(folders, path)
		case 5:
			must(os.RemoveAll(path))
			must(os.Symlink([]string{"/etc", "..", "a", "nowhere", "data/x"}[r.IntN(5)], path))
		case 6:
			if len(all) > 0 {
				must(os.RemoveAll(all[r.IntN(len(all))]))
			}
		case 7: // the same size, and a moment later the same time
			if len(all) > 0 {
				p := all[r.IntN(len(all))]
				if info, err := os.Lstat(p); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
					f, err := os.OpenFile(p, os.O_RDWR, 0)
					must(err)
					_, err = f.WriteAt([]byte{byte(r.Uint32())}, r.Int64N(info.Size()))
					must(errors.Join(err, f.Close()))
					must(os.Chtimes(p, time.Time{}, info.ModTime()))
				}
			}
		case 8:
			must(os.Chmod(parent, fs.FileMode(0o500|r.IntN(0o300))))
		}
	}
}

// Whatever happens to a folder, each of its pieces brings back what it was.
func TestRandomTrees(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 8 {
		dir, spool := t.TempDir(), t.TempDir()
		c := &taken{driver: open(t, dir, spool)}
		var trees []map[string]string
		for range 6 {
			change(t, r, dir)
			if r.IntN(3) == 0 {
				c.driver = open(t, dir, spool) // as after a restart
			}
			trees = append(trees, tree(t, dir))
			c.take(t)
		}
		if faults := c.driver.Check(c.manifests()); len(faults) > 0 {
			t.Fatalf("faults: %v", faults)
		}
		for n, want := range trees {
			i := restore(t, backup.Restore{Pieces: c.pieces, At: c.pieces[n].To})
			sameTree(t, tree(t, i.Address()), want)
			if got := figures(t, i); !slices.Equal(got, c.pieces[n].Figures) {
				t.Errorf("figures %v, want %v", got, c.pieces[n].Figures)
			}
			at, moment := i.Reached()
			if at != c.pieces[n].To || !moment.Equal(c.pieces[n].Taken) {
				t.Errorf("reached %v, %v", at, moment)
			}
			i = restore(t, backup.Restore{Pieces: c.pieces, Until: c.pieces[n].Taken})
			sameTree(t, tree(t, i.Address()), want)
		}
	}
}

func TestADeltaIsAsSmallAsTheChange(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		put(t, filepath.Join(dir, fmt.Sprint(i)), strings.Repeat("x", 1<<16))
	}
	c := &taken{driver: open(t, dir, t.TempDir())}
	c.take(t)
	put(t, filepath.Join(dir, "new"), "new")
	var out bytes.Buffer
	if _, err := c.driver.Delta(t.Context(), "p0", &out, nil, nil); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 2000 {
		t.Errorf("a delta of %d bytes", out.Len())
	}
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWithoutWhatItFollowsOnADeltaAsksForAFullOne(t *testing.T) {
	dir, spool := t.TempDir(), t.TempDir()
	put(t, filepath.Join(dir, "a"), "a")
	c := &taken{driver: open(t, dir, spool)}
	c.take(t)
	needsFull := func(why, parent string) {
		t.Helper()
		if _, err := open(t, dir, spool).Delta(t.Context(), parent, io.Discard, nil, nil); !errors.Is(err, backup.ErrNeedsFull) {
			t.Errorf("%s: %v", why, err)
		}
	}
	needsFull("another piece", "other")
	index := filepath.Join(spool, "index-p0")
	b, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	put(t, index, string(b[:len(b)-1]))
	needsFull("an index that was cut", "p0")
	b[len(b)/2] ^= 1
	put(t, index, string(b))
	needsFull("an index with a flipped bit", "p0")
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	needsFull("no index", "p0")
}

type failing struct{ after int }

var errTarget = errors.New("the target is gone")

func (f *failing) Write(b []byte) (int, error) {
	if f.after -= len(b); f.after < 0 {
		return 0, errTarget
	}
	return len(b), nil
}

// A capture that fails leaves the spool as it was: the next delta has what it had not.
func TestAFailedCaptureCountsForNothing(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a"), "a")
	c := &taken{driver: open(t, dir, t.TempDir())}
	c.take(t)
	put(t, filepath.Join(dir, "b"), strings.Repeat("b", 3<<20))
	if _, err := c.driver.Delta(t.Context(), "p0", &failing{1 << 20}, nil, nil); !errors.Is(err, errTarget) {
		t.Errorf("got %v", err)
	}
	if err := c.driver.Published(t.Context(), "p1"); !errors.Is(err, backup.ErrNeedsFull) {
		t.Errorf("publishing what failed: %v", err)
	}
	// One that was captured, and never got to its targets, is no better.
	if _, err := c.driver.Delta(t.Context(), "p0", io.Discard, nil, nil); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.driver.Delta(stopped, "p0", io.Discard, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	c.take(t)
	sameTree(t, tree(t, restore(t, backup.Restore{Pieces: c.pieces}).Address()), tree(t, dir))
}

func TestAFullSpoolIsTold(t *testing.T) {
	dir, spool := t.TempDir(), t.TempDir()
	if err := syscall.Mount("tmpfs", spool, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("a small file system can't be mounted: %v; run the tests as root", err)
	}
	defer func() {
		if err := syscall.Unmount(spool, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	put(t, filepath.Join(dir, "a"), "a")
	c := &taken{driver: open(t, dir, spool)}
	c.take(t)
	many := filepath.Join(dir, "many")
	if err := os.Mkdir(many, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		put(t, filepath.Join(many, fmt.Sprint(i)), "")
	}
	_, err := c.driver.Delta(t.Context(), "p0", io.Discard, nil, nil)
	var told *continuity.Error
	if !errors.As(err, &told) || told.Code != continuity.CodeBackupSpool || told.Args["full"] != true {
		t.Errorf("told %v", err)
	}
	if err := os.RemoveAll(many); err != nil {
		t.Fatal(err)
	}
	c.take(t) // goes on from where it was
	sameTree(t, tree(t, restore(t, backup.Restore{Pieces: c.pieces}).Address()), tree(t, dir))
}

func TestWhatCantBeDoneIsSaid(t *testing.T) {
	query := []backup.Query{{ID: "q"}}
	missing := open(t, filepath.Join(t.TempDir(), "missing"), t.TempDir())
	here := open(t, t.TempDir(), t.TempDir())
	for name, full := range map[string]func() error{
		"no folder": func() error { _, err := missing.Full(t.Context(), io.Discard, nil, nil); return err },
		"queries":   func() error { _, err := here.Full(t.Context(), io.Discard, query, nil); return err },
	} {
		if code := continuity.CodeOf(full()); code != continuity.CodeBackupSource {
			t.Errorf("%s: code %q", name, code)
		}
	}
	_, err := here.Restore(t.Context(), backup.Restore{Dir: t.TempDir()})
	if code := continuity.CodeOf(err); code != continuity.CodeBackupRestore {
		t.Errorf("restoring nothing: code %q", code)
	}
}
