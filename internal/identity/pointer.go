package identity

import (
	"fmt"

	"holdfast/internal/jsonpointer"
)

// Pointer is a parsed JSON pointer (RFC 6901).
type Pointer struct{ tokens []string }

// ParsePointer parses a JSON pointer; the empty text points at the whole body.
func ParsePointer(text string) (Pointer, error) {
	tokens, err := jsonpointer.Parse(text)
	if err != nil {
		return Pointer{}, fmt.Errorf("identity: %w", err)
	}
	if len(tokens) > maxDepth {
		return Pointer{}, fmt.Errorf("identity: JSON pointer %q has more than %d levels", text, maxDepth)
	}
	return Pointer{tokens}, nil
}
