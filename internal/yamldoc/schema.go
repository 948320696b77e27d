package yamldoc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// Schema is the JSON Schema (2020-12) of the documents that decode into t, for
// editors and forms. text gives a field's meaning by its path. The schema knows
// the structure and the form of values, not what fields say together.
func (l *Language) Schema(t reflect.Type, id, title string, text func(path string) string) []byte {
	b := &schemaBuilder{l, text}
	root := b.object(t, "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = id
	root["title"] = title
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		panic(err) // maps of strings: cannot happen in a binary that was tested
	}
	return out.Bytes()
}

// Refined is a block whose schema says more than its fields do.
type Refined interface {
	Refine(schema map[string]any) map[string]any
}

type schemaBuilder struct {
	lang *Language
	text func(path string) string
}

// Below joins a path with all its parts, roots included.
func Below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (b *schemaBuilder) object(t reflect.Type, path string) map[string]any {
	properties := map[string]any{}
	var required []string
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("yaml")
		if name == "" {
			continue
		}
		properties[name] = b.field(t.Field(i), Below(path, name))
		if tag.Get("required") == "true" {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		out["required"] = required
	} else {
		out["type"] = []string{"object", "null"} // "answer:" alone: every default
	}
	if i, ok := shortField(t); ok {
		return map[string]any{"anyOf": []any{b.scalar(t.Field(i).Tag), out}}
	}
	if r, ok := reflect.New(t).Interface().(Refined); ok {
		return r.Refine(out)
	}
	return out
}

func (b *schemaBuilder) scalar(tag reflect.StructTag) map[string]any {
	return b.lang.Kinds[tag.Get("kind")].Schema(tag)
}

// orList lets one stand for a list of one.
func orList(one map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one, "minItems": 1}}}
}

func (b *schemaBuilder) field(field reflect.StructField, path string) map[string]any {
	out := b.of(field.Type, field.Tag, path)
	out["description"] = b.text(path)
	if text, ok := field.Tag.Lookup("default"); ok {
		out["default"] = b.lang.written(field.Tag, text)
	}
	return out
}

func (b *schemaBuilder) of(t reflect.Type, tag reflect.StructTag, path string) map[string]any {
	switch reflect.New(t).Interface().(type) {
	case Scalar:
		return b.scalar(tag)
	case Scalars:
		return orList(b.scalar(tag))
	case *HeaderMap:
		return map[string]any{"type": "object", "additionalProperties": b.scalar(tag)}
	case *Raw:
		return map[string]any{}
	}
	switch {
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": b.of(t.Elem(), tag, path)}
	case t.Kind() == reflect.Slice && tag.Get("kind") != "":
		return orList(b.scalar(tag))
	case t.Kind() == reflect.Slice:
		list := map[string]any{"type": "array", "minItems": 1, "items": b.object(t.Elem(), path)}
		if i, ok := shortField(t.Elem()); ok {
			return map[string]any{"anyOf": []any{b.scalar(t.Elem().Field(i).Tag), list}}
		}
		return list
	case tag.Get("kind") != "":
		return b.scalar(tag)
	case t.Kind() == reflect.Pointer:
		return b.object(t.Elem(), path)
	}
	return b.object(t, path)
}

// written is a default as JSON writes it.
func (l *Language) written(tag reflect.StructTag, text string) any {
	switch tag.Get("kind") {
	case "int", "number":
		return l.mustParse(tag, text)
	}
	if text == "true" || text == "false" {
		return text == "true"
	}
	return text
}

// Pattern is the schema of texts of a form.
func Pattern(expression string) func(reflect.StructTag) map[string]any {
	return func(reflect.StructTag) map[string]any {
		return map[string]any{"type": "string", "pattern": expression}
	}
}

// Enum is the schema of a choice of words.
func Enum(words []string) func(reflect.StructTag) map[string]any {
	return func(reflect.StructTag) map[string]any { return map[string]any{"enum": words} }
}

func wordSchema(tag reflect.StructTag) map[string]any {
	return map[string]any{"enum": strings.Split(tag.Get("of"), ",")}
}

// AnyScalar is the schema of a free text: an editor's YAML may take an unquoted
// one for a number or a truth value, Holdfast does not.
func AnyScalar(reflect.StructTag) map[string]any {
	return map[string]any{"type": []string{"string", "number", "boolean"}}
}

func intSchema(tag reflect.StructTag) map[string]any {
	out := map[string]any{"type": "integer"}
	for name, word := range map[string]string{"min": "minimum", "max": "maximum"} {
		if text := tag.Get(name); text != "" {
			out[word] = json.Number(text)
		}
	}
	return out
}

func numberSchema(reflect.StructTag) map[string]any {
	return map[string]any{"type": "number", "minimum": json.Number("0.1"), "maximum": 10}
}

// OrZero lets a field that may be zero be written without a unit then.
func OrZero(expression string) func(reflect.StructTag) map[string]any {
	return func(tag reflect.StructTag) map[string]any {
		out := Pattern(expression)(tag)
		if tag.Get("zero") == "ok" {
			return map[string]any{"anyOf": []any{out, map[string]any{"const": 0}}}
		}
		return out
	}
}
