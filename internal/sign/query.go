package sign

import (
	"net/url"
	"slices"
	"strings"
)

// pair is one parameter of a query or form, decoded.
type pair struct{ name, value string }

// pairs parses a query or form; what can't be decoded stays as it is.
func pairs(raw string) []pair {
	var out []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, pair{decoded(name), decoded(value)})
	}
	return out
}

func decoded(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// unescapePath decodes a part of a path.
func unescapePath(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// setQuery puts a parameter in the place of all of its name, and leaves the
// others as they were written.
func setQuery(target, name, value string) string {
	path, query, _ := strings.Cut(target, "?")
	kept := strings.Split(query, "&")
	kept = slices.DeleteFunc(kept, func(part string) bool {
		n, _, _ := strings.Cut(part, "=")
		return part == "" || decoded(n) == name
	})
	kept = append(kept, name+"="+escape(value))
	return path + "?" + strings.Join(kept, "&")
}

// escape percent-encodes all but unreserved characters (RFC 3986).
func escape(text string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// sorted writes parameters in the order of their encoded names and values.
func sorted(list []pair) string {
	parts := make([]string, len(list))
	slices.SortFunc(list, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	for i, p := range list {
		parts[i] = escape(p.name) + "=" + escape(p.value)
	}
	return strings.Join(parts, "&")
}
