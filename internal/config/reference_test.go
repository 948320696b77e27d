package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
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

// TestReferenceExamplesHaveNoErrors checks every whole configuration in the
// references.
func TestReferenceExamplesHaveNoErrors(t *testing.T) {
	for _, file := range []string{"../../docs/configuration.md", "../../docs/configuration.zh.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples := 0
		for _, part := range strings.Split(string(text), "```yaml\n")[1:] {
			src, _, _ := strings.Cut(part, "```")
			examples++
			var out bytes.Buffer
			_ = Render(&out, catalogue.En, []byte(src), Check(file, []byte(src)))
			if out.Len() > 0 {
				t.Errorf("%s", &out)
			}
		}
		if examples == 0 {
			t.Errorf("%s: no example", file)
		}
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
			case scalar, *fields:
			case scalars:
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
