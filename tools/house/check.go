package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// longest is how many lines a Go file may have.
const longest = 600

// check returns the faults of the named files, in their order.
func check(tree fs.FS, files []string) ([]string, error) {
	var faults []string
	documented := map[string]bool{}
	for _, name := range files {
		if path.Base(name) == "doc.go" {
			documented[path.Dir(name)] = true
		}
	}
	fakeClock, err := usesFakeClock(tree, files)
	if err != nil {
		return nil, err
	}
	undocumented := map[string]bool{}
	for _, name := range files {
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		if n := bytes.Count(source, []byte("\n")); n > longest {
			faults = append(faults, fmt.Sprintf("%s: %d lines: at most %d, give its parts files of their own", name, n, longest))
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, "_test.go") {
			faults = append(faults, testFaults(set, file, fakeClock[path.Dir(name)])...)
			continue
		}
		if dir := path.Dir(name); needsDoc(dir) && !documented[dir] && file.Doc == nil {
			undocumented[dir] = undocumented[dir] || !hasDoc(tree, files, dir)
		}
	}
	for _, name := range files {
		if dir := path.Dir(name); undocumented[dir] {
			faults = append(faults, dir+": no package comment: say what the room is for in doc.go")
			delete(undocumented, dir)
		}
	}
	return faults, nil
}

func needsDoc(dir string) bool {
	return strings.HasPrefix(dir, "internal/") || strings.HasPrefix(dir, "cmd/") || strings.HasPrefix(dir, "examples/")
}

func hasDoc(tree fs.FS, files []string, dir string) bool {
	for _, name := range files {
		if path.Dir(name) != dir || strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.PackageClauseOnly)
		if err == nil && file.Doc != nil {
			return true
		}
	}
	return false
}

// usesFakeClock returns the directories whose tests run on testing/synctest's
// clock.
func usesFakeClock(tree fs.FS, files []string) (map[string]bool, error) {
	dirs := map[string]bool{}
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		if importName(file, "testing/synctest") != "" {
			dirs[path.Dir(name)] = true
		}
	}
	return dirs, nil
}

// testFaults finds sleeps and skips. A sleeping test is slow on a fast machine
// and wrong on a slow one; a skipped test proves nothing and says nothing.
// Sleeping is fine on a fake clock, where it costs nothing. Which functions run
// on it can't be seen in the source, as bubbles are made in helpers; so in a
// package whose tests use testing/synctest no sleep is reported.
func testFaults(set *token.FileSet, file *ast.File, fakeClock bool) []string {
	var faults []string
	for _, decl := range file.Decls {
		ast.Inspect(decl, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			at := set.Position(call.Pos())
			where := fmt.Sprintf("%s:%d:%d", at.Filename, at.Line, at.Column)
			if !fakeClock && calls(call, importName(file, "time"), "Sleep") {
				faults = append(faults, where+": time.Sleep in a test: wait for a signal, or use testing/synctest")
			}
			for _, receiver := range []string{"t", "b", "f", "tb"} {
				for _, skip := range []string{"Skip", "Skipf", "SkipNow"} {
					if calls(call, receiver, skip) {
						faults = append(faults, where+": a test that skips proves nothing: fail and say what to install")
					}
				}
			}
			return true
		})
	}
	return faults
}

// calls reports whether a call is of left.name.
func calls(call *ast.CallExpr, left, name string) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || left == "" || sel.Sel.Name != name {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == left
}

func importName(file *ast.File, importPath string) string {
	for _, imp := range file.Imports {
		if strings.Trim(imp.Path.Value, `"`) == importPath {
			if imp.Name != nil {
				return imp.Name.Name
			}
			return path.Base(importPath)
		}
	}
	return ""
}
