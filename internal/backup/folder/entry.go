package folder

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/backup"
	"holdfast/internal/backup/tally"
)

const (
	magic      = "HFFOLDER 1"
	indexMagic = "HFFOLDERINDEX 1"
)

// Kinds of records.
const (
	recHeader  = 'h'
	recFolder  = 'd' // every folder, changed or not
	recLink    = 'l'
	recFile    = 'f' // begins; its chunks follow
	recChunk   = 'c'
	recAgain   = 'r' // what was read of the file does not count; it begins again
	recWhole   = 'e' // the file ends
	recDelete  = 'x' // with everything below it
	recTotals  = 't'
	recIndexed = 'i'
)

type header struct {
	Type     string          `json:"type"`
	From, To backup.Position `json:",omitzero"`
}

// entry is one thing below the folder. Names are bytes: not all are text.
type entry struct {
	Path  []byte `json:"p"`
	Kind  byte   `json:"k"`
	Mode  uint32 `json:"m"`
	UID   int    `json:"u"`
	GID   int    `json:"g"`
	MTime int64  `json:"t"` // nanoseconds
	Size  int64  `json:"s,omitempty"`
	Link  []byte `json:"l,omitempty"`
	Sum   []byte `json:"h,omitempty"`
	Loose bool   `json:"w,omitempty"` // it gave no rest while it was read
}

// indexed is what is known of an entry of the newest piece.
type indexed struct {
	entry
	CTime int64  `json:"c"`
	Inode uint64 `json:"i"`
	Read  int64  `json:"r"` // when reading it began
}

// hash stands for what of an entry comes back by restoring, except times.
func (e *entry) hash() [32]byte {
	return sha256.Sum256(tally.AppendRow(nil, []any{e.Path, string(e.Kind), int64(e.Mode), e.Size, e.Link, e.Sum}))
}

// totals are the figures of a tree.
type totals struct {
	tree  tally.Total
	files int64
	bytes int64
	loose int64
}

func (t *totals) add(e *entry) {
	t.tree.Add(e.hash())
	if e.Kind == recFile {
		t.files++
		t.bytes += e.Size
	}
	if e.Loose {
		t.loose++
	}
}

func (t *totals) figures() []backup.Figure {
	n := func(i int64) string { return strconv.FormatInt(i, 10) }
	return []backup.Figure{
		{Of: ".", Measure: "files", Value: n(t.files)},
		{Of: ".", Measure: "bytes", Value: n(t.bytes)},
		{Of: ".", Measure: "entries", Value: t.tree.Count()},
		{Of: ".", Measure: "hash", Value: t.tree.Hash()},
		{Of: ".", Measure: "unsettled", Value: n(t.loose)},
	}
}

// order compares paths as a walk meets them: a folder, what is in it, the next name.
func order(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// below reports whether a path is in a folder, at whatever depth.
func below(path, folder []byte) bool {
	return len(path) > len(folder) && path[len(folder)] == '/' && bytes.HasPrefix(path, folder)
}

var errPath = errors.New("a path that leads elsewhere")

// checkPath lets only such paths pass as a walk gives.
func checkPath(path []byte) error {
	p := string(path)
	ok := fs.ValidPath(latin(p)) && p != "." && len(p) <= 4096 && !strings.ContainsRune(p, 0)
	for part := range strings.SplitSeq(p, "/") {
		ok = ok && len(part) <= 255
	}
	if !ok {
		return fmt.Errorf("%w: %q", errPath, p[:min(len(p), 200)])
	}
	return nil
}

// latin makes any bytes text that has slashes and dots where they have, as fs.ValidPath
// refuses what is no text.
func latin(p string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		return 'x'
	}, p)
}

func decode(payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("a record can't be read: %w", err)
	}
	return nil
}

// sortNames sorts what is in one folder as order does.
func sortNames(names []fs.DirEntry) {
	slices.SortFunc(names, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
}
