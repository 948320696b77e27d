package config

import (
	"bytes"
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
	return yamldoc.Reference(lang, reflect.TypeFor[document](), func(path string) string { return catalogue.Text(lang, settingID(path), nil) })
}
