package identity

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// string scans the string at the cursor and returns it decoded: a part of the
// body where nothing is escaped. The body is known to be valid UTF-8.
func (s *scanner) string() ([]byte, error) {
	s.i++ // the quote
	start := s.i
	for s.i < len(s.b) {
		for s.i+8 <= len(s.b) && plainText(binary.LittleEndian.Uint64(s.b[s.i:])) {
			s.i += 8
		}
		if s.i == len(s.b) {
			break
		}
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], nil
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			return nil, badBody("a control character in a string")
		default:
			s.i++
		}
	}
	return nil, badBody("a string has no end")
}

// plainText reports whether eight bytes are all within a string: no quote, no
// backslash, no control character.
func plainText(v uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := v^ones*'"', v^ones*'\\'
	return ((quote-ones)&^quote|(slash-ones)&^slash|(v-ones*' ')&^v)&tops == 0
}

// escaped goes on with a string in which an escape was met.
func (s *scanner) escaped(start int) ([]byte, error) {
	out := append([]byte(nil), s.b[start:s.i]...)
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return out, nil
		case c < ' ':
			return nil, badBody("a control character in a string")
		case c == '\\':
			r, ok := s.escape()
			if !ok {
				return nil, badBody("not an escape")
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
	}
	return nil, badBody("a string has no end")
}

// escape reads one escape after its backslash; half of a surrogate pair is none.
func (s *scanner) escape() (rune, bool) {
	if s.i >= len(s.b) {
		return 0, false
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		r, ok := s.hex()
		if !ok || !utf16.IsSurrogate(r) {
			return r, ok
		}
		if !s.at('\\') || !s.at('u') {
			return 0, false
		}
		low, ok := s.hex()
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, false
		}
		return r, ok
	}
	return 0, false
}

func (s *scanner) hex() (rune, bool) {
	if len(s.b)-s.i < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.i += 4
	return r, true
}
