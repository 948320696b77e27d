package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
)

// What a relay answers fits what the OpenAPI document says of it, with records
// and without.
func TestAnswersFitTheOpenAPIDocument(t *testing.T) {
	text := api.OpenAPI("1.0", catalogue.En)
	var doc struct {
		Paths map[string]struct {
			Get *struct {
				Responses map[string]struct{ Content map[string]any }
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("https://holdfast.example/openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	ask := func(receipt string) (asked int) {
		for path, operations := range doc.Paths {
			if operations.Get == nil || !strings.HasPrefix(path, "/api/v1/") || path == "/api/v1/openapi.json" ||
				operations.Get.Responses["200"].Content["application/json"] == nil || receipt == "" && strings.Contains(path, "{receipt}") {
				continue
			}
			at := "/paths/" + strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/get/responses/200/content/application~1json/schema"
			schema, err := compiler.Compile("https://holdfast.example/openapi.json#" + at)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.AdminAddr()+strings.ReplaceAll(path, "{receipt}", receipt), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+a.token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s %v", path, resp.StatusCode, answer, err)
				continue
			}
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer))
			if err != nil {
				t.Errorf("%s: %v", path, err)
			} else if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %v\n%s", path, err, answer)
			}
			asked++
		}
		return asked
	}
	if asked := ask(""); asked < 7 {
		t.Errorf("only %d paths asked", asked)
	}
	s.close()
	_, receipt := place(t, a, "1", `{"no":"A"}`)
	if asked := ask(receipt.String()); asked < 8 {
		t.Errorf("only %d paths asked", asked)
	}
}
