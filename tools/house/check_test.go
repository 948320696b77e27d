package main

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestCheck(t *testing.T) {
	const header = "// Package a is documented.\npackage a\n"
	for _, c := range []struct {
		name, file, source string
		want               string // part of the only fault; empty: none
	}{
		{"as long as allowed", "internal/a/a.go", header + strings.Repeat("// line\n", longest-2), ""},
		{"a line too long", "internal/a/a.go", header + strings.Repeat("// line\n", longest-1), "601 lines"},
		{"sleep outside tests", "internal/a/a.go", header + "import \"time\"\nfunc f() { time.Sleep(1) }\n", ""},
		{"sleep in a test", "internal/a/a_test.go", "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "a_test.go:3:12: time.Sleep"},
		{"sleep under another name", "internal/a/a_test.go", "package a\nimport clock \"time\"\nfunc f() { clock.Sleep(1) }\n", "time.Sleep"},
		{"another Sleep", "internal/a/a_test.go", "package a\nimport \"time\"\nvar _ = time.Second\nfunc f() { b.Sleep(1) }\n", ""},
		{"sleep on a fake clock", "internal/a/a_test.go", "package a\nimport (\"time\"; \"testing\"; \"testing/synctest\")\nfunc TestF(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }\n", ""},
		{"sleep in a helper beside a fake clock", "internal/a/a_test.go", "package a\nimport (\"time\"; \"testing\"; \"testing/synctest\")\nfunc TestF(t *testing.T) { synctest.Test(t, g) }\nfunc g(t *testing.T) { time.Sleep(1) }\n", ""},
		{"skip", "internal/a/a_test.go", "package a\nimport \"testing\"\nfunc f(t *testing.T) { t.Skip() }\n", "skips"},
		{"no package comment", "internal/a/a.go", "package a\n", "internal/a: no package comment"},
		{"no package comment in tools", "tools/a/a.go", "package a\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults, err := check(fstest.MapFS{c.file: {Data: []byte(c.source)}}, []string{c.file})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.want == "" && len(faults) != 0:
				t.Errorf("faults %q, want none", faults)
			case c.want != "" && (len(faults) != 1 || !strings.Contains(faults[0], c.want)):
				t.Errorf("faults %q, want one with %q", faults, c.want)
			}
		})
	}
}
