package journal

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"holdfast/internal/continuity"
)

const (
	frameHead = 16
	sealBytes = 16 // what GCM adds
	align     = 8

	// tailBytes at a segment's end take retired notes only.
	tailBytes = 96
)

// Kinds of the log's own notes. Entries stay below.
const (
	noteOpened  continuity.Kind = 240
	noteSynced  continuity.Kind = 241
	noteRetired continuity.Kind = 242
)

const (
	openedBytes  = frameHead + 16 // 12 bytes of payload, padded
	syncedBytes  = frameHead
	retiredBytes = frameHead + 8

	// firstFrame is where the opened note stands, firstEntry where the first
	// entry does.
	firstFrame = headerBytes
	firstEntry = headerBytes + openedBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Size returns how many bytes an entry with a payload of n bytes takes on
// disk, with the synced note that may follow it. Reserve counts in this.
func Size(n int) int64 { return entryBytes(n) + syncedBytes }

func entryBytes(n int) int64 { return frameBytes(noteOpened-1, n) }

func frameBytes(kind continuity.Kind, n int) int64 {
	size := int64(frameHead) + int64(n)
	if kind < noteOpened {
		size += sealBytes
	}
	return (size + align - 1) &^ (align - 1)
}

func position(seq uint32, off int64) continuity.Position {
	return continuity.Position(seq)<<32 | continuity.Position(off) // #nosec G115 -- offsets are below 4 GiB
}

func split(at continuity.Position) (seq uint32, off int64) {
	return uint32(at >> 32), int64(at & 0xffffffff) // #nosec G115 -- halves of 64 bits
}

// frame is a whole frame; raw aliases the buffer it was read into.
type frame struct {
	off    int64
	kind   continuity.Kind
	synced int64
	length int
	raw    []byte
}

func (f frame) end() int64 { return f.off + int64(len(f.raw)) }

func (f frame) note() bool { return f.kind >= noteOpened }

func (f frame) payload() []byte {
	n := f.length
	if !f.note() {
		n += sealBytes
	}
	return f.raw[frameHead : frameHead+n]
}

// opened reads an opened note.
func (f frame) opened() (previousEnd continuity.Position, first uint32, ok bool) {
	if f.kind != noteOpened || f.length != 12 {
		return 0, 0, false
	}
	p := f.payload()
	return continuity.Position(binary.LittleEndian.Uint64(p)), binary.LittleEndian.Uint32(p[8:]), true
}

// retired reads a retired note.
func (f frame) retired() (first uint32, ok bool) {
	if f.kind != noteRetired || f.length != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(f.payload()), true
}

// frameFormat knows the segment that frames belong to.
type frameFormat struct {
	seq   uint32
	epoch uint64
	size  int64 // of the segment
}

func (s frameFormat) checksum(off int64, frame []byte) uint32 {
	crc := checksum64(checksum64(^uint32(0), s.epoch), uint64(position(s.seq, off)))
	return crc32.Update(^crc, castagnoli, frame[4:])
}

// checksum64 goes on with the eight bytes of n. Through package crc32 they
// would have to be allocated.
func checksum64(crc uint32, n uint64) uint32 {
	for range 8 {
		crc = castagnoli[byte(crc)^byte(n)] ^ crc>>8 // #nosec G115 -- the lowest byte is meant
		n >>= 8
	}
	return crc
}

// head reads what a frame header claims; ok is false where no frame of this
// segment can begin so.
func (s frameFormat) head(off int64, b []byte) (f frame, total int64, ok bool) {
	length := binary.LittleEndian.Uint32(b[4:])
	f = frame{off: off, kind: continuity.Kind(b[12]), synced: int64(binary.LittleEndian.Uint32(b[8:]))}
	total = frameBytes(f.kind, int(length))
	if f.kind == 0 || f.kind > noteRetired || b[13]|b[14]|b[15] != 0 || f.synced > off || f.synced < firstFrame || off+total > s.size {
		return frame{}, 0, false
	}
	f.length = int(length)
	return f, total, true
}

// read returns the frame at off, or ok false where there is no whole one.
func (s frameFormat) read(w *window, off int64) (f frame, ok bool, err error) {
	if off < firstFrame || off%align != 0 || off+frameHead > min(s.size, w.size) {
		return frame{}, false, nil
	}
	b, err := w.bytes(off, frameHead)
	if err != nil {
		return frame{}, false, err
	}
	f, total, ok := s.head(off, b)
	if !ok || off+total > w.size {
		return frame{}, false, nil
	}
	if b, err = w.bytes(off, int(total)); err != nil {
		return frame{}, false, err
	}
	if binary.LittleEndian.Uint32(b) != s.checksum(off, b) {
		return frame{}, false, nil
	}
	f.raw = b
	return f, true, nil
}

// append adds a frame that will stand at off to buf. A nil seal leaves the
// payload as it is.
func (s frameFormat) append(buf []byte, off, synced int64, kind continuity.Kind, payload []byte, seal *sealer) []byte {
	start := len(buf)
	buf = append(buf, zeroHead[:]...)
	head := buf[start:]
	binary.LittleEndian.PutUint32(head[4:], uint32(len(payload))) // #nosec G115 -- checked against the segment's size
	binary.LittleEndian.PutUint32(head[8:], uint32(synced))       // #nosec G115 -- offsets are below 4 GiB
	head[12] = byte(kind)
	if seal != nil {
		seal.at(off)
		buf = seal.aead.Seal(buf, seal.nonce[:], payload, head[4:])
	} else {
		buf = append(buf, payload...)
	}
	for len(buf)%align != start%align {
		buf = append(buf, 0)
	}
	frame := buf[start:]
	binary.LittleEndian.PutUint32(frame, s.checksum(off, frame))
	return buf
}

// open returns an entry's payload in a new slice.
func (f frame) open(seal *sealer) ([]byte, error) {
	seal.at(f.off)
	return seal.aead.Open(make([]byte, 0, f.length+sealBytes), seal.nonce[:], f.payload(), f.raw[4:frameHead])
}

var zeroHead [frameHead]byte

// sealer is a cipher with room for a nonce, so that none is allocated for each
// frame. One goroutine uses it at a time.
type sealer struct {
	aead  cipher.AEAD
	nonce [12]byte
}

func (s *sealer) at(off int64) {
	binary.BigEndian.PutUint32(s.nonce[8:], uint32(off)) // #nosec G115 -- offsets are below 4 GiB
}

// window reads a file forward through one buffer.
type window struct {
	file  io.ReaderAt
	size  int64 // never read beyond
	ahead int   // how much to read at least
	buf   []byte
	at    int64 // where buf begins
	seal  sealer
}

// bytes returns n bytes at off; they are valid until the next call.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if off >= w.at && off+int64(n) <= w.at+int64(len(w.buf)) {
		return w.buf[off-w.at:][:n], nil
	}
	if off < 0 || off+int64(n) > w.size {
		return nil, io.ErrUnexpectedEOF
	}
	want := int(min(int64(max(n, w.ahead)), w.size-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.at, w.buf = off, w.buf[:want]
	got, err := w.file.ReadAt(w.buf, off)
	if got >= n { // behind it the file may have been cut meanwhile
		w.buf = w.buf[:got]
	} else {
		w.buf = w.buf[:0]
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("read %d bytes at %d: %w", want, off, err)
	}
	return w.buf[:n], nil
}

// forget makes the next call read the file again.
func (w *window) forget() { w.buf = w.buf[:0] }
