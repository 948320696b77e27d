package folder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
)

const (
	chunk = 1 << 20
	tries = 3
	// A time that is younger than this when a file is read does not tell whether the
	// file changes once more: clocks of file systems are as coarse as two seconds.
	young = 2 * time.Second
)

// capture walks the folder beside the index of the piece before.
type capture struct {
	driver *Driver
	root   *os.Root
	report backup.Report
	base   *index // nil: everything is new

	out, draft *records.Writer
	totals     totals
	done       int64
	buf        []byte
	cut        []byte // what lay below it has gone with it
}

func (c *capture) begin(w, draft io.Writer, h header) (err error) {
	c.buf = make([]byte, chunk)
	if c.out, err = records.NewWriter(w, magic); err != nil {
		return err
	}
	if c.draft, err = records.NewWriter(draft, indexMagic); err != nil {
		return err
	}
	return errors.Join(c.out.PutJSON(recHeader, h), c.draft.PutJSON(recHeader, h))
}

// all writes the whole stream, and what is known of it.
func (c *capture) all(ctx context.Context, w, draft io.Writer, h header) error {
	if err := c.begin(w, draft, h); err != nil {
		return err
	}
	root, err := os.OpenRoot(c.driver.path)
	if err != nil {
		return c.driver.failed(err)
	}
	defer root.Close()
	c.root = root
	if err := c.folder(ctx, "."); err != nil {
		return err
	}
	if err := c.deleteUntil(nil); err != nil {
		return err
	}
	if err := c.out.PutJSON(recTotals, totalsRecord{c.totals.loose}); err != nil {
		return err
	}
	return errors.Join(c.out.Close(), c.draft.Close())
}

type totalsRecord struct {
	Loose int64 `json:"unsettled"`
}

// folder walks what is in a folder.
func (c *capture) folder(ctx context.Context, dir string) error {
	f, err := c.root.Open(dir)
	if err == nil {
		var names []fs.DirEntry
		names, err = f.ReadDir(-1)
		err = errors.Join(err, f.Close())
		if err == nil {
			return c.entries(ctx, dir, names)
		}
	}
	if gone(err) && dir != "." {
		return nil
	}
	return c.driver.failed(err)
}

// gone reports whether something is not there any more, or not as what it was.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

func (c *capture) entries(ctx context.Context, dir string, names []fs.DirEntry) error {
	sortNames(names)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := name.Name()
		if dir != "." {
			p = path.Join(dir, p)
		}
		info, err := c.root.Lstat(p)
		if gone(err) {
			continue
		}
		if err != nil {
			return c.driver.failed(err)
		}
		if err := c.one(ctx, p, info); err != nil {
			return err
		}
	}
	return nil
}

func (c *capture) one(ctx context.Context, p string, info fs.FileInfo) error {
	s := statOf(info)
	e := indexed{entry: entry{Path: []byte(p), UID: s.uid, GID: s.gid, MTime: s.mtime}, CTime: s.ctime, Inode: s.inode, Read: time.Now().UnixNano()}
	switch {
	case info.IsDir():
		e.Kind, e.Mode = recFolder, uint32(info.Mode().Perm()|info.Mode()&(fs.ModeSetgid|fs.ModeSticky))
	case info.Mode().IsRegular():
		e.Kind, e.Mode, e.Size = recFile, uint32(info.Mode().Perm()), s.size
	case info.Mode()&fs.ModeSymlink != 0:
		link, err := c.root.Readlink(p)
		if gone(err) || errors.Is(err, syscall.EINVAL) {
			return nil
		}
		if err != nil {
			return c.driver.failed(err)
		}
		e.Kind, e.Link = recLink, []byte(link)
	default:
		return nil // a socket, a pipe, a device: left out
	}
	old, err := c.before(e.Path)
	if err != nil {
		return err
	}
	there := true
	switch {
	case e.Kind == recFolder:
		err = c.out.PutJSON(recFolder, &e.entry)
	case e.Kind == recLink && (old == nil || !sameEntry(&old.entry, &e.entry)):
		err = c.out.PutJSON(recLink, &e.entry)
	case e.Kind == recFile:
		there, err = c.file(ctx, &e, old)
	}
	if err != nil {
		return err
	}
	if old != nil && old.Kind == recFolder && e.Kind != recFolder {
		c.cut = e.Path
	}
	if there {
		c.totals.add(&e.entry)
		if err := c.draft.PutJSON(recIndexed, &e); err != nil {
			return err
		}
	} else if old != nil {
		if err := c.out.PutJSON(recDelete, old.Path); err != nil {
			return err
		}
		c.cut = old.Path
	}
	if e.Kind == recFolder {
		return c.folder(ctx, p)
	}
	return nil
}

// before returns what the piece before had at a path; what it had before that path, and
// the walk did not meet, is deleted.
func (c *capture) before(p []byte) (*indexed, error) {
	if c.base == nil {
		return nil, nil
	}
	if err := c.deleteUntil(p); err != nil {
		return nil, err
	}
	old := c.base.next
	if old == nil || !bytes.Equal(old.Path, p) {
		return nil, nil
	}
	return old, c.base.advance()
}

func (c *capture) deleteUntil(p []byte) error {
	for c.base != nil && c.base.next != nil && (p == nil || order(c.base.next.Path, p) < 0) {
		old := c.base.next
		if c.cut == nil || !below(old.Path, c.cut) {
			if err := c.out.PutJSON(recDelete, old.Path); err != nil {
				return err
			}
			c.cut = old.Path
		}
		if err := c.base.advance(); err != nil {
			return err
		}
	}
	return nil
}

func sameEntry(a, b *entry) bool {
	return a.Kind == b.Kind && a.Mode == b.Mode && a.UID == b.UID && a.GID == b.GID && a.MTime == b.MTime &&
		a.Size == b.Size && bytes.Equal(a.Link, b.Link)
}

// file writes a file where it is not known to be as it was, and says whether it is there.
func (c *capture) file(ctx context.Context, e, old *indexed) (bool, error) {
	if old != nil && !old.Loose && sameEntry(&old.entry, &e.entry) && old.CTime == e.CTime && old.Inode == e.Inode {
		trusted := old.Read-max(old.CTime, old.MTime) > int64(young)
		if !trusted {
			sum, n, err := c.sum(ctx, string(e.Path), e.Size)
			if err != nil && !gone(err) {
				return false, err
			}
			trusted = err == nil && n == e.Size && bytes.Equal(sum, old.Sum)
		}
		if trusted {
			e.Sum = old.Sum
			c.progress(e.Size)
			return true, nil
		}
	}
	for try := 1; ; try++ {
		whole, there, err := c.read(ctx, e, try == tries)
		if err != nil || whole || !there {
			return there, err
		}
	}
}

// read writes a file as it is now. It is not whole if it changed meanwhile and is to be
// read again.
func (c *capture) read(ctx context.Context, e *indexed, last bool) (whole, there bool, err error) {
	p := string(e.Path)
	f, err := c.root.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place makes nobody wait
	if gone(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, c.driver.failed(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, false, c.driver.failed(err)
	}
	if !info.Mode().IsRegular() {
		return false, false, nil
	}
	before := statOf(info)
	e.Mode, e.UID, e.GID, e.MTime, e.Size = uint32(info.Mode().Perm()), before.uid, before.gid, before.mtime, before.size
	e.CTime, e.Inode, e.Read = before.ctime, before.inode, time.Now().UnixNano()
	if err := c.out.PutJSON(recFile, &e.entry); err != nil {
		return false, true, err
	}
	hash := sha256.New()
	n, err := c.copy(ctx, f, before.size, func(b []byte) error {
		hash.Write(b)
		c.progress(int64(len(b)))
		return c.out.Put(recChunk, b)
	})
	if err != nil {
		return false, true, err
	}
	e.Sum = hash.Sum(nil)
	calm, err := c.calm(ctx, f, p, before, n, e.Sum)
	if err != nil {
		return false, true, err
	}
	if !calm && !last {
		return false, true, c.out.Put(recAgain, nil)
	}
	e.Size, e.Loose = n, !calm
	return true, true, c.out.PutJSON(recWhole, &e.entry)
}

// calm reports whether what was read is what the file was when it was opened.
func (c *capture) calm(ctx context.Context, f *os.File, p string, before stat, n int64, sum []byte) (bool, error) {
	info, err := f.Stat()
	if err != nil {
		return false, c.driver.failed(err)
	}
	after := statOf(info)
	if n != before.size || after.size < before.size {
		return false, nil
	}
	if now, err := c.root.Lstat(p); err != nil && !gone(err) {
		return false, c.driver.failed(err)
	} else if err == nil && statOf(now).inode != before.inode {
		return false, nil // another file took its place
	}
	if after == before {
		return true, nil
	}
	// It was written to. Where that was behind what was read, as to a log, the same is
	// read once more.
	again, m, err := c.sum(ctx, p, n)
	if gone(err) {
		return false, nil
	}
	return m == n && bytes.Equal(again, sum), err
}

// sum reads a file up to a size.
func (c *capture) sum(ctx context.Context, p string, size int64) ([]byte, int64, error) {
	f, err := c.root.OpenFile(p, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, c.driver.failedUnlessGone(err)
	}
	defer f.Close()
	hash := sha256.New()
	n, err := c.copy(ctx, f, size, func(b []byte) error {
		hash.Write(b)
		return nil
	})
	return hash.Sum(nil), n, err
}

func (d *Driver) failedUnlessGone(err error) error {
	if gone(err) {
		return err
	}
	return d.failed(err)
}

// copy hands out a file's first bytes in chunks.
func (c *capture) copy(ctx context.Context, f *os.File, size int64, to func([]byte) error) (n int64, err error) {
	for n < size {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		b := c.buf[:min(chunk, size-n)]
		got, err := io.ReadFull(f, b)
		n += int64(got)
		if got > 0 {
			if err := to(b[:got]); err != nil {
				return n, err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return n, nil
		}
		if err != nil {
			return n, c.driver.failed(err)
		}
	}
	return n, nil
}

func (c *capture) progress(n int64) {
	c.done += n
	if c.report != nil {
		c.report(backup.Progress{Phase: "capture", Done: c.done})
	}
}
