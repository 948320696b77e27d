package flow_test

import (
	goflag "flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/yamldoc"
)

var update = goflag.Bool("update", false, "rewrite the wanted output")

const fieldsMark = "<!-- The tables below come from the program: go test ./internal/watch/probe/flow -update -->\n"

func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../../../examples/plans/flows/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	return append(files, "testdata/order.yaml")
}

// TestReferenceListsEveryField holds the reference to the table of fields; with
// -update it rewrites the part below the mark.
func TestReferenceListsEveryField(t *testing.T) {
	for lang, file := range map[catalogue.Lang]string{catalogue.En: "../../../../docs/flows.md", catalogue.Zh: "../../../../docs/flows.zh.md"} {
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
			t.Errorf("%s: run go test ./internal/watch/probe/flow -update: -want +got:\n%s", file, diff)
		}
	}
}

func reference(t *testing.T, lang catalogue.Lang) string {
	return yamldoc.Reference(lang, reflect.TypeFor[flow.Document](), func(path string) string {
		meaning := flow.Meaning(lang, path)
		if meaning == "" {
			t.Errorf("no meaning of %s", path)
		}
		return meaning
	}, reflect.TypeFor[flow.Text]())
}
