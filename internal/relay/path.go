package relay

import (
	"errors"
	"strings"
)

var errDots = errors.New("relay: dot segments in the path")

// plainPath is a path as routes, blocks and limits compare it: escapes of
// characters that need none are undone, as they make no difference (RFC 3986,
// 6.2.2.2), and servers undo them. Upstream goes what came. ok is false for a
// path with dot segments, however written: where it leads is for each server to
// say, so that one route could be asked for what is another's.
func plainPath(path string) (plain string, ok bool) {
	if strings.IndexByte(path, '%') >= 0 {
		path = unescape(path)
	} else if !strings.Contains(path, "/.") && strings.IndexByte(path, '\\') < 0 {
		return path, true
	}
	for rest := path; rest != ""; {
		var segment string
		segment, rest = cutSegment(rest)
		segment, _, _ = strings.Cut(segment, ";") // parameters, to some
		if segment == "." || segment == ".." {
			return path, false
		}
	}
	return path, true
}

// cutSegment cuts at the first thing that anybody takes for a slash.
func cutSegment(path string) (segment, rest string) {
	for i := range len(path) {
		switch {
		case path[i] == '/' || path[i] == '\\':
			return path[:i], path[i+1:]
		case path[i] == '%' && len(path) >= i+3:
			if code := path[i+1 : i+3]; strings.EqualFold(code, "2f") || strings.EqualFold(code, "5c") {
				return path[:i], path[i+3:]
			}
		}
	}
	return path, ""
}

func unescape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			high, low := hexDigit(path[i+1]), hexDigit(path[i+2])
			if c := byte(high<<4 | low); high >= 0 && low >= 0 && unreserved(c) { // #nosec G115 -- two digits
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func unreserved(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
