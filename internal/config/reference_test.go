package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

const fieldsMark = "<!-- The tables below come from the program: go test ./internal/config -update -->\n"

// TestReferenceListsEveryField holds the reference to the table of fields; with
// -update it rewrites the part below the mark.
func TestReferenceListsEveryField(t *testing.T) {
	for lang, file := range map[catalogue.Lang]string{
		catalogue.En: "../../docs/configuration.md", catalogue.Zh: "../../docs/configuration.zh.md",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, tables, ok := strings.Cut(string(text), fieldsMark)
		if !ok {
			t.Fatalf("%s: no mark", file)
		}
		want := reference(lang)
		if *update {
			if err := os.WriteFile(file, []byte(head+fieldsMark+want), 0o644); err != nil { // #nosec G306 -- a document
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, tables); diff != "" {
			t.Errorf("%s: run go test ./internal/config -update: -want +got:\n%s", file, diff)
		}
	}
}

// TestExamplesHaveNoProblems checks the packaged configuration and every whole
// one in the docs.
func TestExamplesHaveNoProblems(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for _, file := range append(files, "../../README.md", "../../README.zh.md", "../../packaging/relay.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // not every document is there in every language
		}
		parts := []string{string(text)}
		if strings.HasSuffix(file, ".md") {
			parts = strings.Split(string(text), "```yaml\n")[1:]
		}
		for _, part := range parts {
			src, _, _ := strings.Cut(part, "```")
			if !strings.Contains(src, "listen:") || !strings.Contains(src, "\nroutes:") {
				continue // a part of one
			}
			whole++
			var out bytes.Buffer
			_ = yamldoc.Render(&out, catalogue.En, []byte(src), Check(file, []byte(src)))
			if out.Len() > 0 {
				t.Errorf("%s", &out)
			}
		}
	}
	if whole < 5 {
		t.Errorf("only %d configurations found", whole)
	}
}

func reference(lang catalogue.Lang) string {
	words := map[catalogue.Lang][]string{
		catalogue.En: {"The whole file", "Field", "Default", "Example", "Meaning", "required", "one or a list", "list", "block"},
		catalogue.Zh: {"整个文件", "字段", "默认", "示例", "含义", "必填", "单个值或列表", "列表", "块"},
	}[lang]
	var out strings.Builder
	var section func(t reflect.Type, path string)
	section = func(t reflect.Type, path string) {
		title := words[0]
		if path != "" {
			title = "`" + path + "`"
		}
		fmt.Fprintf(&out, "\n### %s\n\n| %s | %s | %s | %s |\n|---|---|---|---|\n", title, words[1], words[2], words[3], words[4])
		type inner struct {
			t    reflect.Type
			path string
		}
		var below []inner
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			at := strings.TrimPrefix(path+"."+name, ".")
			value, example := code(f.Tag.Get("default")), code(f.Tag.Get("example"))
			if f.Tag.Get("required") == "true" {
				value = words[5]
			}
			note := ""
			switch reflect.New(f.Type).Interface().(type) {
			case yamldoc.Scalar, *headerMap:
			case yamldoc.Scalars:
				note = " (" + words[6] + ")"
			default:
				note = " (" + words[8] + ")"
				next := f.Type
				if next.Kind() == reflect.Slice {
					note, next = " ("+words[7]+")", next.Elem()
				}
				below = append(below, inner{next, at})
			}
			meaning := catalogue.Text(lang, settingID(at), nil)
			fmt.Fprintf(&out, "| `%s`%s | %s | %s | %s |\n", name, note, value, example, strings.ReplaceAll(meaning, "|", "\\|"))
		}
		for _, b := range below {
			section(b.t, b.path)
		}
	}
	section(reflect.TypeFor[document](), "")
	return out.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
