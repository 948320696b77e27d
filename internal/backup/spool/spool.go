package spool

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

const (
	systemName  = "system"
	draftPrefix = "draft-"
	indexPrefix = "index-"
)

var idForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Spool is a folder of one driver.
type Spool struct {
	dir, system string
	done        string // the newest whole draft
}

// Open opens the folder, and makes it where there is none.
func Open(dir string) (*Spool, error) {
	s := &Spool{dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, s.Error(err)
	}
	name := filepath.Join(dir, systemName)
	known, err := os.ReadFile(name) // #nosec G304 -- the operator names the folder
	if errors.Is(err, fs.ErrNotExist) {
		known = []byte(rand.Text()[:16])
		err = durable.Replace(name, known)
	}
	if err != nil {
		return nil, s.Error(err)
	}
	s.system = strings.ToLower(string(known))
	return s, nil
}

// System is by what the positions of this spool's driver are known as its own.
func (s *Spool) System() string { return s.system }

// Path is a file of the driver's own in the spool.
func (s *Spool) Path(name string) string { return filepath.Join(s.dir, name) }

// Unique is the place of a piece in the changes of a source that counts none itself.
func Unique(taken time.Time) string {
	return taken.UTC().Format("20060102T150405.000000000Z") + "-" + strings.ToLower(rand.Text()[:6])
}

// Error makes of err what people are told of a spool that can't be used.
func (s *Spool) Error(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal {
		return err
	}
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	return continuity.E(continuity.CodeBackupSpool, err, "folder", s.dir, "full", full, "cause", err.Error())
}

// Draft is what is known of a piece that is being captured.
type Draft struct {
	spool *Spool
	name  string
	file  *os.File
	out   *bufio.Writer
}

// Draft begins one; whatever was not committed is forgotten. Where two processes do so at
// once, one of them fails or needs a full piece, and neither takes the other's for its own.
func (s *Spool) Draft() (*Draft, error) {
	s.done = ""
	if err := s.forget(draftPrefix, ""); err != nil {
		return nil, s.Error(err)
	}
	name := draftPrefix + rand.Text()
	f, err := os.OpenFile(s.Path(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, s.Error(err)
	}
	return &Draft{s, name, f, bufio.NewWriterSize(f, 1<<16)}, nil
}

// forget removes the files of a prefix but one.
func (s *Spool) forget(prefix, but string) error {
	names, err := filepath.Glob(s.Path(prefix + "*"))
	for _, name := range names {
		if filepath.Base(name) == but {
			continue
		}
		if gone := os.Remove(name); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func (d *Draft) Write(b []byte) (int, error) {
	n, err := d.out.Write(b)
	return n, d.spool.Error(err)
}

// Done keeps the draft until its piece is published.
func (d *Draft) Done() error {
	err := d.out.Flush()
	if err == nil {
		err = d.file.Sync()
	}
	if err = errors.Join(err, d.file.Close()); err == nil {
		d.spool.done = d.name
	}
	return d.spool.Error(err)
}

// Drop forgets a draft; after Done it does nothing.
func (d *Draft) Drop() {
	if d.file.Close() == nil {
		_ = os.Remove(d.spool.Path(d.name)) // or the next one does
	}
}

// Commit makes the newest draft what the next delta follows on. Done again it changes
// nothing.
func (s *Spool) Commit(id string) error {
	if !idForm.MatchString(id) {
		return backup.ErrNeedsFull
	}
	name := indexPrefix + id
	if s.done == "" {
		if _, err := os.Stat(s.Path(name)); err == nil {
			return nil
		}
		return backup.ErrNeedsFull
	}
	err := os.Rename(s.Path(s.done), s.Path(name))
	s.done = ""
	if errors.Is(err, fs.ErrNotExist) {
		return backup.ErrNeedsFull
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err != nil {
		return s.Error(err)
	}
	return s.Error(s.forget(indexPrefix, name))
}

// Base opens what is known of a piece, or says that a full one is needed.
func (s *Spool) Base(id string) (*os.File, error) {
	if !idForm.MatchString(id) {
		return nil, backup.ErrNeedsFull
	}
	f, err := os.Open(s.Path(indexPrefix + id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, backup.ErrNeedsFull
	}
	return f, s.Error(err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir) // #nosec G304 -- the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
