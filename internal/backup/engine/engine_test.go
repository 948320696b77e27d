package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/folder"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	targetfolder "holdfast/internal/target/folder"
)

// place is a folder as a target.
type place struct{ dir string }

func (p place) Put(_ context.Context, name string, r io.Reader) error {
	to := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(p.dir, ".tmp-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), to)
}

func (p place) Open(_ context.Context, name string) (io.ReadCloser, int64, error) {
	f, err := os.Open(filepath.Join(p.dir, name))
	if err != nil {
		return nil, 0, missing(err)
	}
	info, err := f.Stat()
	return f, info.Size(), err
}

func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return continuity.E(continuity.CodeNotFound, err)
	}
	return err
}

func (p place) List(_ context.Context, prefix string) (all []Object, err error) {
	if _, err := os.Stat(p.dir); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(p.dir, path)
		if err != nil || !strings.HasPrefix(name, prefix) {
			return err
		}
		info, err := d.Info()
		all = append(all, Object{Name: name, Size: info.Size(), Modified: info.ModTime()})
		return err
	})
	return all, err
}

func (p place) Delete(_ context.Context, name string) error {
	return missing(os.Remove(filepath.Join(p.dir, name)))
}

// world is a folder with data, two targets and an engine.
type world struct {
	*testing.T
	engine *Engine
	ring   *backupkey.Ring
	source string
	spool  string
	near   string
	far    string
	set    Set
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{T: t, source: filepath.Join(dir, "source"), spool: filepath.Join(dir, "spool"), near: filepath.Join(dir, "near"), far: filepath.Join(dir, "far")}
	for _, d := range []string{w.source, w.near, w.far} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if w.ring, err = backupkey.New(time.Now()); err != nil {
		t.Fatal(err)
	}
	w.engine = w.newEngine(Target{Name: "near", At: place{w.near}}, Target{Name: "far", At: place{w.far}})
	w.set = Set{Service: "shop", ID: "chats", Kind: "folder", Driver: w.driver()}
	return w
}

func (w *world) newEngine(targets ...Target) *Engine {
	w.Helper()
	e, err := New(Options{Ring: w.ring, Targets: targets, Scratch: filepath.Join(filepath.Dir(w.source), "scratch"), Version: "test", Stall: time.Minute})
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func (w *world) driver() backup.Driver {
	w.Helper()
	d, err := folder.New(folder.Options{Path: w.source, Spool: w.spool})
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func (w *world) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.source, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

func (w *world) capture(kind string) backup.Manifest {
	w.Helper()
	c, err := w.engine.Capture(w.Context(), w.set, kind, nil)
	if err != nil {
		w.Fatal(err)
	}
	for _, o := range c.Targets {
		if o.Err != nil {
			w.Fatalf("%s: %v", o.Target, o.Err)
		}
	}
	return c.Manifest
}

func (w *world) list(target string) Listing {
	w.Helper()
	all := w.engine.List(w.Context(), w.set)
	l := all[slices.IndexFunc(all, func(l Listing) bool { return l.Target == target })]
	if l.Err != nil {
		w.Fatal(l.Err)
	}
	return l
}

func (w *world) verify(target, piece string) backup.Proof {
	w.Helper()
	p, err := w.engine.Verify(w.Context(), w.set, target, piece, nil)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// emptyScratch says that no restore left anything.
func (w *world) emptyScratch() {
	w.Helper()
	entries, err := os.ReadDir(w.engine.o.Scratch)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) > 0 {
		w.Errorf("left in the scratch folder: %v %v", entries, err)
	}
}

func pieces(l Listing) string {
	var words []string
	for _, c := range l.Chains {
		for _, p := range c.Pieces() {
			words = append(words, p.Type)
		}
	}
	return strings.Join(words, " ")
}

func TestOneCaptureGoesToAllTargets(t *testing.T) {
	w := newWorld(t)
	w.write("a", "one")
	full := w.capture("")
	w.write("b", "two")
	delta := w.capture("")
	if full.Type != backup.TypeFull || delta.Type != backup.TypeDelta || delta.Base != full.ID || delta.Parent != full.ID {
		t.Fatalf("%+v\n%+v", full, delta)
	}
	for _, target := range []string{"near", "far"} {
		if got := pieces(w.list(target)); got != "full delta" {
			t.Errorf("%s has %s", target, got)
		}
		p := w.verify(target, "")
		if !p.Good || p.Piece != delta.ID || len(p.Pieces) != 2 || len(p.Found) == 0 || p.Speed.Bytes != full.Bytes+delta.Bytes {
			t.Errorf("%s: %+v", target, p)
		}
		if got := w.list(target).Proofs; len(got) != 1 || !got[0].Good {
			t.Errorf("%s: proofs %+v", target, got)
		}
	}
	a, _ := os.ReadFile(filepath.Join(w.near, full.Path()))
	b, _ := os.ReadFile(filepath.Join(w.far, full.Path()))
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Error("the targets have different files")
	}
	if _, err := w.engine.Capture(t.Context(), w.set, backup.TypeFull, nil); err != nil {
		t.Fatal(err)
	}
	if l := w.list("near"); pieces(l) != "full delta full" || l.Chains[1].Full.Number != l.Chains[0].Full.Number+1 {
		t.Error(pieces(l))
	}
	w.emptyScratch()
}

// failing is a place that ends badly at some point.
type failing struct {
	place
	after int64 // bytes; of every file
	err   error
}

func (f failing) Put(ctx context.Context, name string, r io.Reader) error {
	return f.place.Put(ctx, name, io.MultiReader(io.LimitReader(r, f.after), broken{f.err}))
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestTargetThatFailsDoesNotHinderOthers(t *testing.T) {
	w := newWorld(t)
	w.write("a", strings.Repeat("not to be compressed ", 10))
	full := w.capture("")
	whole := w.engine
	for name, bad := range map[string]Place{
		"disk full":   failing{place{w.far}, 100, syscall.ENOSPC},
		"went away":   failing{place{w.far}, 0, errors.New("connection reset by peer")},
		"unreachable": place{filepath.Join(w.far, "gone")},
	} {
		w.engine = w.newEngine(Target{Name: "near", At: place{w.near}}, Target{Name: "far", At: bad})
		w.write("b", name)
		c, err := w.engine.Capture(t.Context(), w.set, "", nil)
		if err != nil || c.Manifest.Type != backup.TypeDelta {
			t.Fatalf("%s: %v %+v", name, err, c)
		}
		for _, o := range c.Targets {
			if (o.Err == nil) != (o.Target == "near") {
				t.Errorf("%s: %+v", name, o)
			}
		}
	}
	w.engine = whole
	if got := pieces(w.list("far")); got != "full" {
		t.Errorf("far has %s", got)
	}
	// What it missed it gets before the next piece.
	w.write("c", "back")
	delta := w.capture("")
	if got := pieces(w.list("far")); got != "full delta delta delta delta" || delta.Base != full.ID {
		t.Errorf("far has %s", got)
	}
	if p := w.verify("far", ""); !p.Good || p.Piece != delta.ID {
		t.Errorf("%+v", p)
	}
}

func TestNoTargetTakesIt(t *testing.T) {
	w := newWorld(t)
	w.write("a", "one")
	w.engine = w.newEngine(Target{Name: "far", At: failing{place{w.far}, 10, syscall.ENOSPC}})
	if c, err := w.engine.Capture(t.Context(), w.set, "", nil); !errors.Is(err, syscall.ENOSPC) || len(c.Targets) != 1 || c.Targets[0].Err == nil {
		t.Error(c, err)
	}
	if got, err := filepath.Glob(filepath.Join(w.far, "*", "*", "*")); err != nil || len(got) > 0 {
		t.Error("published:", got, err)
	}
}

func TestBadSourcePublishesNothing(t *testing.T) {
	w := newWorld(t)
	d, err := folder.New(folder.Options{Path: filepath.Join(w.source, "none"), Spool: w.spool})
	if err != nil {
		t.Fatal(err)
	}
	w.set.Driver = d
	if _, err := w.engine.Capture(t.Context(), w.set, "", nil); err == nil {
		t.Error("a folder that is none was backed up")
	}
	if got := w.list("near"); len(got.Pieces)+len(got.Bad) > 0 {
		t.Error(got)
	}
}

func TestWhatIsBadIsNotProven(t *testing.T) {
	w := newWorld(t)
	w.write("a", "one")
	full := w.capture("")
	name := filepath.Join(w.near, full.Path())
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-5] ^= 1
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if p := w.verify("near", ""); p.Good || p.Failed != string(continuity.CodeBackupPiece) {
		t.Errorf("%+v", p)
	}
	if l := w.list("near"); backup.StateOf(l.Chains[0], l.Proofs) != backup.Refuted {
		t.Error("it is not known for bad")
	}
	if p := w.verify("far", ""); !p.Good {
		t.Errorf("the good copy: %+v", p)
	}
	// The chooser takes the good copy.
	all, _, err := w.engine.Candidates(t.Context(), w.set, time.Time{})
	if err != nil || len(all) != 2 || all[0].Target != "far" || all[1].State != backup.Refuted {
		t.Error(all, err)
	}
	w.emptyScratch()
}

func TestManifestThatNobodySigned(t *testing.T) {
	w := newWorld(t)
	w.write("a", "one")
	full := w.capture("")
	name := filepath.Join(w.near, full.Path()+backup.ManifestSuffix)
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Replace(raw, []byte(`"type":"full"`), []byte(`"type":"fuel"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if l := w.list("near"); len(l.Pieces) != 0 || len(l.Bad) != 1 {
		t.Errorf("%+v", l)
	}
	if p := w.engine.Prune(t.Context(), w.set, false); p[0].Err == nil || p[1].Err != nil {
		t.Error(p)
	}
	// A manifest in another's place is as bad.
	other := strings.Replace(name, full.ID, "aaaaaaaaaa", 1)
	if err := os.WriteFile(other, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if l := w.list("near"); len(l.Bad) != 2 {
		t.Errorf("%+v", l)
	}
}

func TestRestoreToMoments(t *testing.T) {
	w := newWorld(t)
	var made []backup.Manifest
	for i := range 3 {
		w.write("a", fmt.Sprint("state ", i))
		made = append(made, w.capture(""))
	}
	for i, m := range made {
		all, _, err := w.engine.Candidates(t.Context(), w.set, m.Taken)
		if err != nil || len(all) == 0 {
			t.Fatal(all, err)
		}
		into := filepath.Join(t.TempDir(), "restored")
		r, err := w.engine.Restore(t.Context(), w.set, Want{Candidate: all[0], Moment: m.Taken, Dir: into}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(r.Instance.Address(), "a"))
		if string(got) != fmt.Sprint("state ", i) || err != nil || !r.Good || !r.Exact {
			t.Errorf("state %d: %q %v %+v", i, got, err, r)
		}
		if err := r.Close(true); err != nil {
			t.Error(err)
		}
		if _, err := w.engine.Restore(t.Context(), w.set, Want{Candidate: all[0], Dir: into}, nil); continuity.CodeOf(err) != continuity.CodeState {
			t.Error("restored over what is there:", err)
		}
	}
	if all, _, err := w.engine.Candidates(t.Context(), w.set, made[0].Taken.Add(-time.Second)); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
	// Over the original, in two steps, and back.
	all, _, err := w.engine.Candidates(t.Context(), w.set, made[1].Taken)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.engine.Restore(t.Context(), w.set, Want{Candidate: all[0]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.engine.Replace(t.Context(), w.set, r, nil), r.Close(false)); err != nil {
		t.Fatal(err)
	}
	w.emptyScratch()
	is := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(w.source, "a")); string(got) != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
	is("state 2")
	for range 2 {
		if err := w.engine.Switch(t.Context(), w.set, r.ID); err != nil {
			t.Fatal(err)
		}
		is("state 1")
	}
	if err := w.engine.Undo(t.Context(), w.set, r.ID); err != nil {
		t.Fatal(err)
	}
	is("state 2")
	if err := w.engine.Drop(t.Context(), w.set, r.ID); err != nil {
		t.Fatal(err)
	}
}

func TestPrune(t *testing.T) {
	w := newWorld(t)
	w.set.Rules = backup.Rules{Proven: 1, For: time.Nanosecond, Every: time.Hour}
	for range 4 {
		w.write("a", "x")
		w.capture(backup.TypeFull)
		w.capture(backup.TypeDelta)
	}
	if p := w.engine.Prune(t.Context(), w.set, false); p[0].Done != 0 || pieces(w.list("near")) != strings.Repeat("full delta ", 3)+"full delta" {
		t.Error("something went though nothing is proven", p)
	}
	if p := w.verify("near", ""); !p.Good {
		t.Fatal(p)
	}
	w.capture(backup.TypeFull)
	dry := w.engine.Prune(t.Context(), w.set, true)
	if len(dry[0].Goes) != 6 || dry[0].Done != 0 || len(dry[1].Goes) != 0 {
		t.Fatalf("%+v", dry)
	}
	whole := w.engine
	// Killed after any step, the next run ends what was begun, and what is there is right.
	for i := range 3 * len(dry[0].Goes) {
		w.engine = w.newEngine(Target{Name: "near", At: place{w.near}, Prune: &dying{place{w.near}, i % 4}})
		p := w.engine.Prune(t.Context(), w.set, false)[0]
		l := w.list("near")
		if len(l.Bad) != 0 || len(l.Chains) < 2 || !strings.HasSuffix(pieces(l), "full delta full") {
			t.Fatalf("after %d: %+v %s", i, l.Bad, pieces(l))
		}
		if p.Err == nil {
			break
		}
	}
	if got := pieces(w.list("near")); got != "full delta full" {
		t.Error(got)
	}
	w.engine = whole
	if got := pieces(w.list("far")); len(strings.Fields(got)) != 9 {
		t.Error("far has", got)
	}
}

// A file that was cut after it was proven is no backup any more: it is not green, nothing
// goes because of it, and who follows on it gives the target a whole one.
func TestFileThatWasCutAfterItsProof(t *testing.T) {
	w := newWorld(t)
	w.set.Rules = backup.Rules{Proven: 1, For: time.Nanosecond, Every: time.Hour}
	w.write("a", "one")
	w.capture(backup.TypeFull)
	proven := w.capture(backup.TypeFull)
	if p := w.verify("near", ""); !p.Good {
		t.Fatal(p)
	}
	newest := w.capture(backup.TypeFull)
	if dry := w.engine.Prune(t.Context(), w.set, true)[0]; len(dry.Goes) != 1 {
		t.Fatalf("%d would go", len(dry.Goes))
	}
	for _, m := range []backup.Manifest{proven, newest} {
		if err := os.Truncate(filepath.Join(w.near, m.Path()), m.Bytes/2); err != nil {
			t.Fatal(err)
		}
		if _, there := w.list("near").Piece(m.ID); there {
			t.Error("half a file counts for a backup")
		}
	}
	if p := w.engine.Prune(t.Context(), w.set, false)[0]; p.Done != 0 || continuity.CodeOf(p.Err) != continuity.CodeState {
		t.Errorf("%d went because of half a file, %v", p.Done, p.Err)
	}
	w.capture(backup.TypeDelta)
	if l := w.list("near"); len(l.Bad) != 1 || pieces(l) != "full full delta" {
		t.Errorf("%+v %s", l.Bad, pieces(l))
	}
	if p := w.verify("near", ""); !p.Good {
		t.Error(p)
	}
}

// Sweep finds nothing: what was never finished lies where no name is listed.
func (p place) Sweep(context.Context, time.Duration) (int, error) { return 0, nil }

// dying is a place whose identity dies after some deletions.
type dying struct {
	place
	left int
}

func (d *dying) Delete(ctx context.Context, name string) error {
	if d.left--; d.left < 0 {
		return errors.New("killed")
	}
	return d.place.Delete(ctx, name)
}

func TestSweep(t *testing.T) {
	w := newWorld(t)
	w.write("a", "x")
	old, fresh := w.capture(backup.TypeFull), w.capture(backup.TypeFull)
	for _, m := range []backup.Manifest{old, fresh} {
		if err := os.Remove(filepath.Join(w.near, m.Path()+backup.ManifestSuffix)); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * left)
	foreign := filepath.Join(w.near, w.set.Folder(), "notes.txt")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unfinished := filepath.Join(w.near, w.set.Folder(), ".tmp-1")
	if err := os.WriteFile(unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(w.near, old.Path()), foreign, unfinished, filepath.Join(w.far, old.Path()), filepath.Join(w.far, old.Path()+backup.ManifestSuffix)} {
		if err := os.Chtimes(name, past, past); err != nil {
			t.Fatal(err)
		}
	}
	// A real folder sweeps its unfinished files, too.
	near, err := targetfolder.New(w.near)
	if err != nil {
		t.Fatal(err)
	}
	w.engine = w.newEngine(Target{Name: "near", At: near}, Target{Name: "far", At: place{w.far}})
	swept := w.engine.Sweep(t.Context(), w.set)
	if len(swept) != 2 || swept[0].Err != nil || swept[1].Err != nil || swept[0].Uploads != 1 || len(swept[0].Files) != 1 || swept[0].Files[0] != old.Path() || len(swept[1].Files) != 0 {
		t.Error(swept)
	}
	if _, err := os.Stat(unfinished); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an unfinished file is left:", err)
	}
}

func TestSetIsNotCapturedTwiceAtOnce(t *testing.T) {
	w := newWorld(t)
	release, err := w.engine.hold(w.set)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.engine.Capture(t.Context(), w.set, "", nil); continuity.CodeOf(err) != continuity.CodeState {
		t.Error(err)
	}
	release()
	w.capture("")
}

func TestSetsAreFound(t *testing.T) {
	w := newWorld(t)
	w.capture("")
	w.set.ID = "contacts"
	w.capture(backup.TypeFull)
	if sets, err := w.engine.Sets(t.Context()); err != nil || len(sets) != 2 || sets[0].Folder() != "shop/chats" || sets[1].Folder() != "shop/contacts" {
		t.Error(sets, err)
	}
}
