package plan

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/internal/catalogue"
)

func TestSchemaTakesExamples(t *testing.T) {
	files, _ := filepath.Glob("../../examples/plans/*.yaml")
	for _, file := range files {
		src, _ := os.ReadFile(file)
		kind := KindOf(Source{file, src})
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(catalogue.En, kind)))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		_ = c.AddResource("x.json", doc)
		schema, err := c.Compile("x.json")
		if err != nil {
			t.Fatal(err)
		}
		text, err := yaml.YAMLToJSON(src)
		if err != nil {
			t.Fatal(file, err)
		}
		in, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err := schema.Validate(in); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
