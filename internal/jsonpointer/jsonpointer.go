// Package jsonpointer reads and writes JSON pointers (RFC 6901): the names on
// the way to a value. What stands there is for those to find who read the body.
package jsonpointer

import (
	"fmt"
	"strings"
)

var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~0", "~", "~1", "/")
)

// Parse returns the names of a pointer; the empty text, which has none, points
// at the whole body.
func Parse(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, fmt.Errorf("JSON pointer %q does not begin with a slash", text)
	}
	names := strings.Split(text[1:], "/")
	for n, name := range names {
		for i := range len(name) {
			if name[i] == '~' && (i+1 == len(name) || name[i+1] != '0' && name[i+1] != '1') {
				return nil, fmt.Errorf("JSON pointer %q: a tilde is written ~0", text)
			}
		}
		names[n] = unescape.Replace(name)
	}
	return names, nil
}

// Escape writes one name as a pointer has it.
func Escape(name string) string { return escape.Replace(name) }
