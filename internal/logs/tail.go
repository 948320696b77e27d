package logs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Bounds of what is followed.
const (
	maxFiles  = 200
	firstPart = 256      // bytes by which a file is known, beside its inode
	chunk     = 64 << 10 // bytes that are read at once
	eachPoll  = 64 << 20 // bytes of a file that are read before the others have their turn
)

// compressed are endings of files that were rotated and packed: what is in them
// was read before.
var compressed = []string{".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".tgz", ".Z"}

// mark is how far a file was read.
type mark struct {
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	First  string `json:"first"`  // checksum of the first bytes
	Known  int64  `json:"known"`  // how many those are
	Offset int64  `json:"offset"` // of the first byte that no record counted has
}

// tail is a file that is followed.
type tail struct {
	mark
	file   *os.File
	read   int64  // offset of what is read next
	rest   []byte // of a line that is not complete
	long   bool   // the line is longer than is looked at
	ends   int64  // where the last complete line ends
	folder folder
	gone   bool      // its name is another file's, or nobody's
	grew   time.Time // when something was read last
}

func identity(info fs.FileInfo) (device, inode uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino // #nosec G115 -- a number of the kernel, only compared
	}
	return 0, 0
}

// found is a file as it was found.
type found struct {
	path          string
	device, inode uint64
	size          int64
}

// find lists the files of a glob that lie within the folders. ErrFolder says
// that there are others, which a link leads to; they are left out.
func (in folders) find(glob string) ([]found, error) {
	paths, err := filepath.Glob(glob)
	if err != nil {
		return nil, err
	}
	var all []found
	var outside error
	for _, path := range paths {
		if slices.ContainsFunc(compressed, func(end string) bool { return strings.HasSuffix(path, end) }) {
			continue
		}
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // gone meanwhile, or a pipe that would never end
		}
		if _, _, err := in.place(path); err != nil {
			if errors.Is(err, ErrFolder) {
				outside = err
			}
			continue
		}
		f := found{path: path, size: info.Size()}
		f.device, f.inode = identity(info)
		if !slices.ContainsFunc(all, func(o found) bool { return o.device == f.device && o.inode == f.inode }) {
			all = append(all, f)
		}
		if len(all) == maxFiles {
			break
		}
	}
	return all, outside
}

// first is the checksum of a file's first n bytes, or of as many as there are.
func first(f *os.File, n int64) (sum string, length int64, err error) {
	head := make([]byte, n)
	got, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	hash := sha256.Sum256(head[:got])
	return hex.EncodeToString(hash[:8]), int64(got), nil
}

// open opens a file and compares it with its mark: same says that it is the one
// that was read before.
func (in folders) open(path string, m mark) (t *tail, same bool, err error) {
	file, err := in.file(path)
	if err != nil {
		return nil, false, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, false, errors.Join(err, file.Close())
	}
	t = &tail{file: file, mark: mark{Path: path}}
	t.Device, t.Inode = identity(info)
	if m.Known > 0 {
		if sum, n, err := first(file, m.Known); err == nil && n == m.Known && sum == m.First && info.Size() >= m.Offset {
			same = true
			t.First, t.Known, t.Offset = m.First, m.Known, m.Offset
		}
	} else if m.Inode == t.Inode && m.Device == t.Device && m.Offset == 0 && m.Path != "" {
		same = true // it was empty
	}
	t.read, t.ends = t.Offset, t.Offset
	return t, same, nil
}

// skip begins at the end: what stood there before is nobody's business now.
func (t *tail) skip(size int64) {
	t.Offset, t.read, t.ends = size, size, size
}

// truncated notices that the file was emptied, or that another content stands in
// its place, and begins again.
func (t *tail) truncated() (bool, error) {
	info, err := t.file.Stat()
	if err != nil {
		return false, err
	}
	sum, n, err := first(t.file, max(t.Known, 1))
	if err != nil {
		return false, err
	}
	if info.Size() >= t.read && (t.Known == 0 || n == t.Known && sum == t.First) {
		return false, nil
	}
	t.mark = mark{Path: t.Path, Device: t.Device, Inode: t.Inode}
	t.read, t.ends, t.rest, t.long = 0, 0, nil, false
	return true, nil
}

// learn keeps the first bytes, as soon as there are some.
func (t *tail) learn() error {
	if t.Known >= firstPart {
		return nil
	}
	sum, n, err := first(t.file, firstPart)
	if err == nil {
		t.First, t.Known = sum, n
	}
	return err
}

// drain reads what is there and hands on each line with the offset where it
// begins. more says that there may be more.
func (t *tail) drain(buffer []byte, line func(text []byte, begins int64)) (more bool, n int64, err error) {
	for n < eachPoll {
		got, err := t.file.ReadAt(buffer, t.read)
		if got > 0 && t.Known < firstPart {
			if err := t.learn(); err != nil {
				return false, n, err
			}
		}
		t.split(buffer[:got], line)
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return false, n, nil
		}
		if err != nil {
			return false, n, err
		}
	}
	return true, n, nil
}

func (t *tail) split(part []byte, line func([]byte, int64)) {
	for len(part) > 0 {
		i := bytes.IndexByte(part, '\n')
		if i < 0 {
			t.keep(part)
			t.read += int64(len(part))
			return
		}
		text := part[:i]
		t.read += int64(i + 1)
		part = part[i+1:]
		if len(t.rest) > 0 || t.long {
			t.keep(text)
			text = t.rest
		}
		if len(text) > maxLine {
			text = text[:maxLine]
		}
		begins := t.ends
		t.ends = t.read
		line(text, begins)
		t.rest, t.long = t.rest[:0], false
	}
}

// keep holds on to a part of a line, as far as it is looked at.
func (t *tail) keep(part []byte) {
	room := maxLine - len(t.rest)
	if room < len(part) {
		part, t.long = part[:room], true
	}
	t.rest = append(t.rest, part...)
}

// last hands on a line that nothing ends, of a file that will not grow.
func (t *tail) last(line func([]byte, int64)) {
	if len(t.rest) > 0 {
		begins := t.ends
		t.ends = t.read
		line(t.rest, begins)
		t.rest, t.long = t.rest[:0], false
	}
}
