package precheck

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version is the numbers of one: 15.3 is 15 and 3.
type Version []int

// spoken is where the version is in what programs say of themselves, as "psql
// (PostgreSQL) 15.3 (Debian 15.3-0+deb12u1)": the first number with a point in it or,
// where there is none, the first number.
var (
	pointed = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)+`)
	number  = regexp.MustCompile(`[0-9]+`)
)

// ParseVersion finds the version in what a program says; nil: there is none.
func ParseVersion(said string) Version {
	found := pointed.FindString(said)
	if found == "" {
		found = number.FindString(said)
	}
	var v Version
	for part := range strings.SplitSeq(found, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		v = append(v, n)
	}
	return v
}

// String is the version as it is written.
func (v Version) String() string {
	parts := make([]string, len(v))
	for i, n := range v {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ".")
}

// compare holds the version against a bound, in as many places as the bound has: 15.3
// is neither more nor less than 15.
func (v Version) compare(bound Version) int {
	for i, b := range bound {
		n := 0
		if i < len(v) {
			n = v[i]
		}
		if c := cmp.Compare(n, b); c != 0 {
			return c
		}
	}
	return 0
}

// Range is which versions fit, as plans write it: ">= 15, < 18". The empty one fits all.
type Range struct {
	text   string
	bounds []bound
}

type bound struct {
	op string
	of Version
}

var boundPattern = regexp.MustCompile(`^(>=|<=|>|<|=)? ?([0-9]+(?:\.[0-9]+)*)$`)

// ParseRange reads a range.
func ParseRange(text string) (Range, error) {
	r := Range{text: text}
	if strings.TrimSpace(text) == "" {
		return r, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		m := boundPattern.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return Range{}, fmt.Errorf("precheck: %q is no range of versions", text)
		}
		of := ParseVersion(m[2])
		if of == nil {
			return Range{}, fmt.Errorf("precheck: %q has a number that is too large", text)
		}
		r.bounds = append(r.bounds, bound{cmp.Or(m[1], "="), of})
	}
	return r, nil
}

// String is the range as it was written.
func (r Range) String() string { return r.text }

// MarshalText implements encoding.TextMarshaler.
func (r Range) MarshalText() ([]byte, error) { return []byte(r.text), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Range) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRange(string(text))
	return err
}

// Any reports whether every version fits.
func (r Range) Any() bool { return len(r.bounds) == 0 }

// Fits reports whether a version is within. None is, where it is not known.
func (r Range) Fits(v Version) bool {
	if len(v) == 0 {
		return r.Any()
	}
	for _, b := range r.bounds {
		c := v.compare(b.of)
		ok := map[string]bool{">=": c >= 0, "<=": c <= 0, ">": c > 0, "<": c < 0, "=": c == 0}[b.op]
		if !ok {
			return false
		}
	}
	return true
}
