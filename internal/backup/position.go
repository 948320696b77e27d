package backup

import (
	"cmp"
	"strings"
)

// IsZero says that nothing is said of a place.
func (p Position) IsZero() bool { return p == Position{} }

// Along says that both are places in the same course of changes, so that one of them
// is before the other.
func (p Position) Along(q Position) bool { return p.System == q.System && p.Timeline == q.Timeline }

// Compare orders two places along one course: part by part, as /, : and . separate them,
// a shorter part before a longer one. That is right for hexadecimal and decimal numbers
// without leading zeros, and for names that are numbered with a fixed count of digits.
func (p Position) Compare(q Position) int {
	return compareWords(p.At, q.At)
}

func compareWords(a, b string) int {
	for {
		x, restA := word(a)
		y, restB := word(b)
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
		if restA == "" || restB == "" {
			return cmp.Compare(len(restA), len(restB))
		}
		a, b = restA[1:], restB[1:]
	}
}

func word(s string) (first, rest string) {
	if i := strings.IndexAny(s, "/:."); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
