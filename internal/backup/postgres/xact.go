package postgres

import (
	"encoding/binary"
	"time"
)

// What a record of a transaction's end is, and what it says, of PostgreSQL's xact.h.
const (
	xactOperation      = 0x70 // of the record's info
	xactCommit         = 0x00
	xactAbort          = 0x20
	xactCommitPrepared = 0x30
	xactAbortPrepared  = 0x40
	xactHasMore        = 0x80

	moreDatabase  = 1 << 0
	moreParts     = 1 << 1
	moreFiles     = 1 << 2
	moreMessages  = 1 << 3
	morePrepared  = 1 << 4
	moreStatistic = 1 << 8
)

// commit is a transaction that came to its good end.
type commit struct {
	is bool
	of uint32 // 0: it can't be told
}

// xactData is what a record of a transaction's end says, from the moment on; nil of others.
func xactData(body []byte) []byte {
	if body[17] != rmXact {
		return nil
	}
	switch body[16] & xactOperation {
	case xactCommit, xactAbort, xactCommitPrepared, xactAbortPrepared:
	default:
		return nil
	}
	rest := body[recordHeader:]
	for len(rest) > 0 {
		switch rest[0] {
		case 255: // its own data, short
			rest = rest[min(2, len(rest)):]
		case 254:
			rest = rest[min(5, len(rest)):]
		case 253: // where it came from
			rest = rest[min(3, len(rest)):]
			continue
		case 252: // of which transaction it is a part
			rest = rest[min(5, len(rest)):]
			continue
		default:
			return nil
		}
		if len(rest) < 8 {
			return nil
		}
		return rest
	}
	return nil
}

// xactTime is when a transaction ended, of records of such ends.
func xactTime(body []byte) time.Time {
	data := xactData(body)
	if data == nil {
		return time.Time{}
	}
	return zeroTime.Add(time.Duration(binary.LittleEndian.Uint64(data)) * time.Microsecond) // #nosec G115 -- a signed number
}

func commitOf(body []byte) commit {
	if body[17] != rmXact {
		return commit{}
	}
	switch body[16] & xactOperation {
	case xactCommit:
		return commit{true, binary.LittleEndian.Uint32(body[4:])}
	case xactCommitPrepared:
		return commit{true, prepared(xactData(body), body[16])}
	}
	return commit{}
}

// prepared is the transaction that had been prepared, which is another one than the one
// that ended it; 0 where that can't be told.
func prepared(data []byte, info byte) uint32 {
	le := binary.LittleEndian
	if len(data) < 12 || info&xactHasMore == 0 {
		return 0
	}
	more := le.Uint32(data[8:])
	if more&moreStatistic != 0 { // whose size is another one in each version
		return 0
	}
	data = data[12:]
	if more&moreDatabase != 0 {
		data = data[min(8, len(data)):]
	}
	for _, list := range []struct {
		flag uint32
		each uint64
	}{{moreParts, 4}, {moreFiles, 12}, {moreMessages, 16}} {
		if more&list.flag == 0 {
			continue
		}
		if len(data) < 4 {
			return 0
		}
		skip := 4 + uint64(le.Uint32(data))*list.each
		if skip > uint64(len(data)) {
			return 0
		}
		data = data[skip:]
	}
	if more&morePrepared == 0 || len(data) < 4 {
		return 0
	}
	return le.Uint32(data)
}
