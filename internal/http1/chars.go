package http1

import "strings"

var (
	tokenChar  [256]bool // RFC 9110 section 5.6.2
	valueChar  [256]bool // field values: HTAB, SP, VCHAR, obs-text
	targetChar [256]bool // see parseTarget
	hostChar   [256]bool // names and IPv4 addresses
	hexValue   [256]int8 // -1: no digit
)

func init() {
	for c := range 256 {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		tokenChar[c] = alnum || c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
		valueChar[c] = c == '\t' || c >= 0x20 && c != 0x7f
		targetChar[c] = c > 0x20 && c != 0x7f && c != '#'
		hostChar[c] = alnum || c < 0x80 && strings.IndexByte("-._~!$&'()*+;=", byte(c)) >= 0
		switch {
		case c >= '0' && c <= '9':
			hexValue[c] = int8(c - '0')
		case c >= 'a' && c <= 'f':
			hexValue[c] = int8(c-'a') + 10
		case c >= 'A' && c <= 'F':
			hexValue[c] = int8(c-'A') + 10
		default:
			hexValue[c] = -1
		}
	}
}

func all(s string, table *[256]bool) bool {
	for i := range len(s) {
		if !table[s[i]] {
			return false
		}
	}
	return true
}

// ValidName reports whether s can be the name of a field.
func ValidName(s string) bool { return s != "" && all(s, &tokenChar) }

// ValidValue reports whether s can be the value of a field.
func ValidValue(s string) bool { return all(s, &valueChar) }

// trimOWS cuts optional white space (SP and HTAB only) off both ends.
func trimOWS(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// fold compares ASCII without regard to case; lower is in lower case.
func fold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
