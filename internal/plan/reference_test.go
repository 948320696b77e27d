package plan

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

var update = flag.Bool("update", false, "rewrite the wanted output")

const fieldsMark = "<!-- The tables below come from the program: go test ./internal/plan -update -->\n"

// TestReferenceListsEveryField holds the reference to the table of fields; with
// -update it rewrites the part below the mark.
func TestReferenceListsEveryField(t *testing.T) {
	for lang, file := range map[catalogue.Lang]string{
		catalogue.En: "../../docs/plans.md", catalogue.Zh: "../../docs/plans.zh.md",
	} {
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
			t.Errorf("%s: run go test ./internal/plan -update: -want +got:\n%s", file, diff)
		}
	}
}

func reference(t *testing.T, lang catalogue.Lang) string {
	var out strings.Builder
	for _, kind := range Kinds() {
		table, _ := tableOf(kind)
		title := map[string]string{KindPlan: "plans/X.yaml", KindTech: "plans/X.tech.yaml", KindPeople: "people.yaml"}[kind]
		out.WriteString("\n## " + title + "\n")
		out.WriteString(yamldoc.Reference(lang, table, func(path string) string {
			meaning := Meaning(lang, kind, path)
			if meaning == "" {
				t.Errorf("no meaning of %s %s", kind, path)
			}
			return meaning
		}, typeOfText))
	}
	return out.String()
}
