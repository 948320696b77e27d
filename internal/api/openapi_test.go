package api_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
)

type openapi struct {
	Paths map[string]map[string]struct {
		ID        string `json:"operationId"`
		Summary   string `json:"summary"`
		Responses map[string]struct {
			Content map[string]struct{ Schema any } `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct{ Schemas map[string]any } `json:"components"`
}

func document(t *testing.T, lang catalogue.Lang) openapi {
	t.Helper()
	var doc openapi
	if err := json.Unmarshal(api.OpenAPI("1.0", lang), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOpenAPIDescribesWhatIsServed(t *testing.T) {
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t, catalogue.En)
	described := 0
	for _, operations := range doc.Paths {
		described += len(operations)
	}
	served := regexp.MustCompile(`"(GET|POST) (/[^"]+)"`).FindAllStringSubmatch(string(source), -1)
	for _, m := range served {
		if _, ok := doc.Paths[m[2]][strings.ToLower(m[1])]; !ok {
			t.Errorf("%s %s is served and not described: add it to operations", m[1], m[2])
		}
	}
	if described != len(served) || described < 15 {
		t.Errorf("%d described, %d served", described, len(served))
	}
}

func TestOpenAPIIsOneInBothLanguages(t *testing.T) {
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		text := api.OpenAPI("1.0", lang)
		loader := openapi3.NewLoader()
		doc, err := loader.LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(context.Background()); err != nil {
			t.Errorf("%s: %v", lang, err)
		}
		if found := regexp.MustCompile(`"(api\.(op|param|openapi)\.[^"]*)"`).Find(text); found != nil {
			t.Errorf("%s: no text for %s", lang, found)
		}
	}
}
