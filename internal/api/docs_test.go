package api_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedPaths holds docs/admin-api.md to the paths that are served.
func TestDocumentedPaths(t *testing.T) {
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, m := range regexp.MustCompile(`"((?:GET|POST) /[^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		served[m[1]] = true
		if !regexp.MustCompile("`" + regexp.QuoteMeta(m[1]) + "[`?]").Match(text) {
			t.Errorf("%s is not documented", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`((?:GET|POST) /[^`?]+)").FindAllStringSubmatch(string(text), -1) {
		if !served[strings.TrimSpace(m[1])] {
			t.Errorf("%s is documented but not served", m[1])
		}
	}
	if len(served) < 15 {
		t.Errorf("only %d paths found", len(served))
	}
}
