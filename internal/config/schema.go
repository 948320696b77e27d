package config

import (
	"reflect"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// SchemaID names the schema; editors find it by a file's first line:
//
//	# yaml-language-server: $schema=relay.schema.json
const SchemaID = "https://holdfast.example/schema/relay-1.json"

// Schema is the JSON Schema (2020-12) of relay.yaml, for editors and forms. It
// knows the structure and the form of values; what fields say together only
// Check knows.
func Schema(lang catalogue.Lang) []byte {
	return language.Schema(reflect.TypeFor[document](), SchemaID, "Holdfast relay", func(path string) string {
		return catalogue.Text(lang, settingID(path), nil)
	})
}

// settingID is the catalogue's id of a field's meaning.
func settingID(path string) string { return "setting." + path }

// Refine asks for exactly one of the fields.
func (*dsnBlock) Refine(schema map[string]any) map[string]any {
	delete(schema, "type")
	schema["type"], schema["minProperties"], schema["maxProperties"] = "object", 1, 1
	return schema
}

// Refine lets the word stand for the block.
func (*callerBlock) Refine(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{map[string]any{"const": "public"}, schema}}
}

func statusSchema(tag reflect.StructTag) map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "integer", "minimum": 200, "maximum": 599},
		yamldoc.Pattern(`^([2-5][xX][xX]|[2-5][0-9][0-9]|[2-5][0-9][0-9]-[2-5][0-9][0-9])$`)(tag),
	}}
}
