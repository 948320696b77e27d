package sqlite

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"holdfast/internal/backup"
	"holdfast/internal/backup/records"
	"holdfast/internal/backup/tally"
)

const (
	magic      = "HFSQLITE 1"
	indexMagic = "HFSQLITEINDEX 1"

	recHeader = 'h'
	recPage   = 'p' // number (4 bytes, little-endian), content
	recHashes = 'i'
	recEnd    = 't'
)

type header struct {
	Type     string          `json:"type"`
	From, To backup.Position `json:",omitzero"`
	PageSize int             `json:"page_size"`
	Pages    uint32          `json:"pages"`
}

const hashSize = 16

// index is what is known of the newest piece: the hash of each page, and how far its
// write-ahead log was read.
type index struct {
	Header header `json:"header"`
	WAL    place  `json:"wal"`
	Change uint32 `json:"change"` // the file's own count of changes, which a log does not move
	hashes []byte
}

func (x *index) hash(page uint32) []byte {
	return x.hashes[(page-1)*hashSize : page*hashSize]
}

func pageHash(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:hashSize]
}

// figures are over the pages.
func (x *index) figures() []backup.Figure {
	var total tally.Total
	var b [4 + hashSize]byte
	for page := uint32(1); page <= x.Header.Pages; page++ {
		binary.LittleEndian.PutUint32(b[:], page)
		copy(b[4:], x.hash(page))
		total.Add(sha256.Sum256(b[:]))
	}
	return []backup.Figure{
		{Of: "database", Measure: "pages", Value: strconv.FormatUint(uint64(x.Header.Pages), 10)},
		{Of: "database", Measure: "hash", Value: total.Hash()},
	}
}

// resize makes room for the pages that there are now.
func (x *index) resize(pages uint32) {
	n := int(pages) * hashSize
	if n > len(x.hashes) {
		x.hashes = append(x.hashes, make([]byte, n-len(x.hashes))...)
	}
	x.hashes = x.hashes[:n]
	x.Header.Pages = pages
}

func (x *index) write(w io.Writer) error {
	out, err := records.NewWriter(w, indexMagic)
	if err != nil {
		return err
	}
	if err := out.PutJSON(recHeader, x); err != nil {
		return err
	}
	for rest := x.hashes; len(rest) > 0; {
		n := min(len(rest), 1<<20)
		if err := out.Put(recHashes, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return out.Close()
}

func readIndex(r io.Reader) (*index, error) {
	in, err := records.NewReader(r, indexMagic)
	if err != nil {
		return nil, err
	}
	x := &index{}
	for {
		kind, payload, err := in.Next()
		if err == io.EOF { //nolint:errorlint // as readers have it
			break
		}
		if err != nil {
			return nil, err
		}
		if kind == recHeader {
			if err := json.Unmarshal(payload, x); err != nil {
				return nil, fmt.Errorf("%w: %w", records.ErrDamaged, err)
			}
			continue
		}
		x.hashes = append(x.hashes, payload...)
	}
	if len(x.hashes) != int(x.Header.Pages)*hashSize {
		return nil, records.ErrDamaged
	}
	return x, nil
}

func (x *index) clone() *index {
	c := *x
	c.hashes = bytes.Clone(x.hashes)
	return &c
}
