package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"holdfast/internal/catalogue"
)

// SchemaID names the schema; editors find it by a file's first line:
//
//	# yaml-language-server: $schema=relay.schema.json
const SchemaID = "https://holdfast.example/schema/relay-1.json"

// Schema is the JSON Schema (2020-12) of relay.yaml, for editors and forms. It
// knows the structure and the form of values; what fields say together only
// Check knows.
func Schema(lang catalogue.Lang) []byte {
	root := objectSchema(reflect.TypeFor[document](), "", lang)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaID
	root["title"] = "Holdfast relay"
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(root); err != nil {
		panic(err) // maps of strings: cannot happen in a binary that was tested
	}
	return out.Bytes()
}

// settingID is the catalogue's id of a field's meaning.
func settingID(path string) string { return "setting." + path }

// below joins a path with all its parts, routes included.
func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func objectSchema(t reflect.Type, path string, lang catalogue.Lang) map[string]any {
	properties := map[string]any{}
	var required []string
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name := tag.Get("yaml")
		if name == "" {
			continue
		}
		properties[name] = fieldSchema(t.Field(i), below(path, name), lang)
		if tag.Get("required") == "true" {
			required = append(required, name)
		}
	}
	out := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	switch {
	case required != nil:
		out["required"] = required
	case t == reflect.TypeFor[dsnBlock]():
		out["minProperties"], out["maxProperties"] = 1, 1
	default:
		out["type"] = []string{"object", "null"} // "answer:" alone: every default
	}
	return out
}

func fieldSchema(field reflect.StructField, path string, lang catalogue.Lang) map[string]any {
	tag := field.Tag
	var out map[string]any
	switch reflect.New(field.Type).Interface().(type) {
	case scalar:
		out = kinds[tag.Get("kind")].schema(tag)
	case scalars:
		one := kinds[tag.Get("kind")].schema(tag)
		out = map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one, "minItems": 1}}}
	case *fields:
		out = map[string]any{"type": "object", "additionalProperties": kinds[tag.Get("kind")].schema(tag)}
	default:
		if field.Type.Kind() == reflect.Slice {
			one := objectSchema(field.Type.Elem(), path, lang)
			out = map[string]any{"type": "array", "minItems": 1, "items": one}
			if i, ok := shortField(field.Type.Elem()); ok {
				tag := field.Type.Elem().Field(i).Tag
				short := kinds[tag.Get("kind")].schema(tag)
				out["items"] = map[string]any{"anyOf": []any{short, one}}
				out = map[string]any{"anyOf": []any{short, out}}
			}
		} else {
			out = objectSchema(field.Type, path, lang)
			if field.Type == reflect.TypeFor[callerBlock]() {
				out = map[string]any{"anyOf": []any{map[string]any{"const": "public"}, out}}
			}
		}
	}
	out["description"] = catalogue.Text(lang, settingID(path), nil)
	if text, ok := tag.Lookup("default"); ok {
		out["default"] = written(tag, text)
	}
	return out
}

// written is a default as JSON writes it.
func written(tag reflect.StructTag, text string) any {
	switch tag.Get("kind") {
	case "int", "number", "bool":
		return mustParse(tag, text)
	}
	if tag.Get("kind") == "credentials" && text == "false" {
		return false
	}
	return text
}

func pattern(expression string) func(reflect.StructTag) map[string]any {
	return func(reflect.StructTag) map[string]any {
		return map[string]any{"type": "string", "pattern": expression}
	}
}

func enum(words []string) func(reflect.StructTag) map[string]any {
	return func(reflect.StructTag) map[string]any { return map[string]any{"enum": words} }
}

func wordSchema(tag reflect.StructTag) map[string]any {
	return map[string]any{"enum": strings.Split(tag.Get("of"), ",")}
}

// anyScalar is the schema of a free text: an editor's YAML may take an unquoted
// one for a number or a truth value, Holdfast does not.
func anyScalar(reflect.StructTag) map[string]any {
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

// orZero lets a field that may be zero be written without a unit then.
func orZero(expression string) func(reflect.StructTag) map[string]any {
	return func(tag reflect.StructTag) map[string]any {
		out := pattern(expression)(tag)
		if tag.Get("zero") == "ok" {
			return map[string]any{"anyOf": []any{out, map[string]any{"const": 0}}}
		}
		return out
	}
}

func statusSchema(tag reflect.StructTag) map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "integer", "minimum": 200, "maximum": 599},
		pattern(`^([2-5][xX][xX]|[2-5][0-9][0-9]|[2-5][0-9][0-9]-[2-5][0-9][0-9])$`)(tag),
	}}
}
