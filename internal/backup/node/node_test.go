package node_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"

	"holdfast/internal/backup"
	"holdfast/internal/backup/node"
	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
	"holdfast/internal/keyring"
	"holdfast/internal/store"
)

// state is a real one; checking it restores it elsewhere.
type state struct {
	*store.Store
	dir string
}

func (s state) Check(ctx context.Context, r io.Reader) (_ []backup.Figure, err error) {
	dir, err := os.MkdirTemp(s.dir, "")
	if err != nil {
		return nil, err
	}
	other, err := store.Open(ctx, filepath.Join(dir, "state.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, other.Close()) }()
	if err := other.Restore(ctx, r); err != nil {
		return nil, err
	}
	hash := sha256.New()
	if err := other.Export(ctx, hash); err != nil {
		return nil, err
	}
	return []backup.Figure{{Of: "state", Measure: "hash", Value: fmt.Sprintf("%x", hash.Sum(nil))}}, nil
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func driver(t *testing.T, o node.Options) *node.Driver {
	t.Helper()
	d, err := node.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func piece(c backup.Captured, content []byte) backup.Piece {
	return backup.Piece{
		Manifest: backup.Manifest{ID: "p", Type: backup.TypeFull, To: c.To, Taken: c.Taken, Figures: c.Figures},
		Open:     func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	}
}

// comeBack captures, restores, and requires the same figures.
func comeBack(t *testing.T, d, elsewhere *node.Driver) backup.Instance {
	t.Helper()
	var out bytes.Buffer
	c, err := d.Full(t.Context(), &out, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := piece(c, out.Bytes())
	i, err := elsewhere.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{p}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := i.Figures(t.Context(), nil, nil)
	if err != nil || !slices.Equal(got, c.Figures) || len(got) == 0 {
		t.Errorf("figures %v (%v), want %v", got, err, c.Figures)
	}
	if at, moment := i.Reached(); at != c.To || !moment.Equal(c.Taken) || c.Exact != c.To {
		t.Errorf("reached %v, %v", at, moment)
	}
	bad := bytes.Clone(out.Bytes())
	bad[len(bad)/2] ^= 1
	for name, content := range map[string][]byte{"flipped": bad, "cut": out.Bytes()[:out.Len()-1], "empty": nil} {
		_, err := elsewhere.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{piece(c, content)}, Dir: t.TempDir()})
		if code := continuity.CodeOf(err); code != continuity.CodeBackupPiece {
			t.Errorf("%s: %v", name, err)
		}
	}
	return i
}

func commit(ctx context.Context, s *store.Store, n int64) error {
	_, err := s.Commit(ctx, continuity.Batch{Actor: continuity.Actor{Kind: "engine", ID: "test"}, Changes: []continuity.Change{
		continuity.Put("counter", strconv.FormatInt(n, 10), "", "counter.set", n),
	}})
	return err
}

// The state is changed all the time; what was acknowledged before a capture is in it.
func TestAStateThatChanges(t *testing.T) {
	s := open(t, t.TempDir())
	var acknowledged atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for n := int64(1); ctx.Err() == nil; n++ {
			if err := commit(t.Context(), s, n); err != nil {
				ended <- err
				return
			}
			acknowledged.Store(n)
		}
		ended <- nil
	}()
	for range 3 {
		before := acknowledged.Load()
		i := comeBack(t, driver(t, node.Options{State: state{s, t.TempDir()}, System: "n1"}), driver(t, node.Options{State: state{nil, t.TempDir()}, Journal: journals{}}))
		archive, err := os.ReadFile(i.Address())
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(1); n <= before; n++ {
			if !bytes.Contains(archive, fmt.Appendf(nil, `"id":"%d"`, n)) {
				t.Fatalf("%d was acknowledged before, and is not in it", n)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// journals looks at a journal as the program does.
type journals struct{}

var errDamaged = errors.New("it is damaged")

func (journals) Files(_ context.Context, dir string) ([]node.File, error) {
	r, err := journal.Verify(journal.Dir(dir))
	if err != nil {
		return nil, err
	}
	if r.Damaged() {
		return nil, errDamaged
	}
	identity, err := os.Stat(filepath.Join(dir, "JOURNAL"))
	if err != nil {
		return nil, err
	}
	files := []node.File{{Name: "JOURNAL", Size: identity.Size(), Bytes: identity.Size()}}
	for _, s := range r.Segments {
		if s.State == journal.SegmentKept {
			files = append(files, node.File{Name: s.File, Size: s.Bytes, Bytes: int64(s.End & (1<<32 - 1))})
		}
	}
	return files, nil
}

func (journals) Check(_ context.Context, dir string) ([]backup.Figure, error) {
	r, err := journal.Verify(journal.Dir(dir))
	if err != nil {
		return nil, err
	}
	if r.Damaged() || r.Entries == 0 {
		return nil, errDamaged
	}
	return []backup.Figure{
		{Of: "journal", Measure: "entries", Value: strconv.FormatInt(r.Entries, 10)},
		{Of: "journal", Measure: "end", Value: fmt.Sprintf("%x", uint64(r.End))},
	}, nil
}

// While a relay writes its journal and retires what is old, each copy is whole, and holds
// what was on stable storage before it began and was not retired.
func TestAJournalThatIsWritten(t *testing.T) {
	dir, key := t.TempDir(), filepath.Join(t.TempDir(), "master.key")
	ring, err := keyring.Create(key)
	if err != nil {
		t.Fatal(err)
	}
	log, _, err := journal.Open(journal.Options{Dir: dir, Ring: ring, SegmentBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Append(journaltest.Batch(0, 1, 100)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		for n := uint64(1); ctx.Err() == nil; n += 4 {
			if _, err := log.Append(journaltest.Batch(n, 4, 2000)); err != nil {
				ended <- err
				return
			}
			if n%400 == 1 && log.End()>>32 > 3 {
				if err := log.Retire(log.End() - 2<<32); err != nil {
					ended <- err
					return
				}
			}
		}
		ended <- nil
	}()
	d := driver(t, node.Options{Journal: journals{}, Folder: dir, Spool: t.TempDir(), System: "relay"})
	for range 6 {
		before := log.End()
		i := comeBack(t, d, driver(t, node.Options{State: state{nil, t.TempDir()}, Journal: journals{}}))
		copied, _, err := journal.Open(journal.Options{Dir: i.Address(), Ring: ring, SegmentBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range copied.All(0) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if end := copied.End(); end < before || n == 0 {
			t.Errorf("the copy ends at %x with %d entries; %x was on stable storage before", uint64(end), n, uint64(before))
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

type failing struct{}

var errTarget = errors.New("the target is gone")

func (failing) Write([]byte) (int, error) { return 0, errTarget }

func TestWhatFailsIsSaid(t *testing.T) {
	s := open(t, t.TempDir())
	if err := commit(t.Context(), s, 1); err != nil {
		t.Fatal(err)
	}
	of := driver(t, node.Options{State: state{s, t.TempDir()}})
	if _, err := of.Full(t.Context(), failing{}, nil, nil); !errors.Is(err, errTarget) {
		t.Errorf("got %v", err)
	}
	if _, err := of.Full(t.Context(), io.Discard, []backup.Query{{ID: "q"}}, nil); continuity.CodeOf(err) != continuity.CodeBackupSource {
		t.Errorf("queries: %v", err)
	}
	var archive bytes.Buffer
	c, err := of.Full(t.Context(), &archive, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	unknown := driver(t, node.Options{Journal: journals{}})
	if _, err := unknown.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{piece(c, archive.Bytes())}, Dir: t.TempDir()}); continuity.CodeOf(err) != continuity.CodeBackupRestore {
		t.Errorf("a state where only journals are known: %v", err)
	}
	// A target that goes away while it is read says nothing of the backup.
	for _, n := range []int{0, archive.Len() / 2} {
		cut := piece(c, nil)
		cut.Open = func(context.Context) (io.ReadCloser, error) {
			gone := iotest.ErrReader(continuity.E(continuity.CodeUnreachable, errTarget))
			return io.NopCloser(io.MultiReader(bytes.NewReader(archive.Bytes()[:n]), gone)), nil
		}
		if _, err := of.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{cut}, Dir: t.TempDir()}); continuity.CodeOf(err) != continuity.CodeUnreachable {
			t.Errorf("gone after %d bytes: %v", n, err)
		}
	}
	none := driver(t, node.Options{Journal: journals{}, Folder: t.TempDir(), Spool: t.TempDir()})
	if _, err := none.Full(t.Context(), io.Discard, nil, nil); continuity.CodeOf(err) != continuity.CodeBackupSource {
		t.Errorf("no journal: %v", err)
	}
	if _, err := none.Restore(t.Context(), backup.Restore{Dir: t.TempDir()}); continuity.CodeOf(err) != continuity.CodeBackupRestore {
		t.Errorf("nothing: %v", err)
	}
}

// small is a folder on a disk of its own.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("a small file system can't be mounted: %v; run the tests as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A disk that is full where a state is tried says nothing of the backup.
func TestAFullScratchIsTold(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range 100 {
		if _, err := s.Commit(t.Context(), continuity.Batch{Actor: continuity.Actor{Kind: "engine", ID: "test"}, Changes: []continuity.Change{
			continuity.Put("text", strconv.Itoa(n), "", "text.set", strings.Repeat("x", 20_000)),
		}}); err != nil {
			t.Fatal(err)
		}
	}
	var archive bytes.Buffer
	c, err := driver(t, node.Options{State: state{s, t.TempDir()}}).Full(t.Context(), &archive, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"64k", "1m"} { // not even an empty one fits in, or not all of it
		tight := driver(t, node.Options{State: state{nil, small(t, size)}})
		if _, err := tight.Restore(t.Context(), backup.Restore{Pieces: []backup.Piece{piece(c, archive.Bytes())}, Dir: t.TempDir()}); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, backup.ErrHere) {
			t.Errorf("%s: got %v", size, err)
		}
	}
}

func TestAFullSpoolIsTold(t *testing.T) {
	spool, dir := small(t, "128k"), t.TempDir()
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	log, _, err := journal.Open(journal.Options{Dir: dir, Ring: ring, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Append(journaltest.Batch(0, 200, 2000)); err != nil {
		t.Fatal(err)
	}
	d := driver(t, node.Options{Journal: journals{}, Folder: dir, Spool: spool})
	_, err = d.Full(t.Context(), io.Discard, nil, nil)
	var told *continuity.Error
	if !errors.As(err, &told) || told.Code != continuity.CodeBackupSpool || told.Args["full"] != true {
		t.Errorf("told %v", err)
	}
	if left, err := os.ReadDir(spool); err != nil || len(left) != 1 {
		t.Errorf("left in the spool: %v, %v", left, err)
	}
}
