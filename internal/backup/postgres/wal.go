package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"holdfast/internal/backup"
)

// What is read of PostgreSQL's xlogrecord.h and xlog_internal.h, the same since 9.5.
const (
	shortHeader  = 24 // of a page
	longHeader   = 40 // of the first page of a segment
	recordHeader = 24

	pageContinues = 0x0001
	pageLong      = 0x0002
	pageOverwrite = 0x0008 // what should be continued here was given up by a crash

	rmXLOG, rmXact = 0, 1
	infoSwitch     = 0x40
)

var (
	errEnds    = errors.New("the log ends here")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeroTime   = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// damage is what is wrong with a log at a place.
type damage struct {
	kind string // of backup's faults
	at   LSN
	what string
}

func (d *damage) Error() string { return fmt.Sprintf("write-ahead log at %s: %s", d.at, d.what) }

// record is one of the write-ahead log.
type record struct {
	at, end  LSN
	by       uint32 // the transaction, or a part of one, that wrote it; 0: none
	xact     time.Time
	isSwitch bool
	commit   commit
}

// walk reads a log record by record, and holds each against its checksum and each page
// against where it has to be.
type walk struct {
	line
	dir   string // of segments
	limit LSN    // what is behind it was not received
	next  LSN    // where the next record begins
	prev  LSN    // where the last one began; 0: not known yet
	last  LSN    // where the last one ended

	file     *os.File
	fileAt   LSN
	page     []byte
	pageAt   LSN
	havePage bool
}

// newWalk begins at a record, or at the first one that begins in the segment that at
// begins.
func newWalk(l line, dir string, at, limit LSN) *walk {
	return &walk{line: l, dir: dir, next: at, limit: limit, page: make([]byte, l.Page)}
}

func (w *walk) Close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// load makes the page that lsn is in the current one. Of a page that was not received
// whole, only what was is looked at.
func (w *walk) load(lsn LSN) error {
	if w.havePage && lsn-lsn%LSN(w.Page) == w.pageAt {
		return nil
	}
	at := lsn - lsn%LSN(w.Page)
	if at+shortHeader > w.limit {
		return errEnds
	}
	if err := w.open(w.start(at)); err != nil {
		return err
	}
	if _, err := w.file.ReadAt(w.page, int64(at-w.fileAt)); err != nil { // #nosec G115 -- within a segment
		if errors.Is(err, io.EOF) {
			return &damage{backup.FaultTruncated, at, "the segment is shorter than it has to be"}
		}
		return err
	}
	w.pageAt, w.havePage = at, true
	if err := w.check(); err != nil {
		w.havePage = false
		return err
	}
	return nil
}

func (w *walk) open(begins LSN) error {
	if w.file != nil && w.fileAt == begins {
		return nil
	}
	if w.file != nil {
		if err := w.file.Close(); err != nil {
			return err
		}
		w.file = nil
	}
	name := filepath.Join(w.dir, w.line.file(begins))
	f, err := os.Open(name) // #nosec G304 -- in a folder of the driver's own
	if errors.Is(err, os.ErrNotExist) {
		f, err = os.Open(name + ".partial") // #nosec G304 -- the same
	}
	if errors.Is(err, os.ErrNotExist) {
		return &damage{backup.FaultMissing, begins, "segment " + w.line.file(begins) + " is missing"}
	}
	if err != nil {
		return err
	}
	w.file, w.fileAt = f, begins
	return nil
}

// check holds the head of the page against where it lies.
func (w *walk) check() error {
	le := binary.LittleEndian
	first := uint64(w.pageAt)%w.Segment == 0
	info := le.Uint16(w.page[2:])
	switch {
	case le.Uint16(w.page) == 0:
		return &damage{backup.FaultTruncated, w.pageAt, "nothing was written here"}
	case le.Uint64(w.page[8:]) != uint64(w.pageAt):
		return &damage{backup.FaultDouble, w.pageAt, "this is the page of " + LSN(le.Uint64(w.page[8:])).String()}
	case le.Uint32(w.page[4:]) > w.Timeline:
		return &damage{backup.FaultForked, w.pageAt, fmt.Sprintf("this is of timeline %d", le.Uint32(w.page[4:]))}
	case first != (info&pageLong != 0):
		return &damage{backup.FaultTruncated, w.pageAt, "the head of the page is another one's"}
	case first && strconv.FormatUint(le.Uint64(w.page[24:]), 10) != w.System:
		return &damage{backup.FaultSystem, w.pageAt, fmt.Sprintf("this is of system %d", le.Uint64(w.page[24:]))}
	case first && (uint64(le.Uint32(w.page[32:])) != w.Segment || uint64(le.Uint32(w.page[36:])) != w.Page):
		return &damage{backup.FaultSystem, w.pageAt, "segments or pages have another size"}
	}
	return nil
}

func (w *walk) headSize() LSN {
	if w.page[2]&pageLong != 0 {
		return longHeader
	}
	return shortHeader
}

// begin settles where the next record begins, which is behind the head of its page and
// of what a record before continues there.
func (w *walk) begin() error {
	for {
		if err := w.load(w.next); err != nil {
			return err
		}
		if w.next != w.pageAt {
			return nil
		}
		at := w.pageAt + w.headSize()
		if w.page[2]&pageContinues != 0 && w.prev == 0 {
			// The walk begins here, in the middle of a record.
			rest := LSN(binary.LittleEndian.Uint32(w.page[16:]))
			if room := w.pageAt + LSN(w.Page) - at; rest >= room {
				w.next = w.pageAt + LSN(w.Page)
				continue
			}
			at = align(at + rest)
		}
		w.next = at
		if at < w.pageAt+LSN(w.Page) {
			return nil
		}
	}
}

func align(l LSN) LSN { return (l + 7) &^ 7 }

// read returns the next record; errEnds where what was received ends, and damage where
// what was received is not what has to be there.
func (w *walk) read() (record, error) {
	for {
		rec, again, err := w.try()
		if err != nil || !again {
			return rec, err
		}
	}
}

// try reads a record. again says that a crash had given it up, and the log goes on
// elsewhere.
func (w *walk) try() (rec record, again bool, err error) {
	le := binary.LittleEndian
	if err := w.begin(); err != nil {
		return rec, false, err
	}
	at := w.next
	if at+4 > w.limit {
		return rec, false, errEnds
	}
	length := LSN(le.Uint32(w.page[at-w.pageAt:]))
	switch {
	case length == 0:
		return rec, false, &damage{backup.FaultTruncated, at, "nothing was written here"}
	case length < recordHeader || length > 1<<30:
		return rec, false, &damage{backup.FaultTruncated, at, "this is no record"}
	}
	body := make([]byte, 0, min(int(length), 1<<20)) // #nosec G115 -- bounded
	pos := at
	for {
		if err := w.load(pos); err != nil {
			return rec, false, err
		}
		if pos == w.pageAt {
			if w.page[2]&pageOverwrite != 0 {
				w.next, w.prev = w.pageAt+w.headSize(), 0
				return rec, true, nil
			}
			if w.page[2]&pageContinues == 0 || LSN(le.Uint32(w.page[16:])) != length-LSN(len(body)) {
				return rec, false, &damage{backup.FaultTruncated, at, "the record is not continued on the next page"}
			}
			pos += w.headSize()
		}
		n := min(length-LSN(len(body)), w.pageAt+LSN(w.Page)-pos)
		cut := pos+n > w.limit
		if cut {
			n = w.limit - pos
		}
		body = append(body, w.page[pos-w.pageAt:pos-w.pageAt+n]...)
		if prev := w.follows(body); prev != w.prev {
			return rec, false, &damage{backup.FaultForked, at, "the record follows on " + prev.String() + ", not on " + w.prev.String()}
		}
		if cut {
			return rec, false, errEnds
		}
		pos += n
		if LSN(len(body)) == length {
			break
		}
	}
	sum := crc32.Update(crc32.Checksum(body[recordHeader:], castagnoli), castagnoli, body[:20])
	if sum != le.Uint32(body[20:]) {
		return rec, false, &damage{backup.FaultTruncated, at, "the record fails its checksum"}
	}
	end := align(pos)
	rec = record{at: at, end: end, by: le.Uint32(body[4:]), xact: xactTime(body), commit: commitOf(body), isSwitch: body[17] == rmXLOG && body[16]&0xf0 == infoSwitch}
	w.prev, w.next, w.last = at, end, end
	if rec.isSwitch {
		w.next = w.start(pos-1) + LSN(w.Segment)
	}
	return rec, false, nil
}

// follows is where the record before this one begins, as far as that can be told.
func (w *walk) follows(body []byte) LSN {
	if w.prev == 0 || len(body) < 16 {
		return w.prev
	}
	return LSN(binary.LittleEndian.Uint64(body[8:]))
}
