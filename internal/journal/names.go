package journal

import (
	"fmt"
	"strconv"
	"strings"
)

// IdentityFile says which journal a folder holds.
const IdentityFile = "JOURNAL"

// The names of a journal's other files.
const (
	lockName      = "lock"
	tmpSuffix     = ".tmp"
	segmentSuffix = ".segment"
	freePrefix    = "free-"
)

func segmentName(seq uint32) string { return fmt.Sprintf("%08x%s", seq, segmentSuffix) }

func freeName(n uint32) string { return freePrefix + segmentName(n) }

// parseSegmentName reads what segmentName wrote.
func parseSegmentName(name string) (seq uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || segmentName(uint32(n)) != name {
		return 0, false
	}
	return uint32(n), true
}

// parseFreeName reads what freeName wrote.
func parseFreeName(name string) (n uint32, ok bool) {
	rest, ok := strings.CutPrefix(name, freePrefix)
	if !ok {
		return 0, false
	}
	return parseSegmentName(rest)
}
