package main

import (
	"slices"
	"testing"
	"testing/fstest"
)

func TestBrokenLinks(t *testing.T) {
	tree := fstest.MapFS{
		"README.md":   {Data: []byte("[a](docs/a.md) [b](docs/b.md)\n[c](https://example.org/c) [d](#d)")},
		"docs/a.md":   {Data: []byte("[up](../README.md) [part](a.md#part) [e](e.md)")},
		"docs/x/y.md": {Data: []byte("[folder](../x)")},
	}
	faults, err := broken(tree, []string{"README.md", "docs/a.md", "docs/x/y.md"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"README.md:1: docs/b.md is not there", "docs/a.md:1: e.md is not there"}
	if !slices.Equal(faults, want) {
		t.Errorf("faults %q, want %q", faults, want)
	}
}

func TestPagesOfTwoLanguagesLeadToEachOther(t *testing.T) {
	tree := fstest.MapFS{
		"docs/a.md":    {Data: []byte("[中文](a.zh.md)")},
		"docs/a.zh.md": {Data: []byte("[English](a.md)")},
		"docs/b.md":    {Data: []byte("# B")},
		"docs/b.zh.md": {Data: []byte("[English](b.md)")},
		"docs/c.md":    {Data: []byte("[中文](c.zh.md)")},
		"docs/c.zh.md": {Data: []byte("# C")},
		"docs/d.md":    {Data: []byte("in English only")},
	}
	faults, err := unpaired(tree, []string{"docs/a.md", "docs/a.zh.md", "docs/b.zh.md", "docs/c.zh.md", "docs/d.md"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"docs/b.md: no link to b.zh.md", "docs/c.zh.md: no link to c.md"}
	if !slices.Equal(faults, want) {
		t.Errorf("faults %q, want %q", faults, want)
	}
}
