package control

import (
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"holdfast/internal/controlconfig"
)

// TestTheWholeAPIIsDescribed holds what a node with all its engines serves to
// OpenAPI, in both languages: each operation has a scope and a text.
func TestTheWholeAPIIsDescribed(t *testing.T) {
	settings, err := controlconfig.Default(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	settings.Listen = "127.0.0.1:0"
	n, err := New(Options{Config: settings, Version: "1.0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	for _, lang := range []string{"en", "zh-CN"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Addr()+"/api/v1/openapi.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", lang)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
			t.Fatal(err, closeErr)
		}
		if found := regexp.MustCompile(`"controlapi\.[^"]*"`).FindAll(text, -1); found != nil {
			t.Errorf("%s: no text for %s", lang, found)
		}
		doc, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(t.Context()); err != nil {
			t.Errorf("%s: %v", lang, err)
		}
		operations := 0
		for path, item := range doc.Paths.Map() {
			for method, op := range item.Operations() {
				if operations++; op.Security == nil || op.Summary == "" {
					t.Errorf("%s: %s %s has no scope or no text", lang, method, path)
				}
			}
		}
		if operations < 30 {
			t.Errorf("only %d operations", operations)
		}
	}
}
