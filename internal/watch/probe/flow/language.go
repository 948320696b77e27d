package flow

import (
	"math"
	"mime"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/catalogue"
	"holdfast/internal/jsonpointer"
	"holdfast/internal/yamldoc"
)

// Text is a name for people, in one language or both. Written as one text it
// serves both.
type Text struct {
	En string `yaml:"en" kind:"text" json:"en,omitempty"`
	Zh string `yaml:"zh" kind:"text" json:"zh,omitempty"`
}

// In is the text in a language, or in the other where it has none.
func (t Text) In(lang catalogue.Lang) string {
	if lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

// Short takes one text for both languages.
func (t *Text) Short(f *yamldoc.Findings, n *yamldoc.Node) {
	if strings.TrimSpace(n.Text) == "" {
		f.Error(n.At, "config.no-value", "field", "name")
		return
	}
	t.En, t.Zh = n.Text, n.Text
}

// Refine lets one text stand for both languages.
func (*Text) Refine(schema map[string]any) map[string]any {
	return map[string]any{"anyOf": []any{yamldoc.AnyScalar(""), schema}}
}

var language = &yamldoc.Language{Name: "flow.yaml", Kinds: kinds()}

func kinds() map[string]yamldoc.Kind {
	all := yamldoc.Basic()
	all["base"] = yamldoc.Kind{Parse: parseBase, Schema: yamldoc.Pattern(`^https?://.+$`)}
	all["header"] = yamldoc.Kind{Parse: parseHeader, Schema: yamldoc.Pattern(headerPattern)}
	all["variable"] = yamldoc.Kind{Parse: parseVariable, Schema: yamldoc.Pattern(variablePattern)}
	all["pattern"] = yamldoc.Kind{Parse: parsePattern, Schema: yamldoc.AnyScalar, Free: true}
	all["pointer"] = yamldoc.Kind{Parse: parsePointer, Schema: yamldoc.Pattern(`^/`), Free: true}
	all["media"] = yamldoc.Kind{Parse: parseMedia, Schema: yamldoc.Pattern(`^[^/ ]+/[^/ ]+.*$`)}
	all["status"] = yamldoc.Kind{Parse: parseStatus, Schema: func(reflect.StructTag) map[string]any { // 404 may be written as a number
		return map[string]any{"type": []string{"string", "integer"}, "pattern": statusPattern}
	}}
	all["figure"] = yamldoc.Kind{Parse: parseFigure, Schema: func(reflect.StructTag) map[string]any { return map[string]any{"type": "number"} }}
	return all
}

const (
	headerPattern   = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
	variablePattern = `^[a-z][a-z0-9_]{0,31}$`
	statusPattern   = `^([1-5]xx|[1-5][0-9][0-9])$`
)

var (
	headerForm   = regexp.MustCompile(headerPattern)
	variableForm = regexp.MustCompile(variablePattern)
	statusForm   = regexp.MustCompile(statusPattern)
)

// ownHeaders are written by the client, or tell the relay who asks.
var ownHeaders = []string{"connection", "content-length", "content-type", "cookie", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}

func parseBase(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil:
		return nil, yamldoc.Wrong("config.url-user")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.Contains(text, "{{"):
		return nil, yamldoc.Wrong("config.url")
	}
	return strings.TrimSuffix(text, "/"), nil
}

func parseHeader(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	lower := strings.ToLower(text)
	switch {
	case !headerForm.MatchString(text):
		return nil, yamldoc.Wrong("config.header-name")
	case slices.Contains(ownHeaders, lower), strings.HasPrefix(lower, "holdfast-"):
		return nil, yamldoc.Wrong("flow.own-header")
	}
	return text, nil
}

func parseVariable(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if !variableForm.MatchString(text) || slices.Contains(given, text) {
		return nil, yamldoc.Wrong("flow.variable")
	}
	return text, nil
}

func parsePattern(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if p, err := regexp.Compile(text); err != nil || text == "" || p.NumSubexp() != 1 {
		return nil, yamldoc.Wrong("flow.group")
	}
	return text, nil
}

func parsePointer(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if _, err := jsonpointer.Parse(text); err != nil || text == "" {
		return nil, yamldoc.Wrong("flow.pointer")
	}
	return text, nil
}

func parseMedia(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if media, _, err := mime.ParseMediaType(text); err != nil || !strings.Contains(media, "/") {
		return nil, yamldoc.Wrong("flow.media")
	}
	return text, nil
}

func parseStatus(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if !statusForm.MatchString(text) {
		return nil, yamldoc.Wrong("config.status")
	}
	return text, nil
}

func parseFigure(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		return nil, yamldoc.Wrong("flow.figure")
	}
	return n, nil
}

// Schema is the JSON Schema (2020-12) of a flow, for editors.
func Schema(lang catalogue.Lang) []byte {
	return language.Schema(reflect.TypeFor[Document](), "https://holdfast.example/schema/flow-1.json", "Holdfast flow", func(path string) string {
		return Meaning(lang, path)
	})
}

// Meaning says what a field means. A step of the clean-up means what a step
// does.
func Meaning(lang catalogue.Lang, path string) string {
	if rest, ok := strings.CutPrefix(path, "cleanup."); ok {
		path = "steps." + rest
	}
	id := "flow.field." + path
	if text := catalogue.Text(lang, id, nil); text != id {
		return text
	}
	return ""
}
