package sqlite

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// place is a place in a write-ahead log, behind a commit.
type place struct {
	Salt   uint64 `json:"salt"` // new whenever the log begins anew
	Frames int64  `json:"frames"`
	Sum    [2]uint32
}

const (
	walHead   = 32
	frameHead = 24
	walMagic  = 0x377f0682 // the lowest bit: whether sums are big-endian
)

// walOpen opens the log of a database and reads its head; nil without a log.
func walOpen(path string) (w *walReader, err error) {
	// This file bears none of SQLite's locks: closing it lets go of none.
	f, err := os.Open(path + "-wal") // #nosec G304 -- the operator names the database
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if w == nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var head [walHead]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return nil, err
	}
	if binary.BigEndian.Uint32(head[:])&^1 != walMagic {
		return nil, nil
	}
	w = &walReader{f: f, order: binary.LittleEndian, page: int64(binary.BigEndian.Uint32(head[8:]))}
	if head[3]&1 == 1 {
		w.order = binary.BigEndian
	}
	w.start = place{Salt: binary.BigEndian.Uint64(head[16:]), Sum: w.sum([2]uint32{}, head[:24])}
	if w.start.Sum[0] != binary.BigEndian.Uint32(head[24:]) || w.start.Sum[1] != binary.BigEndian.Uint32(head[28:]) {
		return nil, nil // its head is being written
	}
	return w, nil
}

// walSalt is the salt of a database's log; 0 without one.
func walSalt(path string) (uint64, error) {
	w, err := walOpen(path)
	if w == nil {
		return 0, err
	}
	return w.start.Salt, w.f.Close()
}

// walSince reads the log of a database from a place on: where its last commit among the
// first frames ends, and which pages stand in it behind the place, whoever may see them.
// It goes on from the place only if the log did; without a log the zero place is returned.
func walSince(path string, from place, frames int64) (to place, pages map[uint32]struct{}, goesOn bool, err error) {
	w, err := walOpen(path)
	if w == nil {
		return place{}, nil, false, err
	}
	defer func() { err = errors.Join(err, w.f.Close()) }()
	to = w.start
	if from.Salt == to.Salt && from.Salt != 0 {
		to, goesOn = from, true
	}
	pages = map[uint32]struct{}{}
	if to, err = w.read(to, pages, frames); err != nil {
		return place{}, nil, false, err
	}
	var again [8]byte
	if _, err := w.f.ReadAt(again[:], 16); err != nil || binary.BigEndian.Uint64(again[:]) != to.Salt {
		return place{}, nil, false, err // it began anew while it was read
	}
	return to, pages, goesOn, nil
}

type walReader struct {
	f     *os.File
	start place // before its first frame
	page  int64
	order binary.ByteOrder
}

// read reads whole frames; the place is behind the last commit among those that count.
func (w *walReader) read(at place, pages map[uint32]struct{}, frames int64) (place, error) {
	frame := make([]byte, frameHead+w.page)
	sum := at.Sum
	for n := at.Frames; ; n++ {
		_, err := w.f.ReadAt(frame, walHead+n*int64(len(frame)))
		if errors.Is(err, io.EOF) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
		sum = w.sum(w.sum(sum, frame[:8]), frame[frameHead:])
		if binary.BigEndian.Uint64(frame[8:]) != at.Salt || binary.BigEndian.Uint32(frame[16:]) != sum[0] || binary.BigEndian.Uint32(frame[20:]) != sum[1] {
			return at, nil
		}
		pages[binary.BigEndian.Uint32(frame)] = struct{}{}
		if n < frames && binary.BigEndian.Uint32(frame[4:]) != 0 {
			at.Frames, at.Sum = n+1, sum
		}
	}
}

// sum goes on with the log's checksum.
func (w *walReader) sum(s [2]uint32, b []byte) [2]uint32 {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += w.order.Uint32(b) + s[1]
		s[1] += w.order.Uint32(b[4:]) + s[0]
	}
	return s
}
