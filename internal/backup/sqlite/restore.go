package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/continuity"
)

const dataName = "data.sqlite"

var (
	errMoment = errors.New("no piece is of that moment or place")
	errForm   = errors.New("the records don't go together")
)

func restoring(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	return continuity.E(continuity.CodeBackupRestore, err, "cause", err.Error())
}

// Restore makes the database of pieces.
func (d *Driver) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	pieces, ok := r.UpTo()
	if !ok {
		return nil, restoring(errMoment)
	}
	path := filepath.Join(r.Dir, dataName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // #nosec G304 -- the caller's folder
	if err != nil {
		return nil, restoring(err)
	}
	t := &target{file: f, report: r.Report}
	for _, p := range pieces {
		if err := t.piece(ctx, p); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := f.Close(); err != nil {
		return nil, restoring(err)
	}
	db, err := open(path, untouched)
	if err != nil {
		return nil, restoring(err)
	}
	last := pieces[len(pieces)-1]
	return &instance{db: db, path: path, header: t.header, reached: last.To, moment: last.Taken}, nil
}

// target is a database that is being restored.
type target struct {
	file   *os.File
	header header // of the newest piece
	report backup.Report
	done   int64
}

func (t *target) piece(ctx context.Context, p backup.Piece) error {
	in, err := p.Open(ctx)
	if err != nil {
		return err
	}
	err = t.apply(ctx, in)
	err = errors.Join(err, in.Close())
	if errors.Is(err, records.ErrDamaged) || errors.Is(err, errForm) {
		return continuity.E(continuity.CodeBackupPiece, err, "piece", p.ID, "cause", err.Error())
	}
	return restoring(err)
}

func (t *target) apply(ctx context.Context, stream io.Reader) error {
	in, err := records.NewReader(stream, magic)
	if err != nil {
		return err
	}
	kind, payload, err := in.Next()
	if err != nil {
		return err
	}
	var h header
	if kind != recHeader || json.Unmarshal(payload, &h) != nil {
		return fmt.Errorf("%w: it has no header", errForm)
	}
	before := t.header
	follows := h.Type == backup.TypeFull && before.PageSize == 0 ||
		h.Type == backup.TypeDelta && before.PageSize == h.PageSize && h.From == before.To
	if !follows || h.PageSize < 512 || h.PageSize > 65536 || h.Pages == 0 {
		return fmt.Errorf("%w: it does not follow on the piece before", errForm)
	}
	t.header = h
	var last uint32
	ended := false
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
		if ended = kind == recEnd && !ended; ended {
			continue
		}
		if kind != recPage || len(payload) != 4+h.PageSize {
			return fmt.Errorf("%w: a record of kind %q", errForm, kind)
		}
		page := binary.LittleEndian.Uint32(payload)
		if page <= last || page > h.Pages || h.Type == backup.TypeFull && page != last+1 {
			return fmt.Errorf("%w: page %d after %d", errForm, page, last)
		}
		last = page
		if _, err := t.file.WriteAt(payload[4:], int64(page-1)*int64(h.PageSize)); err != nil {
			return err
		}
		t.done += int64(h.PageSize)
		if t.report != nil {
			t.report(backup.Progress{Phase: "restore", Done: t.done})
		}
	}
	if !ended || h.Type == backup.TypeFull && last != h.Pages {
		return fmt.Errorf("%w: it ends too early", errForm)
	}
	return t.file.Truncate(int64(h.Pages) * int64(h.PageSize))
}

// instance is a database that was restored.
type instance struct {
	db      *sql.DB
	path    string
	header  header
	reached backup.Position
	moment  time.Time
}

// Figures takes them of the pages, of the tables and of whether all is whole.
func (i *instance) Figures(ctx context.Context, queries []backup.Query, report backup.Report) ([]backup.Figure, error) {
	f, err := os.Open(i.path)
	if err != nil {
		return nil, restoring(err)
	}
	defer f.Close()
	x := &index{Header: i.header}
	x.resize(i.header.Pages)
	content := make([]byte, i.header.PageSize)
	for page := uint32(1); page <= i.header.Pages; page++ {
		if _, err := io.ReadFull(f, content); err != nil {
			return nil, restoring(err)
		}
		copy(x.hash(page), pageHash(content))
	}
	tables, err := measure(ctx, i.db, queries, report, true)
	return append(x.figures(), tables...), restoring(err)
}

// Reached tells of which piece the database is.
func (i *instance) Reached() (backup.Position, time.Time) { return i.reached, i.moment }

// Address is the database's file.
func (i *instance) Address() string { return i.path }

// Close lets go of the file.
func (i *instance) Close() error { return i.db.Close() }
