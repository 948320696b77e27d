package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/backup/spool"
)

const (
	copyName  = "copy.sqlite" // all pages of a full piece
	pagesName = "pages"       // those of a delta
	lockByte  = 0x40000000    // the page that has it is never used
)

func (d *Driver) capture(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report, base *index) (backup.Captured, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.path == "" || d.spool == nil {
		return backup.Captured{}, d.failed(errNoSource)
	}
	draft, err := d.spool.Draft()
	if err != nil {
		return backup.Captured{}, err
	}
	defer draft.Drop()
	name := d.spool.Path(pagesName)
	if base == nil {
		name = d.spool.Path(copyName)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600) // #nosec G304 -- the operator names the folder
	if err != nil {
		return backup.Captured{}, d.spool.Error(err)
	}
	defer func() {
		_ = f.Close()
		_ = os.Remove(name) // or the next capture takes its place
	}()
	c := &capture{driver: d, base: base, pages: f, queries: queries, report: report, taken: time.Now()}
	if err := c.read(ctx); err != nil {
		return backup.Captured{}, d.failed(err)
	}
	// From here on nothing waits for us.
	figures := c.index.figures()
	if base == nil {
		tables, err := d.copied(ctx, name, queries, report)
		if err != nil {
			return backup.Captured{}, d.failed(err)
		}
		c.tables = tables
	}
	if err := c.index.write(draft); err != nil {
		return backup.Captured{}, d.spool.Error(err)
	}
	if err := c.send(ctx, w); err != nil {
		return backup.Captured{}, err
	}
	if err := draft.Done(); err != nil {
		return backup.Captured{}, err
	}
	if c.tables != nil {
		d.measured = c.taken
	}
	h := c.index.Header
	return backup.Captured{
		Taken: c.taken, From: h.From, To: h.To, Exact: h.To, Figures: append(figures, c.tables...),
		Versions: map[string]string{"sqlite": c.version},
	}, nil
}

// copied takes the figures of a full piece from its copy.
func (d *Driver) copied(ctx context.Context, name string, queries []backup.Query, report backup.Report) (all []backup.Figure, err error) {
	db, err := open(name, untouched)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return measure(ctx, db, queries, report, true)
}

type capture struct {
	driver  *Driver
	base    *index // nil: all pages
	queries []backup.Query
	report  backup.Report
	taken   time.Time

	index   *index
	pages   *os.File // a database, or numbers and pages
	written int64
	tables  []backup.Figure
	version string
	buf     []byte
}

// read reads the pages of one moment into the spool.
func (c *capture) read(ctx context.Context) error {
	d := c.driver
	var from place
	if c.base != nil {
		from = c.base.WAL
	}
	db, err := open(d.path, watched)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	now, err := seen(ctx, conn, d.path, from)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	h := header{Type: backup.TypeFull, To: backup.Position{System: d.spool.System(), At: spool.Unique(c.taken)}}
	c.index = &index{WAL: now}
	if c.base != nil {
		c.index = c.base.clone()
		c.index.WAL = now
		h.Type, h.From = backup.TypeDelta, c.base.Header.To
	}
	c.taken = time.Now()
	h.To.At = spool.Unique(c.taken)
	var first []byte // beginning to read is what makes the moment
	if err := conn.QueryRowContext(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = 1").Scan(&first); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = errors.New("it is empty, or no database")
		}
		return err
	}
	var mode string
	row := conn.QueryRowContext(ctx, "SELECT (SELECT page_count FROM pragma_page_count), (SELECT page_size FROM pragma_page_size), (SELECT journal_mode FROM pragma_journal_mode), sqlite_version()")
	if err := row.Scan(&h.Pages, &h.PageSize, &mode, &c.version); err != nil {
		return err
	}
	if c.base != nil && h.PageSize != c.base.Header.PageSize {
		return backup.ErrNeedsFull
	}
	c.index.Header = h
	c.index.resize(h.Pages)
	c.index.Change = binary.BigEndian.Uint32(first[24:])
	if err := c.changed(ctx, conn, from, mode == "wal"); err != nil {
		return err
	}
	if c.base != nil && mode == "wal" && time.Since(d.measured) >= d.every {
		// In this mode nobody waits for a reader.
		if c.tables, err = measure(ctx, conn, c.queries, c.report, false); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// seen is how far the log is seen by whoever begins to read now. A commit may stand
// behind it that is written and not seen yet: what comes from here on is looked at again.
func seen(ctx context.Context, conn *sql.Conn, path string, from place) (place, error) {
	salt, err := walSalt(path)
	if err != nil || salt == 0 {
		return place{}, err
	}
	var busy, frames, done int64
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &frames, &done); err != nil {
		return place{}, err
	}
	to, _, _, err := walSince(path, from, frames)
	if to.Salt != salt {
		return place{}, err // it began anew meanwhile
	}
	return to, err
}

// changed reads the pages that may have changed, and keeps those that have.
func (c *capture) changed(ctx context.Context, conn *sql.Conn, from place, logged bool) error {
	switch {
	case c.base == nil:
	case logged:
		_, pages, goesOn, err := walSince(c.driver.path, from, 0)
		if err != nil {
			return err
		}
		if goesOn {
			return c.some(ctx, conn, pages)
		}
	case c.base.WAL.Salt == 0 && c.base.Change == c.index.Change && c.base.Header.Pages == c.index.Header.Pages:
		return nil
	}
	rows, err := conn.QueryContext(ctx, "SELECT pgno, data FROM sqlite_dbpage")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var page uint32
		var content sql.RawBytes
		if err := rows.Scan(&page, &content); err != nil {
			return err
		}
		if err := c.page(page, content); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *capture) some(ctx context.Context, conn *sql.Conn, pages map[uint32]struct{}) error {
	get, err := conn.PrepareContext(ctx, "SELECT data FROM sqlite_dbpage WHERE pgno = ?")
	if err != nil {
		return err
	}
	defer get.Close()
	sorted := make([]uint32, 0, len(pages))
	for page := range pages {
		if page <= c.index.Header.Pages {
			sorted = append(sorted, page)
		}
	}
	slices.Sort(sorted)
	for _, page := range sorted {
		var content []byte
		if err := get.QueryRowContext(ctx, page).Scan(&content); err != nil {
			return err
		}
		if err := c.page(page, content); err != nil {
			return err
		}
	}
	return nil
}

func (c *capture) page(page uint32, content []byte) error {
	size := int64(c.index.Header.PageSize)
	if int64(page) == lockByte/size+1 {
		clear(content)
	}
	hash := pageHash(content)
	known := c.index.hash(page)
	if c.base != nil && bytes.Equal(hash, known) {
		return nil
	}
	copy(known, hash)
	var err error
	if c.base == nil {
		_, err = c.pages.WriteAt(content, int64(page-1)*size)
	} else {
		c.buf = append(binary.LittleEndian.AppendUint32(c.buf[:0], page), content...)
		_, err = c.pages.Write(c.buf)
	}
	c.written += size
	if c.report != nil {
		c.report(backup.Progress{Phase: "capture", Done: c.written})
	}
	return c.driver.spool.Error(err)
}

// send writes the stream from what was read.
func (c *capture) send(ctx context.Context, w io.Writer) error {
	out, err := records.NewWriter(w, magic)
	if err != nil {
		return err
	}
	if err := out.PutJSON(recHeader, c.index.Header); err != nil {
		return err
	}
	if _, err := c.pages.Seek(0, io.SeekStart); err != nil {
		return c.driver.spool.Error(err)
	}
	size := c.index.Header.PageSize
	content := make([]byte, 4+size)
	for page := uint32(1); ; page++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if c.base == nil {
			if page > c.index.Header.Pages {
				break
			}
			binary.LittleEndian.PutUint32(content, page)
			_, err = io.ReadFull(c.pages, content[4:])
		} else if _, err = io.ReadFull(c.pages, content); errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return c.driver.spool.Error(err)
		}
		if err := out.Put(recPage, content); err != nil {
			return err
		}
	}
	if err := out.Put(recEnd, nil); err != nil {
		return err
	}
	return out.Close()
}

// quoted is a name in SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
