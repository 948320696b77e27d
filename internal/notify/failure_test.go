package notify_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
)

// TestEveryFailureHasAText reads the codes from the source, so that a new one
// can't be forgotten.
func TestEveryFailureHasAText(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "failure.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Fail") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if id := notify.FailureText(code); catalogue.Text(catalogue.Zh, id, nil) == id {
			t.Errorf("no text %s", id)
		}
		return false
	})
	if found < 11 {
		t.Errorf("only %d codes found", found)
	}
}
