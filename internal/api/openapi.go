package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// operation describes one thing that New serves. What it does stands in the
// catalogue under "api.op." and the id, what a query parameter means under
// "api.param." and its name.
type operation struct {
	id    string
	query []string
	in    any    // a JSON body
	raw   string // else the media type of a body of another kind
	out   any    // the JSON answer
	media string // else the media type of the answer
	open  bool   // without a token
}

// operations are all there are, by pattern; a test holds them to what is served.
var operations = map[string]operation{
	"GET /healthz":                        {id: "health", media: plainText, open: true},
	"GET /readyz":                         {id: "ready", media: plainText, open: true},
	"GET /metrics":                        {id: "metrics", media: plainText, open: true},
	"GET /api/v1/openapi.json":            {id: "openapi", media: "application/json", open: true},
	"GET /api/v1/status":                  {id: "status", out: Status{}},
	"GET /api/v1/routes":                  {id: "routes", query: []string{"route"}, out: []Route{}},
	"GET /api/v1/counters":                {id: "counters", query: []string{"route"}, out: map[string]Counters{}},
	"GET /api/v1/drain":                   {id: "drain", query: []string{"route"}, out: []Route{}},
	"GET /api/v1/backlog":                 {id: "backlog", query: listQuery, out: Page[Record]{}},
	"GET /api/v1/records":                 {id: "records", query: listQuery, out: Page[Record]{}},
	"GET /api/v1/records/{receipt}":       {id: "record", out: Record{}},
	"GET /api/v1/records/{receipt}/body":  {id: "body", query: []string{"raw"}, media: "application/octet-stream"},
	"POST /api/v1/records/{receipt}/acts": {id: "act", in: ActRequest{}, out: ActResult{}},
	"GET /api/v1/switches":                {id: "switches", query: []string{"route"}, out: []Switch{}},
	"GET /api/v1/admission":               {id: "admission", query: []string{"route"}, out: []Admission{}},
	"POST /api/v1/admission":              {id: "admit", in: AdmissionRequest{}, out: []Admission{}},
	"POST /api/v1/switches":               {id: "switch", in: SwitchRequest{}, out: []Switch{}},
	"POST /api/v1/health":                 {id: "follow", in: FollowRequest{}, out: []Switch{}},
	"POST /api/v1/words":                  {id: "words", in: WordsRequest{}, out: WordsResult{}},
	"POST /api/v1/explain":                {id: "explain", in: continuity.Question{}, out: continuity.Explanation{}},
	"POST /api/v1/reload":                 {id: "reload", out: ReloadResult{}},
	"POST /api/v1/replace":                {id: "replace", out: struct{}{}},
	"POST /api/v1/keys/rotate":            {id: "rotateKeys", in: RotateRequest{}, out: RotateResult{}},
	"POST /api/v1/privacy/find":           {id: "findPrivate", in: PrivacyRequest{}, out: PrivacyResult{}},
	"POST /api/v1/privacy/erase":          {id: "erasePrivate", in: PrivacyRequest{}, out: PrivacyResult{}},
	"POST /api/v1/reconcile":              {id: "reconcile", in: ReconcileQuery{}, out: Reconciliation{}},
	"POST /api/v1/settlement":             {id: "settlement", query: []string{"route", "day", "all"}, raw: "text/csv", out: Reconciliation{}},
	"POST /api/v1/restore":                {id: "restore", in: RestoreRequest{}, out: Restoration{}},
	"GET /api/v1/report":                  {id: "report", query: []string{"route"}, out: Report{}},
}

const plainText = "text/plain"

var listQuery = []string{"route", "state", "key", "limit", "cursor"}

// OpenAPI is the OpenAPI 3.1 document of the admin API.
func OpenAPI(version string, lang catalogue.Lang) []byte {
	t := func(id string) string { return catalogue.Text(lang, id, nil) }
	b := &schemas{
		reflector: jsonschema.Reflector{Anonymous: true, Namer: schemaName, RequiredFromJSONSchemaTags: false},
		all:       map[string]any{},
	}
	paths := map[string]map[string]any{}
	for pattern, o := range operations {
		method, path, _ := strings.Cut(pattern, " ")
		if paths[path] == nil {
			paths[path] = map[string]any{}
		}
		paths[path][strings.ToLower(method)] = o.document(b, path, t)
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": t("api.openapi.title"), "description": t("api.openapi.text"), "version": version},
		"paths":   paths,
		"components": map[string]any{
			"schemas":         b.all,
			"securitySchemes": map[string]any{"token": map[string]any{"type": "http", "scheme": "bearer", "description": t("api.openapi.token")}},
			"responses": map[string]any{"problem": map[string]any{
				"description": t("api.openapi.problem"),
				"content":     content(problem.ContentType, b.of(problem.Document{})),
			}},
		},
		"security": []any{map[string]any{"token": []string{}}},
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(err) // maps of strings: cannot happen in a binary that was tested
	}
	return append(text, '\n')
}

func (o operation) document(b *schemas, path string, t func(string) string) map[string]any {
	var parameters []any
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			parameters = append(parameters, parameter(strings.TrimSuffix(name, "}"), "path", true, t))
		}
	}
	for _, name := range o.query {
		parameters = append(parameters, parameter(name, "query", false, t))
	}
	if o.id == "body" {
		parameters = append(parameters, parameter(PersonHeader, "header", true, t))
	}
	answer := map[string]any{"description": t("api.openapi.ok")}
	if o.media != "" {
		answer["content"] = content(o.media, map[string]any{})
	} else {
		answer["content"] = content("application/json", b.of(o.out))
	}
	out := map[string]any{
		"operationId": o.id, "summary": t("api.op." + o.id),
		"responses": map[string]any{"200": answer, "default": map[string]any{"$ref": "#/components/responses/problem"}},
	}
	if parameters != nil {
		out["parameters"] = parameters
	}
	switch {
	case o.in != nil:
		out["requestBody"] = map[string]any{"required": true, "content": content("application/json", b.of(o.in))}
	case o.raw != "":
		out["requestBody"] = map[string]any{"required": true, "content": content(o.raw, map[string]any{})}
	}
	if o.open {
		out["security"] = []any{}
	}
	return out
}

func parameter(name, in string, required bool, t func(string) string) map[string]any {
	return map[string]any{
		"name": name, "in": in, "required": required, "description": t("api.param." + strings.ToLower(name)),
		"schema": map[string]any{"type": "string"},
	}
}

func content(media string, schema any) map[string]any {
	return map[string]any{media: map[string]any{"schema": schema}}
}

// schemas collects the schemas of Go types.
type schemas struct {
	reflector jsonschema.Reflector
	all       map[string]any
}

// of returns the schema of v's type, which refers to those of the types in it.
func (b *schemas) of(v any) any {
	s := b.reflector.ReflectFromType(reflect.TypeOf(v))
	s.Version = ""
	for name, def := range s.Definitions {
		b.all[name] = refer(def)
	}
	s.Definitions = nil
	return refer(s)
}

// refer has a schema refer to the document's components.
func refer(s *jsonschema.Schema) any {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // as above
	}
	return json.RawMessage(strings.ReplaceAll(string(text), `"#/$defs/`, `"#/components/schemas/`))
}

// schemaName names a type as the document does: what it is part of first, where
// two packages have one of the name.
func schemaName(t reflect.Type) string {
	name := t.Name()
	if of, item, ok := strings.Cut(name, "["); ok { // Page[holdfast/internal/api.Record]
		return of + "Of" + strings.TrimSuffix(item[strings.LastIndexByte(item, '.')+1:], "]")
	}
	if strings.HasSuffix(t.PkgPath(), "/reconcile") {
		return "Reconcile" + name
	}
	return name
}

func (s *server) openapi(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(OpenAPI(s.Version, catalogue.Accept(r.Header.Get("Accept-Language"))))
}
