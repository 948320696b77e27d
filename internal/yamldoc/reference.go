package yamldoc

import (
	"fmt"
	"reflect"
	"strings"

	"holdfast/internal/catalogue"
)

// Reference is the tables of all fields of a struct in Markdown, block by block,
// for the documents people read. meaning says what the field at a path means.
func Reference(lang catalogue.Lang, t reflect.Type, meaning func(path string) string) string {
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
			value := inCode(f.Tag.Get("default"))
			if f.Tag.Get("required") == "true" {
				value = words[5]
			}
			note, next := "", f.Type
			if next.Kind() == reflect.Pointer {
				next = next.Elem()
			}
			_, isHeaders := reflect.New(next).Interface().(*HeaderMap)
			_, isScalar := reflect.New(next).Interface().(Scalar)
			_, isScalars := reflect.New(next).Interface().(Scalars)
			switch plain := f.Tag.Get("kind") != ""; {
			case isHeaders, isScalar, plain && !isScalars && next.Kind() != reflect.Slice:
			case isScalars, plain:
				note = " (" + words[6] + ")"
			default:
				note = " (" + words[8] + ")"
				if next.Kind() == reflect.Slice {
					note, next = " ("+words[7]+")", next.Elem()
				}
				below = append(below, inner{next, at})
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

func inCode(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}
