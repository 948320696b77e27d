package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"holdfast/internal/backup"
)

// LSN is a place in the write-ahead log.
type LSN uint64

func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint32(l>>32), uint32(l)) } // #nosec G115 -- its halves

func parseLSN(s string) (LSN, error) {
	high, low, ok := strings.Cut(s, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no place in a write-ahead log", s)
	}
	return LSN(h<<32 | l), nil
}

// line is the course of a log: one system, one timeline, segments of one size.
type line struct {
	System   string `json:"system"`
	Timeline uint32 `json:"timeline"`
	Segment  uint64 `json:"segment"` // bytes
	Page     uint64 `json:"page"`
}

func (l line) at(lsn LSN) backup.Position {
	return backup.Position{System: l.System, Timeline: l.Timeline, At: lsn.String()}
}

// start is where the segment begins that lsn is in.
func (l line) start(lsn LSN) LSN { return lsn - lsn%LSN(l.Segment) }

// file is the name of the segment that lsn is in.
func (l line) file(lsn LSN) string {
	number, each := uint64(lsn)/l.Segment, uint64(1<<32)/l.Segment
	return fmt.Sprintf("%08X%08X%08X", l.Timeline, number/each, number%each)
}
