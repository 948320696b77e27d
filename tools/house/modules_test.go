package main

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestUndecidedModules(t *testing.T) {
	tree := fstest.MapFS{
		"go.mod": {Data: []byte(`module m
go 1.26.0
require (
	github.com/a/decided/v5 v5.0.0
	github.com/a/forgotten v1.0.0
	example.org/x/decided v1.0.0
	example.org/via v1.0.0 // indirect
)`)},
		decisions: {Data: []byte("| a/decided | x | MIT |\n| example.org/x/decided | x | MIT |\n")},
	}
	faults, err := undecided(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(faults) != 1 || !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, "a/forgotten") }) {
		t.Errorf("faults %q, want one, of a/forgotten", faults)
	}
}
