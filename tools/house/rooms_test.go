package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestUnlisted(t *testing.T) {
	tree := fstest.MapFS{plan: {Data: []byte("| bytes | `internal/journal`, and below `internal/loop` |\n")}}
	files := []string{"cmd/holdfast/main.go", "internal/journal/log.go", "internal/journal/journaltest/doc.go", "internal/loop/loop.go", "internal/loopback/doc.go", "internal/loopback/loopback.go"}
	faults, err := unlisted(tree, files)
	if want := []string{plan + " does not name internal/loopback"}; err != nil || !slices.Equal(faults, want) {
		t.Errorf("%q, %v; want %q", faults, err, want)
	}
}
