package http

import (
	"encoding/json"
	"strconv"
)

// Find follows a pointer through a decoded body.
func Find(value any, pointer []string) (any, bool) {
	for _, name := range pointer {
		switch v := value.(type) {
		case map[string]any:
			found, ok := v[name]
			if !ok {
				return nil, false
			}
			value = found
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) || strconv.Itoa(i) != name {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// Scalar is a value's text; objects and lists have none.
func Scalar(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	case nil:
		return "null", true
	}
	return "", false
}
