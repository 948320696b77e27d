package jsonpointer_test

import (
	"slices"
	"strings"
	"testing"

	"holdfast/internal/jsonpointer"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]string{
		"":              nil,
		"/":             {""},
		"/a/0/b":        {"a", "0", "b"},
		"/a~1b/~0/~01x": {"a/b", "~", "~1x"},
	} {
		got, err := jsonpointer.Parse(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %q, %v; want %q", text, got, err, want)
		}
		var back strings.Builder
		for _, name := range got {
			back.WriteString("/" + jsonpointer.Escape(name))
		}
		if back.String() != text {
			t.Errorf("%q is written back as %q", text, back.String())
		}
	}
	for _, bad := range []string{"a", "a/b", "/a~", "/~2", "/~/b", "$.a"} {
		if names, err := jsonpointer.Parse(bad); err == nil {
			t.Errorf("%q is read as %q", bad, names)
		}
	}
}
