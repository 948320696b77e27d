package yamldoc

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"holdfast/internal/catalogue"
)

// Reference is the tables of all fields of a struct in Markdown, block by block,
// for the documents people read. meaning says what the field at a path means.
// Blocks of the types in texts are mostly written as one text, and get no table.
func Reference(lang catalogue.Lang, t reflect.Type, meaning func(path string) string, texts ...reflect.Type) string {
	words := map[catalogue.Lang][]string{
		catalogue.En: {"The whole file", "Field", "Default", "Example", "Meaning", "required", "one or a list", "list", "block", "map", "text or ", "list, as "},
		catalogue.Zh: {"整个文件", "字段", "默认", "示例", "含义", "必填", "单个值或列表", "列表", "块", "映射", "文字或 ", "列表，同 "},
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
			list bool
		}
		var below []inner
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			at := strings.TrimPrefix(path+"."+name, ".")
			value := inCode(f.Tag.Get("default"))
			if f.Tag.Get("required") == "true" {
				value = words[5]
			}
			note, is := "", pointed(f.Type)
			var of reflect.Type // whose fields have a table
			_, isHeaders := reflect.New(is).Interface().(*HeaderMap)
			_, isScalar := reflect.New(is).Interface().(Scalar)
			_, isScalars := reflect.New(is).Interface().(Scalars)
			_, isRaw := reflect.New(is).Interface().(*Raw)
			plain := f.Tag.Get("kind") != ""
			switch {
			case isHeaders, isScalar:
			case isScalars, plain && is.Kind() == reflect.Slice:
				note = words[6]
			case is.Kind() == reflect.Map:
				note, of = words[9], pointed(is.Elem())
			case plain:
			case isRaw:
				note = words[8]
			case slices.Contains(texts, is):
				note = words[10] + fieldsOf(is)
			case is.Kind() == reflect.Slice:
				note, of = words[7], pointed(is.Elem())
				if i := slices.IndexFunc(below, func(b inner) bool { return b.list && b.t == of }); i >= 0 {
					note, of = words[11]+inCode(below[i].path), nil
				}
			default:
				note, of = words[8], is
			}
			if of != nil && of.Kind() == reflect.Struct && !slices.Contains(texts, of) {
				below = append(below, inner{of, at, is.Kind() == reflect.Slice})
			}
			if note != "" {
				note = " (" + note + ")"
			}
			fmt.Fprintf(&out, "| `%s`%s | %s | %s | %s |\n", name, note, value, inCode(f.Tag.Get("example")), strings.ReplaceAll(meaning(at), "|", "\\|"))
		}
		for _, b := range below {
			section(b.t, b.path)
		}
	}
	section(t, "")
	return out.String()
}

func pointed(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// fieldsOf is how a small block is written: {en, zh}.
func fieldsOf(t reflect.Type) string {
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	return "{" + strings.Join(names, ", ") + "}"
}

func inCode(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", "\\|") + "`"
}
