package mysql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	logMagic   = "\xfebin"
	eventHead  = 19
	describes  = 15 // the kind of the event that says how the others look
	mostHead   = 1 << 16
	firstEvent = 4
)

// event is one of a binary log, as far as its head tells.
type event struct {
	made       time.Time // zero: nothing tells
	kind       byte
	start, end int64
}

// events reads the heads of whole events from an offset on, up to a limit, and returns
// where the last of them ends.
func events(f io.ReaderAt, from, limit int64, each func(event) bool) (end int64, err error) {
	var head [eventHead]byte
	for from+eventHead <= limit {
		if _, err := f.ReadAt(head[:], from); err != nil {
			if errors.Is(err, io.EOF) {
				return from, nil
			}
			return from, err
		}
		size := int64(binary.LittleEndian.Uint32(head[9:]))
		if size < eventHead {
			return from, fmt.Errorf("an event of %d bytes at %d", size, from)
		}
		if from+size > limit {
			return from, nil
		}
		e := event{kind: head[4], start: from, end: from + size}
		if made := binary.LittleEndian.Uint32(head[:]); made != 0 {
			e.made = time.Unix(int64(made), 0)
		}
		if !each(e) {
			return from, nil
		}
		from += size
	}
	return from, nil
}

// headOf is what a log's file begins with, without which nothing in it can be read; nil
// while it is not there.
func headOf(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var end int64
	if _, err := events(f, firstEvent, info.Size(), func(e event) bool {
		if e.kind == describes {
			end = e.end
		}
		return false
	}); err != nil || end == 0 || end > mostHead {
		return nil, err
	}
	head := make([]byte, end)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if string(head[:4]) != logMagic {
		return nil, errors.New("no binary log")
	}
	return head, nil
}
