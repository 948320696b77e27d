package identity

import (
	"fmt"
	"strings"
)

// Pointer is a parsed JSON pointer (RFC 6901).
type Pointer struct{ tokens []string }

// ParsePointer parses a JSON pointer; the empty text points at the whole body.
func ParsePointer(text string) (Pointer, error) {
	if text == "" {
		return Pointer{}, nil
	}
	if text[0] != '/' {
		return Pointer{}, fmt.Errorf("identity: JSON pointer %q does not begin with a slash", text)
	}
	tokens := strings.Split(text[1:], "/")
	if len(tokens) > maxDepth {
		return Pointer{}, fmt.Errorf("identity: JSON pointer %q has more than %d levels", text, maxDepth)
	}
	for n, t := range tokens {
		for i := 0; i < len(t); i++ {
			if t[i] == '~' && (i+1 == len(t) || t[i+1] != '0' && t[i+1] != '1') {
				return Pointer{}, fmt.Errorf("identity: JSON pointer %q: a tilde is written ~0", text)
			}
		}
		tokens[n] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return Pointer{tokens}, nil
}
