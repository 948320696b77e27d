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
			faults = append(faults, testFaults(set, file)...)
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

// testFaults finds sleeps and skips. A sleeping test is slow on a fast machine
// and wrong on a slow one; a skipped test proves nothing and says nothing.
func testFaults(set *token.FileSet, file *ast.File) []string {
	timeName := importName(file, "time")
	var faults []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at := set.Position(call.Pos())
		where := fmt.Sprintf("%s:%d:%d", at.Filename, at.Line, at.Column)
		if x, ok := sel.X.(*ast.Ident); ok && timeName != "" && x.Name == timeName && sel.Sel.Name == "Sleep" {
			if !inSynctest(file, call) {
				faults = append(faults, where+": time.Sleep in a test: wait for a signal, or use testing/synctest")
			}
		}
		switch sel.Sel.Name {
		case "Skip", "Skipf", "SkipNow":
			if x, ok := sel.X.(*ast.Ident); ok && (x.Name == "t" || x.Name == "b" || x.Name == "f" || x.Name == "tb") {
				faults = append(faults, where+": a test that skips proves nothing: fail and say what to install")
			}
		}
		return true
	})
	return faults
}

// inSynctest reports whether a call stands in a function literal given to
// synctest.Test, where sleeping moves a fake clock and costs nothing.
func inSynctest(file *ast.File, call *ast.CallExpr) bool {
	name := importName(file, "testing/synctest")
	if name == "" {
		return false
	}
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		outer, ok := n.(*ast.CallExpr)
		if !ok || found {
			return !found
		}
		if sel, ok := outer.Fun.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == name && sel.Sel.Name == "Test" &&
				outer.Pos() <= call.Pos() && call.End() <= outer.End() {
				found = true
			}
		}
		return !found
	})
	return found
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
