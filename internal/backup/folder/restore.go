package folder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/continuity"
)

const (
	dataName    = "data"     // of what is restored, in the folder that a restore is given
	partSuffix  = ".part"    // the file that is being written
	treesSuffix = ".folders" // the folders of the newest piece
)

var errMoment = errors.New("no piece is of that moment or place")

// Restore makes the folder of pieces.
func (d *Driver) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	pieces, ok := r.UpTo()
	if !ok {
		return nil, continuity.E(continuity.CodeBackupRestore, errMoment, "cause", errMoment.Error())
	}
	t, err := newTree(r.Dir, dataName)
	if err != nil {
		return nil, restoring(err)
	}
	defer t.close()
	t.report = r.Report
	for _, p := range pieces {
		in, err := p.Open(ctx)
		if err != nil {
			return nil, err
		}
		err = t.apply(ctx, in)
		if err = errors.Join(err, in.Close()); err != nil {
			return nil, pieceError(p.ID, err)
		}
	}
	if err := t.finish(); err != nil {
		return nil, restoring(err)
	}
	last := pieces[len(pieces)-1]
	return &instance{path: filepath.Join(r.Dir, dataName), loose: t.loose, reached: last.To, moment: last.Taken}, nil
}

func restoring(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupRestore, err, "cause", err.Error())
}

func pieceError(id string, err error) error {
	if errors.Is(err, records.ErrDamaged) || errors.Is(err, errForm) || errors.Is(err, errPath) {
		return continuity.E(continuity.CodeBackupPiece, err, "piece", id, "cause", err.Error())
	}
	return restoring(err)
}

// errForm says that a stream is whole, and not what a capture writes.
var errForm = errors.New("the records don't go together")

// tree is a folder that is being restored, in a folder that nothing of it leaves.
type tree struct {
	root   *os.Root
	name   string // of the tree in root
	to     backup.Position
	loose  int64
	report backup.Report
	done   int64

	folders *records.Writer
	listed  *os.File
	last    []byte   // the newest path; they come in order
	open    [][]byte // the folders that the newest path is in
	file    *os.File // being written
	entry   entry
	sum     hash.Hash
	before  []byte // the path before the one that is being written
	ended   bool
}

func newTree(dir, name string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	t := &tree{root: root, name: name, sum: sha256.New()}
	if err := root.Mkdir(name, 0o700); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return t, nil
}

func (t *tree) close() {
	if t.file != nil {
		_ = t.file.Close() // does not count
	}
	if t.listed != nil {
		_ = t.listed.Close()
	}
	_ = t.root.Remove(t.name + partSuffix)
	_ = t.root.Remove(t.name + treesSuffix)
	_ = t.root.Close()
}

func (t *tree) at(p []byte) string { return t.name + "/" + string(p) }

// apply changes the tree by one piece.
func (t *tree) apply(ctx context.Context, stream io.Reader) error {
	in, err := records.NewReader(stream, magic)
	if err != nil {
		return err
	}
	if err := t.begin(in); err != nil {
		return err
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		kind, payload, err := in.Next()
		if err == io.EOF { //nolint:errorlint // as readers have it
			break
		}
		if err != nil {
			return err
		}
		if t.ended {
			return fmt.Errorf("%w: something stands behind the totals", errForm)
		}
		if err := t.record(kind, payload); err != nil {
			return err
		}
	}
	if !t.ended || t.file != nil {
		return fmt.Errorf("%w: it ends too early", errForm)
	}
	return t.folders.Close()
}

func (t *tree) begin(in *records.Reader) error {
	kind, payload, err := in.Next()
	if err != nil {
		return err
	}
	var h header
	if kind != recHeader {
		return fmt.Errorf("%w: it has no header", errForm)
	}
	if err := decode(payload, &h); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	if (h.Type == backup.TypeFull) != (t.to == backup.Position{}) || h.From != t.to {
		return fmt.Errorf("%w: it does not follow on the piece before", errForm)
	}
	t.to, t.last, t.open, t.ended = h.To, nil, nil, false
	if t.listed != nil {
		_ = t.listed.Close() // the newest piece has its own
	}
	t.listed, err = t.root.OpenFile(t.name+treesSuffix, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	t.folders, err = records.NewWriter(t.listed, indexMagic)
	return err
}

func (t *tree) record(kind byte, payload []byte) error {
	switch kind {
	case recChunk, recAgain, recWhole:
		return t.content(kind, payload)
	}
	if t.file != nil {
		return fmt.Errorf("%w: a file does not end", errForm)
	}
	switch kind {
	case recTotals:
		var r totalsRecord
		if err := decode(payload, &r); err != nil {
			return fmt.Errorf("%w: %w", errForm, err)
		}
		t.loose, t.ended = r.Loose, true
		return nil
	case recDelete:
		var p []byte
		if err := decode(payload, &p); err != nil {
			return fmt.Errorf("%w: %w", errForm, err)
		}
		if err := t.step(p); err != nil {
			return err
		}
		if _, err := t.root.Lstat(t.at(p)); err != nil {
			return fmt.Errorf("%w: what is deleted is not there: %w", errForm, err)
		}
		return t.root.RemoveAll(t.at(p))
	case recFolder, recLink, recFile:
		t.entry = entry{}
		if err := decode(payload, &t.entry); err != nil {
			return fmt.Errorf("%w: %w", errForm, err)
		}
		if t.entry.Kind != kind {
			return fmt.Errorf("%w: a record of two kinds", errForm)
		}
		return t.put(&t.entry)
	}
	return fmt.Errorf("%w: a record of kind %q", errForm, kind)
}

// step goes on to a path: behind the one before, in a folder that was named in this
// piece. So no path comes twice, and none leads through a link.
func (t *tree) step(p []byte) error {
	if err := checkPath(p); err != nil {
		return err
	}
	if t.last != nil && order(t.last, p) >= 0 {
		return fmt.Errorf("%w: %q is out of order", errPath, p)
	}
	for len(t.open) > 0 && !below(p, t.open[len(t.open)-1]) {
		t.open = t.open[:len(t.open)-1]
	}
	parent := path.Dir(string(p))
	if parent != "." && (len(t.open) == 0 || string(t.open[len(t.open)-1]) != parent) {
		return fmt.Errorf("%w: %q is in no folder", errPath, p)
	}
	t.before, t.last = t.last, bytes.Clone(p)
	return nil
}

func (t *tree) put(e *entry) error {
	if err := t.step(e.Path); err != nil {
		return err
	}
	at := t.at(e.Path)
	info, err := t.root.Lstat(at)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there := err == nil
	switch e.Kind {
	case recFolder:
		if there && !info.IsDir() {
			if err := t.root.Remove(at); err != nil {
				return err
			}
			there = false
		}
		if !there {
			if err := t.root.Mkdir(at, 0o700); err != nil {
				return err
			}
		}
		t.open = append(t.open, t.last)
		return t.folders.PutJSON(recIndexed, e)
	case recLink:
		if there {
			if err := t.root.RemoveAll(at); err != nil {
				return err
			}
		}
		if err := t.root.Symlink(string(e.Link), at); err != nil {
			return err
		}
		return t.own(at, e)
	default:
		if there && info.IsDir() {
			if err := t.root.RemoveAll(at); err != nil {
				return err
			}
		}
		t.sum.Reset()
		t.file, err = t.root.OpenFile(t.name+partSuffix, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		return err
	}
}

// content goes on with the file that is being written.
func (t *tree) content(kind byte, payload []byte) error {
	if t.file == nil {
		return fmt.Errorf("%w: content of no file", errForm)
	}
	if kind == recChunk {
		t.sum.Write(payload)
		t.done += int64(len(payload))
		if t.report != nil {
			t.report(backup.Progress{Phase: "restore", Done: t.done})
		}
		_, err := t.file.Write(payload)
		return err
	}
	size, err := t.file.Seek(0, io.SeekCurrent)
	err = errors.Join(err, t.file.Close())
	t.file = nil
	if err != nil {
		return err
	}
	if kind == recAgain {
		t.last = t.before
		return nil
	}
	var e entry
	if err := decode(payload, &e); err != nil {
		return fmt.Errorf("%w: %w", errForm, err)
	}
	if !bytes.Equal(e.Path, t.last) || e.Kind != recFile || e.Size != size || !bytes.Equal(e.Sum, t.sum.Sum(nil)) {
		return fmt.Errorf("%w: %q has other content than its end says", errForm, t.last)
	}
	part := t.name + partSuffix
	if err := t.own(part, &e); err != nil {
		return err
	}
	if err := t.root.Chmod(part, fs.FileMode(e.Mode).Perm()); err != nil {
		return err
	}
	if err := t.root.Chtimes(part, time.Time{}, time.Unix(0, e.MTime)); err != nil {
		return err
	}
	return t.root.Rename(part, t.at(e.Path))
}

// own gives what was restored to its owner, where we may.
func (t *tree) own(at string, e *entry) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return t.root.Lchown(at, e.UID, e.GID)
}

// finish gives the folders their modes and times, the inner ones first, as what is in
// them is not touched any more.
func (t *tree) finish() error {
	if _, err := t.listed.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in, err := records.NewReader(t.listed, indexMagic)
	if err != nil {
		return err
	}
	var within []entry
	leave := func(n int) error {
		for len(within) > n {
			e := &within[len(within)-1]
			within = within[:len(within)-1]
			if err := t.own(t.at(e.Path), e); err != nil {
				return err
			}
			mode := fs.FileMode(e.Mode)
			if err := t.root.Chmod(t.at(e.Path), mode.Perm()|mode&(fs.ModeSetgid|fs.ModeSticky)); err != nil {
				return err
			}
			if err := t.root.Chtimes(t.at(e.Path), time.Time{}, time.Unix(0, e.MTime)); err != nil {
				return err
			}
		}
		return nil
	}
	for {
		_, payload, err := in.Next()
		if err == io.EOF { //nolint:errorlint // as readers have it
			return leave(0)
		}
		if err != nil {
			return err
		}
		var e entry
		if err := decode(payload, &e); err != nil {
			return err
		}
		n := len(within)
		for n > 0 && !below(e.Path, within[n-1].Path) {
			n--
		}
		if err := leave(n); err != nil {
			return err
		}
		within = append(within, e)
	}
}
