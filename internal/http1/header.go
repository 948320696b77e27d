package http1

import (
	"strings"

	"holdfast/internal/continuity"
)

// Get returns the first value of a field, by name without regard to case, or "".
func Get(header []continuity.Field, name string) string {
	for _, f := range header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
