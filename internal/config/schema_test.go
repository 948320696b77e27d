package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

func compiled(t *testing.T, lang catalogue.Lang) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(lang)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance reads a file as an editor does.
func instance(t *testing.T, file string) any {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(src)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaTakesGoodFiles(t *testing.T) {
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		schema := compiled(t, lang)
		files, _ := filepath.Glob("testdata/good/*.yaml")
		for _, file := range files {
			if err := schema.Validate(instance(t, file)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func TestSchemaRefusesWhatIsStructurallyBad(t *testing.T) {
	schema := compiled(t, catalogue.En)
	for _, name := range []string{
		"address", "answer", "bool-word", "check-path-relative", "dsn-form", "dsn-plain-pair", "duration",
		"duration-calendar", "empty-list", "id", "integer", "match", "missing", "missing-nested",
		"missing-routes", "no-value", "number", "percent", "pointer", "rate", "schema",
		"selector", "shape", "shape-route", "shape-top", "size", "status", "unit-missing", "unknown",
		"unknown-later", "upstream", "word",
	} {
		if err := schema.Validate(instance(t, "testdata/bad/"+name+".yaml")); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

// everyField calls f for each field of the table, blocks included.
func everyField(t reflect.Type, path string, f func(path string, field reflect.StructField)) {
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Tag.Get("yaml") == "" {
			continue
		}
		at := yamldoc.Below(path, field.Tag.Get("yaml"))
		f(at, field)
		inner := field.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		switch reflect.New(inner).Interface().(type) {
		case yamldoc.Scalar, yamldoc.Scalars, *headerMap:
		default:
			everyField(inner, at, f)
		}
	}
}

func TestEveryFieldIsWhole(t *testing.T) {
	seen := map[string]bool{}
	everyField(reflect.TypeFor[document](), "", func(path string, field reflect.StructField) {
		id := settingID(path)
		seen[id] = true
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			if catalogue.Text(lang, id, nil) == id {
				t.Errorf("%s: no text in %s", path, lang)
			}
		}
		tag := field.Tag
		for _, name := range []string{"default", "example"} {
			text, ok := tag.Lookup(name)
			if !ok || tag.Get("kind") == "" || strings.ContainsAny(text[:1], "[{'") {
				continue
			}
			if _, bad := kinds[tag.Get("kind")].Parse(text, tag); bad != nil {
				t.Errorf("%s: %s %q: %s", path, name, text, bad.ID)
			}
		}
		if kind := tag.Get("kind"); kind != "" {
			if _, ok := kinds[kind]; !ok {
				t.Errorf("%s: no kind %q", path, kind)
			}
			if tag.Get("default") == "" && tag.Get("example") == "" {
				t.Errorf("%s: neither default nor example", path)
			}
		}
	})
	texts, err := os.ReadFile("../catalogue/locales/setting.en.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var ids map[string]string
	if err := yaml.Unmarshal(texts, &ids); err != nil {
		t.Fatal(err)
	}
	for id := range ids {
		if !seen[id] {
			t.Errorf("%s is the text of no field", id)
		}
	}
}

// TestEveryBlockReportsUnknownFields puts a field that cannot exist into every
// block of the full example.
func TestEveryBlockReportsUnknownFields(t *testing.T) {
	var whole map[string]any
	if err := json.Unmarshal(mustJSON(t, "testdata/good/full.yaml"), &whole); err != nil {
		t.Fatal(err)
	}
	blocks := 0
	var visit func(v any)
	visit = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, inner := range v {
				visit(inner)
			}
			if _, isHeaders := v["Cache-Control"]; isHeaders {
				return
			}
			v["zzzzzz"] = "x"
			src, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			problems := Check("relay.yaml", src) // JSON is YAML
			if len(problems) != 1 || problems[0].ID != "config.unknown" {
				t.Errorf("%v: %+v", v, problems)
			}
			delete(v, "zzzzzz")
			blocks++
		case []any:
			for _, inner := range v {
				visit(inner)
			}
		}
	}
	visit(whole)
	if blocks < 20 {
		t.Errorf("only %d blocks visited", blocks)
	}
}

func mustJSON(t *testing.T, file string) []byte {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(src)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
