package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// codes reads the constants from the domain's source, so that a new code can't
// be forgotten in the tables.
func codes(t *testing.T) []continuity.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../continuity/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []continuity.Code
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, _ := strconv.Unquote(lit.Value); s != "" && s != "errors" && s != ": " {
				found = append(found, continuity.Code(s))
			}
		}
		return true
	})
	if len(found) < 20 {
		t.Fatalf("only %d codes found", len(found))
	}
	return found
}

func TestEveryCodeHasStatusAndTexts(t *testing.T) {
	for _, code := range codes(t) {
		err := continuity.E(code, errors.New("cause"), "state", "dead") // without a detail, which may be all that is said
		if code != continuity.CodeInternal && code != continuity.CodeDamaged && problem.Status(code) == 500 {
			t.Errorf("%s has no HTTP status", code)
		}
		texts := map[string]bool{}
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			text := problem.Of(err, lang).Title
			internal := problem.Text(continuity.CodeInternal, nil, lang)
			if text == "" || texts[text] || (code != continuity.CodeInternal && text == internal) {
				t.Errorf("%s lacks a text of its own in %s: %q", code, lang, text)
			}
			texts[text] = true
		}
	}
}

func TestCauseStaysInside(t *testing.T) {
	err := fmt.Errorf("outer: %w", continuity.E(continuity.CodeInvalid, errors.New("secret cause"), "detail", "no such route"))
	var doc map[string]any
	if e := json.Unmarshal(problem.Of(err, catalogue.En).JSON(), &doc); e != nil {
		t.Fatal(e)
	}
	want := map[string]any{
		"type": "urn:holdfast:error:invalid", "code": "invalid", "status": 400.0,
		"title": "The input is not valid, so nothing was done. no such route",
		"args":  map[string]any{"detail": "no such route"},
	}
	if fmt.Sprint(doc) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", doc, want)
	}
}

// TestARefusalByThePlanSaysWhose names the right that is missing, or says what the plan
// says of it: never a placeholder.
func TestARefusalByThePlanSaysWhose(t *testing.T) {
	for _, args := range [][]any{
		{"scope", "windows:write", "name", "wu.hao"},
		{"may", "publish", "name", "wu.hao"},
		{problem.DetailID, "maintenance.may", "name", "wu.hao", "service", "shop", "word", "switch"},
		{problem.DetailID, "incident.may.grade", "name", "wu.hao", "service", "shop"},
	} {
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			text := problem.Of(continuity.E(continuity.CodeScope, nil, args...), lang).Title
			if strings.Contains(text, "no value") || !strings.Contains(text, "wu.hao") {
				t.Errorf("%v in %s: %s", args, lang, text)
			}
		}
	}
}
