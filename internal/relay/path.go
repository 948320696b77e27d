package relay

import (
	"errors"
	"strings"
)

var errDots = errors.New("relay: dot segments in the path")

// plainPath is a path as routes, blocks and limits compare it: escapes of
// characters that need none are undone, as they make no difference (RFC 3986,
// 6.2.2.2), and servers undo them; several slashes are one, as they are to most
// servers, so that //admin is blocked where /admin is. Upstream goes what came.
// ok is false for a path with dot segments, however written: where it leads is
// for each server to say, so that one route could be asked for what is another's.
func plainPath(path string) (plain string, ok bool) {
	if strings.IndexByte(path, '%') >= 0 {
		path = unescape(path)
	} else if !strings.Contains(path, "/.") && !strings.Contains(path, "//") && strings.IndexByte(path, '\\') < 0 {
		return path, true
	}
	path = mergeSlashes(path)
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

// mergeSlashes makes one slash of several in a row, of whatever anybody takes
// for one.
func mergeSlashes(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); {
		n, run := slash(path[i:]), 0
		end := i
		for ; n > 0; n = slash(path[end:]) {
			end, run = end+n, run+1
		}
		switch run {
		case 0:
			b.WriteByte(path[i])
			end = i + 1
		case 1:
			b.WriteString(path[i:end])
		default:
			b.WriteByte('/')
		}
		i = end
	}
	return b.String()
}

// slash is the length of what a path begins with, if anybody takes it for a
// slash; else 0.
func slash(path string) int {
	switch {
	case path == "":
		return 0
	case path[0] == '/' || path[0] == '\\':
		return 1
	case path[0] == '%' && len(path) >= 3:
		if code := path[1:3]; strings.EqualFold(code, "2f") || strings.EqualFold(code, "5c") {
			return 3
		}
	}
	return 0
}

// cutSegment cuts at the first thing that anybody takes for a slash.
func cutSegment(path string) (segment, rest string) {
	for i := range len(path) {
		if n := slash(path[i:]); n > 0 {
			return path[:i], path[i+n:]
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
