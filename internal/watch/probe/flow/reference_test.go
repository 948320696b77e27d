package flow_test

import (
	goflag "flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/yamldoc"
)

var update = goflag.Bool("update", false, "rewrite the wanted output")

const fieldsMark = "<!-- The tables below come from the program: go test ./internal/watch/probe/flow -update -->\n"

func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../../examples/plans/flows/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	return append(files, "testdata/order.yaml")
}

// TestReferenceListsEveryField holds the reference to the table of fields; with
// -update it rewrites the part below the mark.
func TestReferenceListsEveryField(t *testing.T) {
	for lang, file := range map[catalogue.Lang]string{catalogue.En: "../../../../docs/flows.md", catalogue.Zh: "../../../../docs/flows.zh.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, tables, ok := strings.Cut(string(text), fieldsMark)
		if !ok {
			t.Fatalf("%s: no mark", file)
		}
		want := reference(t, lang)
		if *update {
			if err := os.WriteFile(file, []byte(head+fieldsMark+want), 0o644); err != nil { // #nosec G306 -- a document
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, tables); diff != "" {
			t.Errorf("%s: run go test ./internal/watch/probe/flow -update: -want +got:\n%s", file, diff)
		}
	}
}

func reference(t *testing.T, lang catalogue.Lang) string {
	words := map[catalogue.Lang][]string{
		catalogue.En: {"Field", "Default", "Example", "Meaning", "required"},
		catalogue.Zh: {"字段", "默认", "示例", "含义", "必填"},
	}[lang]
	var out strings.Builder
	var section func(table reflect.Type, path string)
	section = func(table reflect.Type, path string) {
		title := path
		if path == "" {
			title = "holdfast/flow@1"
		}
		fmt.Fprintf(&out, "\n### `%s`\n\n| %s | %s | %s | %s |\n|---|---|---|---|\n", title, words[0], words[1], words[2], words[3])
		type inner struct {
			t    reflect.Type
			path string
		}
		var below []inner
		for f := range table.Fields() {
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			at := yamldoc.Below(path, name)
			next := f.Type
			for next.Kind() == reflect.Pointer || next.Kind() == reflect.Slice || next.Kind() == reflect.Map {
				next = next.Elem()
			}
			if next.Kind() == reflect.Struct && f.Tag.Get("kind") == "" && next != reflect.TypeFor[flow.Text]() && next != reflect.TypeFor[yamldoc.Raw]() && name != "cleanup" {
				below = append(below, inner{next, at})
			}
			meaning := flow.Meaning(lang, at)
			if meaning == "" {
				t.Errorf("no meaning of %s", at)
			}
			value := code(f.Tag.Get("default"))
			if f.Tag.Get("required") == "true" {
				value = words[4]
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", name, value, code(f.Tag.Get("example")), strings.ReplaceAll(meaning, "|", "\\|"))
		}
		for _, b := range below {
			section(b.t, b.path)
		}
	}
	section(reflect.TypeFor[flow.Document](), "")
	return out.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", "\\|") + "`"
}
