package plan

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

var update = flag.Bool("update", false, "rewrite the wanted output")

const fieldsMark = "<!-- The tables below come from the program: go test ./internal/plan -update -->\n"

// TestReferenceListsEveryField holds the reference to the table of fields; with
// -update it rewrites the part below the mark.
func TestReferenceListsEveryField(t *testing.T) {
	for lang, file := range map[catalogue.Lang]string{
		catalogue.En: "../../docs/plans.md", catalogue.Zh: "../../docs/plans.zh.md",
	} {
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
			t.Errorf("%s: run go test ./internal/plan -update: -want +got:\n%s", file, diff)
		}
	}
}

func reference(t *testing.T, lang catalogue.Lang) string {
	words := map[catalogue.Lang][]string{
		catalogue.En: {"Field", "Default", "Example", "Meaning", "required", "one or a list", "list", "block", "map", "text or {en, zh}"},
		catalogue.Zh: {"字段", "默认", "示例", "含义", "必填", "单个值或列表", "列表", "块", "映射", "文字或 {en, zh}"},
	}[lang]
	var out strings.Builder
	var section func(kind string, table reflect.Type, path string)
	section = func(kind string, table reflect.Type, path string) {
		type inner struct {
			t    reflect.Type
			path string
		}
		var below []inner
		for i := range table.NumField() {
			f := table.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			at := yamldoc.Below(path, name)
			value := code(f.Tag.Get("default"))
			if f.Tag.Get("required") == "true" {
				value = words[4]
			}
			note, next := "", f.Type
			switch {
			case f.Type == typeOfRaw:
				note = words[7]
			case f.Tag.Get("kind") != "" && f.Type.Kind() == reflect.Slice:
				note = words[5]
			case f.Type.Kind() == reflect.Map:
				note, next = words[8], f.Type.Elem()
			case f.Tag.Get("kind") != "":
			case f.Type.Kind() == reflect.Slice:
				note, next = words[6], f.Type.Elem()
			case f.Type == typeOfText:
				note = words[9]
			default:
				note = words[7]
			}
			if next.Kind() == reflect.Pointer {
				next = next.Elem()
			}
			if next.Kind() == reflect.Struct && f.Tag.Get("kind") == "" && next != typeOfText && next != typeOfRaw {
				below = append(below, inner{next, at})
			}
			if note != "" {
				note = " (" + note + ")"
			}
			meaning := Meaning(lang, kind, at)
			if meaning == "" {
				t.Errorf("no meaning of %s %s", kind, at)
			}
			fmt.Fprintf(&out, "| `%s`%s | %s | %s | %s |\n", name, note, value, code(f.Tag.Get("example")), strings.ReplaceAll(meaning, "|", "\\|"))
		}
		for _, b := range below {
			fmt.Fprintf(&out, "\n### `%s`\n\n| %s | %s | %s | %s |\n|---|---|---|---|\n", b.path, words[0], words[1], words[2], words[3])
			section(kind, b.t, b.path)
		}
	}
	for _, kind := range Kinds() {
		table, _ := tableOf(kind)
		title := map[string]string{KindPlan: "plans/X.yaml", KindTech: "plans/X.tech.yaml", KindPeople: "people.yaml"}[kind]
		fmt.Fprintf(&out, "\n## %s\n\n| %s | %s | %s | %s |\n|---|---|---|---|\n", title, words[0], words[1], words[2], words[3])
		section(kind, table, "")
	}
	return out.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", "\\|") + "`"
}
